"""A sidecar's request comes back as it was, whatever stands in its texts; what is no sidecar is said in one line."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.errors import UsageError
from batchgen.manifest.identity import task_id
from batchgen.model import InputImage, Picture, Success, Task
from batchgen.replaying import replay_job
from batchgen.store.sidecar import sidecar

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://gateway.test/v1/images/generations"
SUCCESS = Success(
    picture=Picture(format="png", width=8, height=8, size_bytes=4, sha256="ab" * 32),
    status=200,
    content_type="image/png",
)


def a_task(*, prompt_id: str = "fox", job: str = "otters", **fields: str) -> Task:
    sent = {"model": "sd3-large", "prompt": "a fox", "seed": "7", **fields}
    identity = task_id(provider="gateway", fields=sent, image_sha256=None, repeat=0)
    return Task(
        id=identity,
        index=17,
        job=job,
        prompt_id=prompt_id,
        prompt_slug="fox",
        repeat=0,
        fields=sent,
        image=None,
        variables={"animal": "fox"},
        place=lambda _: "fox/7",
    )


def sidecar_of(task: Task, url: str = URL) -> bytes:
    return sidecar(
        task,
        provider="gateway",
        url=url,
        version="0.1.0",
        success=SUCCESS,
        picture_file="7.png",
        attempts=(),
        cost=None,
        made="2026-11-22T02:30:11.123Z",
    ).naming(SUCCESS.picture.sha256)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sidecar may lie."""
    return tmp_path_factory.mktemp("replay") / "7.json"


def replayed(place: Path, task: Task, url: str = URL) -> Task:
    place.write_bytes(sidecar_of(task, url))
    manifest = replay_job(place, Path(), run_id="1", overrides=[f"provider.url={url}"])
    assert len(manifest) == 1
    assert manifest.settings.url == url
    return manifest.task(0)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


@given(prompt=TEXT.filter(str.strip), negative=TEXT, prompt_id=TEXT, job=TEXT)
@example(prompt="a {{x}} fox {{ y }} {{{z}}", negative="{{x}}", prompt_id="{{x}}", job="{{x}}")
@example(prompt="${HOME} $$ ${NOT_SET:?no}", negative="$${A}", prompt_id="${P}", job="${J} $$")
@example(prompt="{{a}} for ${HOME} and $$", negative="$", prompt_id="$", job="$")
@example(prompt="1..4", negative="1..10:3", prompt_id="1..2", job="2024")
@example(prompt="2024", negative="true", prompt_id="null", job="~")
@example(prompt="a\x85b\u2028c\u2029d\ufeffe\x7ff\x9b", negative="\t\r\n ", prompt_id="\x85", job="\u2028")
@example(prompt="a: b # c, [d] {e} & *f !g 'h' \"i\" \\n", negative="😀é\u0301", prompt_id="- a", job="? b")
def test_any_request_comes_back_as_it_was(place: Path, prompt: str, negative: str, prompt_id: str, job: str) -> None:
    task = a_task(prompt=prompt, negative_prompt=negative, prompt_id=prompt_id, job=job)
    again = replayed(place, task)
    assert dict(again.request.fields) == dict(task.request.fields)
    assert (again.id, again.prompt_id) == (task.id, prompt_id)


@pytest.mark.parametrize("braces", ["{{" * 5000, "{{x}}" * 2000, "x" * 9995 + "{{y}}"], ids=["braces", "names", "one"])
def test_the_longest_prompt_comes_back(place: Path, braces: str) -> None:
    assert len(braces) == 10_000
    assert replayed(place, a_task(prompt=braces)).id == a_task(prompt=braces).id


def test_an_address_is_taken_as_it_stands(place: Path) -> None:
    assert replayed(place, a_task(), "https://gateway.test/v1/$$/${HOME}").id == a_task().id


def test_a_model_that_a_job_had_added_comes_back(place: Path) -> None:
    for more in ({"style_preset": "anime"}, {"negative_prompt": "text"}):
        task = a_task(model="sd9-$new", **more)
        assert replayed(place, task).id == task.id


