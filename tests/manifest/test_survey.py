"""What is seen by looking at all tasks together: equal ones, whether by the axes or one by one, and shared paths."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from job_texts import fields, ids, job

from batchgen.errors import UsageError
from batchgen.manifest.survey import _all_different, distinct, survey

# Jobs, how many of their tasks stand there already, and whether the axes alone rule that out.

JOBS: dict[str, tuple[str, int, bool]] = {
    "two prompts": ("prompts: [a, b]\nsweep: {seed: 1..3}", 0, True),
    "one prompt twice": ("prompts: [a, a]\nsweep: {seed: 1..3}", 3, False),
    "one prompt, other fields": ("prompts: [{prompt: a, seed: 1}, {prompt: a, seed: 2}]", 0, False),
    "repeats": ("prompts: [a]\nrepeat: 3", 0, True),
    "variables": ("prompts: ['{{x}} {{y}}', '{{x}}']\nvars: {x: [1, 2], y: [3, 4]}", 0, True),
    "variables that fill alike": ("prompts: ['{{x}}{{y}}']\nvars: {x: [a, ab], y: [bc, c]}", 1, False),
    "a prompt that is another's filled": ("prompts: ['a {{x}}', a fox]\nvars: {x: [fox, owl]}", 1, False),
    "derived seeds": ("prompts: [a]\nsweep: {seed: {random: 9}}", 0, True),
    "ranges that lie apart": ("prompts: [a]\nsweep: {seed: [7..9, 1..3, 20..12:-2]}", 0, True),
    "a derived seed that is listed": ("prompts: [a]\nsweep: {seed: [{random: 1}, 3574942083]}", 1, False),
    "images": ("prompts: [a]\nsweep: {image: [x/a.png, x/b.png], strength: 1}", 0, True),
    "one image at two paths": ("prompts: [a]\nsweep: {image: [x/a.png, y/a.png], strength: 1}", 1, False),
    "a mode that follows": ("prompts: [a]\nsweep: {image: a.png, strength: 1, mode: [~, image-to-image]}", 1, False),
    "even steps": ("prompts: [a]\nsweep: {image: a.png, strength: {linspace: {from: 0, to: 1, count: 9}}}", 0, True),
    "negative templates": ("prompts: [a]\nvars: {x: [1, 2]}\nsweep: {negative_prompt: ['{{x}}', '1']}", 2, False),
    "a zip": ("prompts: [{prompt: a, zip: [{seed: [1, 1], ratios: [1:1, 2:3]}]}]", 0, True),
    "a point twice in a zip": ("prompts: [{prompt: a, zip: [{seed: [1, 1], ratios: [1:1, 1:1]}]}]", 1, False),
    "a zip of what is not named": ("prompts: [{prompt: a, zip: [{x: [1, 2]}]}]\nvars: {x: 0}", 1, False),
    "a sweep of what is not named": ("prompts: [{prompt: a, sweep: {x: [1, 2]}}]\nvars: {x: 0}", 1, False),
    "an include": ("prompts: [a]\nsweep: {seed: [1, 2], include: [{seed: 3}]}", 0, False),
    "an include twice": ("prompts: [a]\nsweep: {seed: [1, 2], include: [{seed: 3}, {seed: 3}]}", 1, False),
    "an include that evens out": ("prompts: [a]\nsweep: {seed: [1, 2], include: [{seed: 1, ratios: ~}]}", 0, False),
    "a task that a prompt makes": ("prompts: [a]\nsweep: {seed: [1, 2]}\ntasks: [{prompt: a, seed: 2}]", 1, False),
    "the default model named": ("prompts: [a, {prompt: a, model: sd3-large}]", 1, False),
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_equal_tasks_are_counted_by_the_axes_as_one_by_one(name: str) -> None:
    text, equal, by_axes = JOBS[name]
    manifest = job(text)
    assert len(manifest) - len(set(ids(manifest))) == equal
    assert _all_different(manifest) == by_axes
    found = survey(manifest)
    assert (found.duplicates, found.tasks) == (equal, len(manifest) - equal)
    assert found.models == Counter(fields(manifest.task(index))["model"] for index in distinct(manifest, found))


@pytest.mark.parametrize(
    ("text", "duplicates"),
    [
        ("prompts: [a]\nsweep: {seed: [1, 2, 1]}", 1),
        ("prompts: [a]\nsweep: {seed: [1..3, 2..4]}", 2),
        ("prompts: [a]\nsweep: {seed: [1, 1], ratios: [1:1, 1:1, 2:3]}", 4),
        ("prompts: ['{{x}}']\nvars: {x: [a, b, a]}\nsweep: {seed: 1..5}", 5),
        ("prompts: [a]\nrepeat: 2\nsweep: {seed: [1, 1]}", 2),
        ("prompts: [a, a]\nsweep: {seed: [1, 1]}", 3),
        ("prompts: [{file: d.txt}]\nsweep: {seed: [1, 1]}", 4),
    ],
)
def test_what_an_axis_lists_twice_is_counted_and_made_once(text: str, duplicates: int) -> None:
    manifest = job(text, files={"d.txt": "a\nb\na\n"})
    found = survey(manifest)
    assert found.duplicates == duplicates
    assert found.tasks == len(set(ids(manifest)))


LARGE: list[tuple[str, int | None]] = [
    ("prompts: [a, b]\nsweep: {seed: 1..1000000, ratios: [1:1, 16:9, 21:9, 2:3, 3:2]}", 0),
    ("prompts: [a]\nsweep: {seed: {random: 4000000}}", 0),
    ("prompts: [a]\nsweep: {seed: [1000001..1000500, 1..1000000]}", 0),
    ("prompts: [{prompt: a, sweep: {seed: 1..600000}}, {prompt: b, sweep: {seed: 1..600000}}]", 0),
    ("prompts: [{prompt: a, sweep: {seed: 1..600000}}, {prompt: a, sweep: {seed: 600001..1200000}}]", None),
    ("prompts: [a]\nsweep: {seed: [1..1000000, 1..1000000]}", None),
    ("prompts: [a]\nsweep: {seed: [1..1999999:2, 2..2000000:2]}", None),
    ("prompts: [a]\nsweep: {seed: [1000001..1000500, 1..1000000, 7]}", None),
    ("prompts: [a]\nsweep: {seed: 1..2000000, include: [{seed: 1, ratios: 1:1}]}", None),
]


@pytest.mark.parametrize(("text", "duplicates"), LARGE)
def test_beyond_a_million_tasks_only_the_axes_say_that_there_are_none(text: str, duplicates: int | None) -> None:
    manifest = job(text)
    found = survey(manifest)
    assert found.duplicates == duplicates
    assert found.tasks == len(manifest) == sum(found.models.values())
    assert list(islice(distinct(manifest, found), 3)) == [0, 1, 2]


def test_equal_tasks_that_are_not_counted_are_still_made_once() -> None:
    prompts = "{prompt: a, repeat: 3}, {prompt: a, repeat: 3, sweep: {seed: [{random: 1}, 1..1000000]}}"
    manifest = job(f"prompts: [{prompts}]")
    found = survey(manifest)
    assert found.duplicates is None
    assert list(islice(distinct(manifest, found), 5)) == [0, 1, 2, 6, 7]


# Laws

PROMPTS = ["a", "b", "a {{x}}", "{{x}}{{y}}", "a 1", "11"]
ZIPS: list[list[dict[str, Any]]] = [
    [{"x": [1, 2]}],
    [{"x": [1, 1], "aspect_ratio": ["1:1", "16:9"]}],
    [{"output_format": ["png", "png"]}],
]


def _has_x_once(entry: dict[str, Any]) -> bool:
    return not ("zip" in entry and "x" in entry.get("sweep", {}))


JOB_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "prompts": st.lists(
        st.sampled_from(PROMPTS)
        | st.fixed_dictionaries(
            {"prompt": st.sampled_from(PROMPTS)},
            optional={
                "seed": st.sampled_from([1, 3574942083]),
                "repeat": st.integers(1, 2),
                "zip": st.sampled_from(ZIPS),
                "sweep": st.sampled_from([{"x": [1, 11]}, {"seed": [1, 2]}, {"y": ["1", "{{x}}"]}]),
            },
        ).filter(_has_x_once),
        min_size=1,
        max_size=3,
    ),
    "vars": st.fixed_dictionaries(
        {"x": st.sampled_from([[1, 11], "1", [1, "1"]]), "y": st.sampled_from([[1, 11], "1", ["", 1]])}
    ),
    "sweep": st.fixed_dictionaries(
        {},
        optional={
            "seed": st.lists(st.sampled_from([1, 2, "1..2", 3574942083]), min_size=1, max_size=3),
            "aspect_ratio": st.lists(st.sampled_from(["1:1", "16:9"]), min_size=1, max_size=3),
            "negative_prompt": st.lists(st.sampled_from(["1", "{{x}}", "{{y}}"]), min_size=1, max_size=2),
            "include": st.sampled_from([[{"seed": 1}], [{"seed": 9}, {"seed": 9}], [{"output_format": "png"}]]),
            "exclude": st.sampled_from([[{"seed": 1}], [{"seed": 2, "aspect_ratio": "1:1"}]]),
        },
    ),
    "tasks": st.lists(st.fixed_dictionaries({"prompt": st.sampled_from(PROMPTS[:2]), "seed": st.just(1)}), min_size=1),
}
ANY_JOB = st.fixed_dictionaries(
    {"prompts": JOB_PARTS["prompts"], "vars": JOB_PARTS["vars"]},
    optional={"sweep": JOB_PARTS["sweep"], "tasks": JOB_PARTS["tasks"], "repeat": st.integers(1, 2)},
)


@settings(max_examples=150)
@given(ANY_JOB)
@example({"prompts": ["a"], "vars": {"x": [1, 11], "y": 1}, "sweep": {"negative_prompt": ["1", "{{x}}"]}})
def test_the_axes_never_rule_out_what_is_there(parts: dict[str, Any]) -> None:
    try:
        manifest = job("\n".join(f"{name}: {value}" for name, value in parts.items()))
    except UsageError as error:
        assert "nothing is left to make" in str(error)  # noqa: PT017 - excludes may leave nothing
        return
    different = len(set(ids(manifest)))
    found = survey(manifest)
    assert found.tasks == different == len(list(distinct(manifest, found)))
    if _all_different(manifest):
        assert different == len(manifest)
    assert sum(found.models.values()) == different


# Paths


@pytest.mark.parametrize(
    ("path", "first", "second", "stem"),
    [
        ("{model}.{ext}", 0, 1, "sd3-large"),
        ("{seed}.{ext}", 0, 2, "1"),
        ("{prompt_slug}/{seed}.{ext}", 0, 2, "a-fox/1"),
        ("{style_preset}-{prompt_id}.{ext}", 0, 1, "none-a-fox-"),
    ],
)
def test_two_tasks_on_one_path_are_both_named(path: str, first: int, second: int, stem: str) -> None:
    text = f"prompts: [a fox, an owl]\nsweep: {{ratios: [1:1, 16:9], seed: [1, 2]}}\noutput: {{path: '{path}'}}"
    with pytest.raises(UsageError) as caught:
        survey(job(text))
    assert str(caught.value).startswith(
        f"jobs/animals.yaml:3:16: output.path: tasks {first} and {second} both go to {stem}"
    )
    assert str(caught.value).endswith("name what tells them apart, such as {seed} or {id:12}")


@pytest.mark.parametrize("path", ["{id}", "{id:12}", "{id:10}", "{seed}/{id:26}-x", "{index}", "{prompt_id}-{seed}"])
def test_paths_that_tell_tasks_apart(path: str) -> None:
    text = f"prompts: [a fox, an owl]\nsweep: {{seed: 1..50}}\noutput: {{path: '{path}.{{ext}}'}}"
    manifest = job(text)
    assert survey(manifest).tasks == len({task.stem.casefold() for task in manifest}) == 100


PATHS_OF_MANY = [
    ("{aspect_ratio}/{seed}", True),
    ("{aspect_ratio}-{seed}", True),
    ("{index}", True),
    ("{id:12}", True),
    ("{seed}", False),
    ("{aspect_ratio}{seed}", False),
    ("{model}-{seed}", False),
    ("{seed:3}/{aspect_ratio}", False),
]


@pytest.mark.parametrize(("path", "proved"), PATHS_OF_MANY)
def test_beyond_a_million_tasks_the_path_itself_must_show_that_none_is_shared(path: str, *, proved: bool) -> None:
    text = f"prompts: [a]\nsweep: {{ratios: [1:1, 16:9], seeds: 1..600000}}\noutput: {{path: '{path}.{{ext}}'}}"
    if proved:
        assert survey(job(text)).tasks == 1_200_000
    else:
        with pytest.raises(UsageError, match=r"^jobs/animals.yaml:3:16: output.path: .* add {id:12} or {index}$"):
            survey(job(text))


def test_beyond_a_million_tasks_prompts_are_told_apart_by_their_ids() -> None:
    text = "prompts: [a b, a c]\nsweep: {{seeds: 1..600000}}\noutput: {{path: '{}/{{seed}}.{{ext}}'}}"
    assert survey(job(text.format("{prompt_id}"))).tasks == 1_200_000
    with pytest.raises(UsageError, match=r"add {id:12} or {index}"):
        survey(job(text.format("{name}")))
