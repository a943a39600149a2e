"""What holds for any job: old ids stay, order is arithmetic, what is excluded never appears, ids are of requests."""

from __future__ import annotations

import base64
import hashlib
import json
from email import message_from_bytes
from email.policy import HTTP
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from job_texts import fields, ids, job

from batchgen.errors import UsageError
from batchgen.manifest.survey import survey
from batchgen.model import Secret
from batchgen.providers.gateway import GATEWAY

Parts = st.SearchStrategy[dict[str, Any]]
RATIOS = ["16:9", "1:1", "2:3"]
VARS: Parts = st.fixed_dictionaries({"x": st.lists(st.sampled_from(["fox", "owl", "bee"]), min_size=1, unique=True)})
SWEEP: Parts = st.fixed_dictionaries(
    {},
    optional={
        "aspect_ratio": st.lists(st.sampled_from(RATIOS), min_size=1, unique=True),
        "model": st.lists(st.sampled_from(["sd3-large", "sd3-large-turbo", "sd-core"]), min_size=1, unique=True),
        "seed": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)
        | st.integers(1, 3).map(lambda count: {"random": count}),
    },
)
ENTRY: Parts = st.fixed_dictionaries(
    {"seed": st.integers(0, 9)},
    optional={"aspect_ratio": st.sampled_from(RATIOS), "output_format": st.sampled_from(["png", "jpeg"])},
)
PROMPT: Parts = st.fixed_dictionaries(
    {"prompt": st.sampled_from(["a", "b", "a {{x}}", "no {{ x }}", "c {x}"])},
    optional={
        "preset": st.just("film"),
        "output_format": st.sampled_from(["png", "jpeg"]),
        "zip": st.just([{"image": ["in/a.png", "in/b.png"], "strength": [0.5, 1], "model": ["sd3-large"] * 2}]),
        "sweep": st.fixed_dictionaries({"seed": st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True)}),
        "repeat": st.integers(1, 2),
    },
)