def test_the_decimals_of_a_strength_stay(tmp_path: Path, place: Path) -> None:
    image = Path(__file__).parents[2] / "jobs/inputs/meadow.png"
    (tmp_path / "in$$.png").write_bytes(image.read_bytes())
    fields = {"mode": "image-to-image", "strength": "0.1234567890123456789"}
    place.write_bytes(sidecar_of(a_task(**fields)))
    digest = sha256(image.read_bytes()).hexdigest()
    place.write_bytes(_edited(place, lambda each: each["request"].update(image={"path": "in$$.png", "sha256": digest})))
    request = replay_job(place, tmp_path, run_id="1", overrides=[f"provider.url={URL}"]).task(0).request
    assert dict(request.fields)["strength"] == "0.1234567890123456789"
    assert isinstance(request.image, InputImage)
    assert request.image.sha256 == digest


def _edited(place: Path, edit: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(place.read_bytes())
    edit(document)
    return json.dumps(document).encode()


FOREIGN: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("no request", lambda each: each.pop("request")),
    ("no task", lambda each: each.pop("task")),
    ("no picture", lambda each: each.pop("picture")),
    ("no url", lambda each: each["request"].pop("url")),
    ("no prompt", lambda each: each["request"]["fields"].pop("prompt")),
    ("another provider", lambda each: each["request"].update(provider="elsewhere")),
    ("a list of providers", lambda each: each["request"].update(provider=["gateway"])),
    ("fields as a list", lambda each: each["request"].update(fields=["prompt"])),
    ("a seed as a number", lambda each: each["request"]["fields"].update(seed=7)),
    ("a seed that is none", lambda each: each["request"]["fields"].update(seed="seven")),
    ("a seed without end", lambda each: each["request"]["fields"].update(seed="9" * 5000)),
    ("a strength that is none", lambda each: each["request"]["fields"].update(strength="much")),
    ("a strength that is no number", lambda each: each["request"]["fields"].update(strength="NaN")),
    ("an unknown field", lambda each: each["request"]["fields"].update(colour="red")),
    ("an unknown style", lambda each: each["request"]["fields"].update(model="sd-core", style_preset="baroque")),
    ("a style that no model takes so", lambda each: each["request"]["fields"].update(style_preset="anime")),
    (
        "a model that nothing is like",
        lambda each: each["request"]["fields"].update(model="sd9", style_preset="anime", strength="0.5"),
    ),
    ("NUL", lambda each: each["request"]["fields"].update(prompt="a\0fox")),
    ("half a surrogate pair", lambda each: each["request"]["fields"].update(prompt="a\ud83d")),
    ("an image as text", lambda each: each["request"].update(image="a.png")),
    ("http to elsewhere", lambda each: each["request"].update(url="http://gateway.test/")),
    ("a picture without its digest", lambda each: each.update(picture={})),
]


@pytest.mark.parametrize("edit", [edit for _, edit in FOREIGN], ids=[name for name, _ in FOREIGN])
def test_what_is_no_sidecar_is_said(place: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    place.write_bytes(sidecar_of(a_task()))
    place.write_bytes(_edited(place, edit))
    with pytest.raises(UsageError) as said:
        replay_job(place, Path(), run_id="1")
    assert str(said.value).startswith(str(place))
    assert len(str(said.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"7", b'"x"', b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"request": {}}', b"9" * 9999]
)
def test_a_file_that_is_none_is_said(place: Path, text: bytes) -> None:
    place.write_bytes(text)
    with pytest.raises(UsageError, match=r"is no sidecar of batchgen; give the \.json beside a picture"):
        replay_job(place, Path(), run_id="1")


def test_a_file_that_is_not_there_is_said(place: Path) -> None:
    for path, cause in ((place.parent / "none.json", "No such file"), (place.parent, "Is a directory")):
        with pytest.raises(UsageError, match=f"can't be read: {cause}"):
            replay_job(path, Path(), run_id="1")
