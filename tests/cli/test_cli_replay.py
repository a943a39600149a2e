"""`replay` makes the request of a sidecar again, to the byte, and says whether the picture is the same."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING, Any

import canary
import pytest
from in_process import called
from processes import Mark, OutsideSandbox, assert_whole, batchgen, job_for, pictures, sidecars

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUTS = Path(__file__).parents[2] / "jobs/inputs"
KEYS = {"PICTURE_KEY": canary.KEY, "GATEWAY_API_KEY": canary.KEY}
"""The job's own variable, and the one that a replay reads where nothing else is said."""

JOB = """\
vars: {animal: [fox], shown: '{{x}} {{ y }}'}
prompts: [{id: braced, prompt: 'a {{shown}} owl', seed: 11}]
tasks:
  - {id: plain, prompt: 'a {{animal}} for $5 and ${HOME}', negative_prompt: 'text, {word:1.2}', seed: 7}
  - {id: style, prompt: Füchse im Schnee 🦊, model: sd-core, style_preset: anime, aspect_ratio: 16:9, seed: 8}
  - {id: range, prompt: 1..4, seed: 9}
  - {id: image, prompt: the same as a watercolour, image: in/meadow.png, strength: 0.35, output_format: jpeg, seed: 10}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: OutsideSandbox) -> Path:
    """A folder with a job, its input, and its output."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    copy(INPUTS / "meadow.png", folder / "in/meadow.png")
    provider = job_for(shared_sandbox.url).splitlines()[0]
    (folder / "otters.yaml").write_text(f"{provider}\n{JOB}")
    ended = batchgen("run", "otters.yaml", cwd=folder, env=KEYS)
    assert ended.code == 0, ended.err
    return folder


def sidecar_of(made: Path, prompt_id: str) -> tuple[Path, dict[str, Any]]:
    """The sidecar of the one task of a prompt."""
    output = made / "output/otters"
    [(place, document)] = [each for each in sidecars(output).items() if each[1]["task"]["prompt_id"] == prompt_id]
    return output / place, document


def there(path: Path) -> tuple[str, str]:
    """The option that sends a replay, and the key with it, to where its sidecar was asked."""
    return "--set", f"provider.url={json.loads(path.read_text())['request']['url']}"


def entry_of(sandbox: OutsideSandbox, document: Mapping[str, Any]) -> dict[str, Any]:
    """The first request that the sandbox heard with the fields of a sidecar."""
    return next(each for each in sandbox.log() if each["fields"] == document["request"]["fields"])


@pytest.mark.parametrize("prompt_id", ["plain", "style", "range", "image", "braced"])
def test_the_same_request_brings_the_same_picture(
    made: Path, shared_sandbox: OutsideSandbox, sandbox: Mark, prompt_id: str
) -> None:
    path, document = sidecar_of(made, prompt_id)
    ended = batchgen("replay", str(path), *there(path), cwd=made, env=KEYS)
    assert ended.code == 0, ended.err
    assert "the same picture, byte for byte" in ended.err
    before, [again] = entry_of(shared_sandbox, document), sandbox.requests()
    for name in ("method", "path", "status", "fields", "image", "seed", "picture_sha256"):
        assert again[name] == before[name], name
    folder = made / ended.out.strip()
    [written] = sidecars(folder).values()
    assert folder.name.startswith("otters@replay-")
    assert written["task"]["id"] == document["task"]["id"]
    assert written["request"] == document["request"]
    assert set(pictures(folder).values()) == {document["picture"]["sha256"]}
    assert_whole(folder)


def test_what_the_braces_were_is_what_was_sent(made: Path) -> None:
    assert sidecar_of(made, "braced")[1]["request"]["fields"]["prompt"] == "a {{x}} {{ y }} owl"
    assert sidecar_of(made, "plain")[1]["request"]["fields"]["prompt"] == "a fox for $5 and ${HOME}"