def _with_one_that_fits(prompts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, and one of which something is left when all that no model takes is skipped."""
    return [*prompts, {"prompt": "d", "model": "sd-core"}]


JOBS: Parts = st.fixed_dictionaries(
    {
        "prompts": st.lists(PROMPT, max_size=3, unique_by=lambda prompt: prompt["prompt"]).map(_with_one_that_fits),
        "vars": VARS,
        "sweep": SWEEP,
        "presets": st.just({"film": {"negative_prompt": "blurry", "aspect_ratio": "2:3"}}),
        "seed_mode": st.sampled_from(["shared", "per_prompt", "per_task"]),
        "skip_invalid": st.just("true"),
    },
    optional={
        "defaults": st.sampled_from([{"aspect_ratio": "1:1"}, {"negative_prompt": "no {{x}}"}]),
        "tasks": st.just([{"prompt": "a lamp", "seed": 3}]),
    },
)


def written(parts: dict[str, Any]) -> str:
    """A job with these values."""
    return "\n".join(f"{name}: {value}" for name, value in parts.items())


@given(JOBS)
def test_the_nth_task_is_the_nth_of_the_iteration_and_the_count_their_number(parts: dict[str, Any]) -> None:
    manifest = job(written(parts))
    tasks = list(manifest)
    assert len(manifest) == len(tasks)
    assert [manifest.task(index) for index in range(len(tasks))] == tasks
    assert [task.index for task in tasks] == list(range(len(tasks)))


@given(JOBS)
def test_the_ids_of_a_job_without_duplicates_are_all_different(parts: dict[str, Any]) -> None:
    manifest = job(written(parts))
    found = survey(manifest)
    assert found.tasks == len(set(ids(manifest)))
    assert (found.duplicates == 0) == (len(set(ids(manifest))) == len(manifest))
    assert len({task.stem.casefold() for task in manifest}) == found.tasks


@given(JOBS, st.sampled_from(["aspect_ratio", "seed", "model"]), st.integers(0, 3))
def test_a_further_value_of_an_axis_keeps_every_old_id(parts: dict[str, Any], name: str, place: int) -> None:
    more = {"aspect_ratio": "21:9", "seed": 77, "model": "sd-core"}[name]
    values = parts["sweep"].get(name)
    if not isinstance(values, list) or more in values:
        return
    wider = parts["sweep"] | {name: [*values[:place], more, *values[place:]]}
    assert set(ids(job(written(parts)))) <= set(ids(job(written(parts | {"sweep": wider}))))


@given(JOBS, st.sampled_from(["bat", "1", "{{x}}"]), st.integers(0, 3))
def test_a_further_value_of_a_variable_keeps_every_old_id(parts: dict[str, Any], more: str, place: int) -> None:
    values = parts["vars"]["x"]
    wider = {"x": [*values[:place], more, *values[place:]]}
    assert set(ids(job(written(parts)))) <= set(ids(job(written(parts | {"vars": wider}))))


@given(JOBS, PROMPT, st.integers(0, 3))
def test_a_further_prompt_keeps_every_old_id(parts: dict[str, Any], prompt: dict[str, Any], place: int) -> None:
    more = [*parts["prompts"][:place], prompt | {"prompt": "new"}, *parts["prompts"][place:]]
    old, new = (ids(job(written(each))) for each in (parts, parts | {"prompts": more}))
    assert [identity for identity in new if identity in set(old)] == old


@settings(max_examples=50)
@given(JOBS)
def test_presets_and_variables_that_nobody_names_change_nothing(parts: dict[str, Any]) -> None:
    more = {
        "presets": parts["presets"] | {"other": {"seed": 1, "x": "cat"}},
        "vars": parts["vars"] | {"other": [1, 2, 3]},
    }
    assert list(job(written(parts | more))) == list(job(written(parts)))


@settings(max_examples=50)
@given(JOBS, st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_id(parts: dict[str, Any], random: Any) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in random.sample(list(value), len(value))}
        return [turned(each) for each in value] if isinstance(value, list) else value

    assert sorted(ids(job(written(turned(parts))))) == sorted(ids(job(written(parts))))


@settings(max_examples=50)
@given(JOBS, st.lists(ENTRY, min_size=1, max_size=3))
def test_what_is_excluded_never_appears_and_all_else_stays(
    parts: dict[str, Any], excludes: list[dict[str, Any]]
) -> None:
    sweep = {name: values for name, values in parts["sweep"].items() if name != "seed"} | {"seed": [0, 1, 2, 3]}
    wanted = [{name: str(value) for name, value in entry.items()}.items() for entry in excludes]
    whole = job(written(parts | {"sweep": sweep}))
    swept = {prompt.label for prompt in whole.prompts[: len(parts["prompts"])]}
    expected = [
        task.id
        for task in whole
        if task.prompt_id not in swept or not any(entry <= fields(task).items() for entry in wanted)
    ]
    try:
        found = ids(job(written(parts | {"sweep": sweep | {"exclude": excludes}})))
    except UsageError:
        found = []
    assert found == expected


def sent(parts: dict[str, Any]) -> list[tuple[str, dict[str, str], str | None, int]]:
    """The id of some ten tasks, with the form that the provider sends for each, its image's digest and the repeat."""
    manifest, found = job(written(parts)), []
    for task in map(manifest.task, range(0, len(manifest), len(manifest) // 10 + 1)):
        call = next(GATEWAY.converse(task.request, "https://a.example/", Secret("k")))
        head = f"Content-Type: {call.headers['Content-Type']}\r\n\r\n".encode()
        form = message_from_bytes(head + call.body.head + call.body.tail, policy=HTTP)
        parts_by_name = {str(part.get_param("name", header="Content-Disposition")): part for part in form.iter_parts()}
        image = call.body.image.sha256 if call.body.image else None
        assert (parts_by_name.pop("image", None) is not None) == (image is not None)
        values = {name: str(part.get_content()).removesuffix("\r\n") for name, part in parts_by_name.items()}
        found.append((task.id, values, image, task.repeat))
    return found


@settings(max_examples=50)
@given(JOBS)
def test_an_id_is_the_digest_of_what_the_provider_sends(parts: dict[str, Any]) -> None:
    for identity, values, image, repeat in sent(parts):
        request = {"provider": "gateway", "fields": values, "image": image, "repeat": repeat}
        text = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = base64.b32encode(hashlib.sha256(text.encode()).digest()[:16]).decode("ascii").lower().rstrip("=")
        assert identity == digest


@settings(max_examples=50)
@given(JOBS)
def test_every_combination_of_the_axes_is_there_once(parts: dict[str, Any]) -> None:
    sweep = {name: values for name, values in parts["sweep"].items() if isinstance(values, list)}
    prompts = [entry["prompt"] for entry in parts["prompts"]]
    manifest = job(written({"prompts": prompts, "vars": parts["vars"], "sweep": sweep}))
    texts = [
        prompt.replace("{{x}}", value).replace("{{ x }}", value)
        for prompt in prompts
        for value in (parts["vars"]["x"] if "{{" in prompt else [""])
    ]
    expected = [
        {"prompt": text, **dict(zip(sweep, map(str, values), strict=True))}
        for text, values in product(texts, list(product(*sweep.values())))
    ]
    assert [{name: fields(task)[name] for name in ("prompt", *sweep)} for task in manifest] == expected