def test_a_replay_leaves_the_output_as_it_is(made: Path, tmp_path: Path) -> None:
    path, _ = sidecar_of(made, "plain")
    before = sidecars(made / "output/otters"), pictures(made / "output/otters")
    ended = called("replay", str(path), *there(path), "--output", str(tmp_path / "again"), "-q", cwd=tmp_path, env=KEYS)
    assert (ended.code, ended.out, ended.err) == (0, f"{tmp_path / 'again'}\n", "")
    assert (sidecars(made / "output/otters"), pictures(made / "output/otters")) == before


def test_a_changed_value_makes_another_picture(made: Path, tmp_path: Path, sandbox: Mark) -> None:
    path, document = sidecar_of(made, "plain")
    ended = called("replay", str(path), *there(path), "--set", "tasks.0.seed=77", cwd=tmp_path, env=KEYS)
    assert ended.code == 0
    assert "another picture than the sidecar's" in ended.err
    [request] = sandbox.requests()
    assert request["fields"] == {**document["request"]["fields"], "seed": "77"}


def test_inputs_are_found_where_one_says(made: Path, tmp_path: Path, sandbox: Mark) -> None:
    path, document = sidecar_of(made, "image")
    ended = called("replay", str(path), *there(path), cwd=tmp_path, env=KEYS)
    assert ended.code == 2
    assert "in/meadow.png: the input image is not there" in ended.err
    assert sandbox.requests() == []
    ended = called("replay", str(path), *there(path), "--inputs", str(made), cwd=tmp_path, env=KEYS)
    assert ended.code == 0, ended.err
    assert sandbox.requests()[0]["picture_sha256"] == document["picture"]["sha256"]


def test_a_key_goes_to_no_address_that_only_a_sidecar_names(made: Path, tmp_path: Path, sandbox: Mark) -> None:
    path, document = sidecar_of(made, "plain")
    ended = called("replay", str(path), cwd=tmp_path, env=KEYS)
    assert (ended.code, ended.out) == (2, "")
    assert document["request"]["url"] in ended.err
    assert "--set provider.url=" in ended.err
    assert sandbox.requests() == []


def test_an_input_that_has_changed_is_an_error(made: Path, tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "in").mkdir()
    copy(INPUTS / "harbour.jpg", tmp_path / "in/meadow.png")
    path, _ = sidecar_of(made, "image")
    ended = called("replay", str(path), *there(path), cwd=tmp_path, env=KEYS)
    assert (ended.code, ended.out) == (2, "")
    said = f"batchgen: in/meadow.png: is not the image that {path} was made from; name its folder with --inputs\n"
    assert ended.err == said
    assert sandbox.requests() == []


def test_without_a_key_nothing_is_sent(made: Path, tmp_path: Path, sandbox: Mark) -> None:
    path, _ = sidecar_of(made, "plain")
    ended = called("replay", str(path), *there(path), cwd=tmp_path)
    assert ended.code == 2
    assert "GATEWAY_API_KEY" in ended.err
    ended = called("replay", str(path), *there(path), "--set", "provider.api_key_env=PICTURE_KEY", cwd=tmp_path)
    assert "PICTURE_KEY" in ended.err
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("none.json", None, "can't be read: No such file or directory; give the path of a sidecar"),
        ("picture.png", "\x89PNG", "is no sidecar of batchgen; give the .json beside a picture"),
        ("foreign.json", json.dumps({"name": "otters", "version": 1}), "is no sidecar of batchgen; give the .json"),
        ("list.json", "[1, 2]", "is no sidecar of batchgen; give the .json beside a picture"),
        ("cut.json", '{"schema_version": 1, "task": {"id"', "is no sidecar of batchgen; give the .json"),
    ],
)
def test_what_is_no_sidecar_is_said_in_one_line(tmp_path: Path, name: str, text: str | None, cause: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    ended = called("replay", name, cwd=tmp_path, env=KEYS)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"batchgen: {name}: {cause}")
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "output").exists()


def test_a_picture_of_the_sandbox_is_replayed_there(tmp_path: Path) -> None:
    (tmp_path / "otters.yaml").write_text("provider: sandbox\nprompts: [a fox]\n")
    assert called("run", "otters.yaml", cwd=tmp_path).code == 0
    [place] = sidecars(tmp_path / "output/otters")
    ended = called("replay", f"output/otters/{place}", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "the same picture, byte for byte" in ended.err
