"""A part of a job: `--only` takes the tasks with some values, `--sample` a few that show every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import fields, job

from batchgen.errors import UsageError
from batchgen.manifest.selection import sample, select, wanted

if TYPE_CHECKING:
    from batchgen.manifest.manifest import Manifest

JOB = """\
vars: {animal: [fox, owl]}
sweep: {seed: 1..6, ratios: [1:1, 16:9], model: [sd3-large, sd-core]}
prompts:
  - "a {{animal}}"
  - {id: still, prompt: a lamp, image: in/a.png, strength: 0.50, model: sd3-large}
tasks: [{prompt: last, model: sd-core, style_preset: anime}]
"""


def chosen(manifest: Manifest, *settings: str) -> list[int]:
    """The tasks that `--only` takes."""
    return list(select(manifest, wanted(manifest, settings)))


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ([], 61),
        (["seed=1"], 10),
        (["seeds=1"], 10),
        (["seed=1..4"], 40),
        (["seed=1..6:2"], 30),
        (["seed=[1, 3..4]"], 30),
        (["seed=1", "seed=2"], 20),
        (["seed=1", "seed=1"], 10),
        (["seed=1", "aspect_ratio=16:9"], 5),
        (["ratios=[1:1, 16:9]"], 60),
        (["style_preset=anime"], 1),
        (["model=sd-core"], 25),
        (["model=sd-core", "seed=9"], 0),
        (["animal=fox"], 24),
        (["animal=fox", "animal=owl", "model=sd-core"], 24),
        (["animal=bee"], 0),
        (["prompt_id=still"], 12),
        (["prompt=a lamp"], 12),
        (["prompt=a fox"], 24),
        (["strength=0.5"], 12),
        (["image=in/a.png"], 12),
        (["mode=image-to-image"], 12),
        (["style_preset="], 60),
        (["aspect_ratio=[16:9, ~]"], 31),
        (["animal="], 13),
        ([" seed = 1 "], 10),
    ],
)
def test_only_takes_the_tasks_with_the_values(settings: list[str], count: int) -> None:
    manifest = job(JOB)
    found = chosen(manifest, *settings)
    assert len(found) == count
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sed=1", "--only sed=1: not a field=value; did you mean 'seed'? accepted: animal, aspect_ratio, "),
        ("seed", "--only seed: not a field=value"),
        ("=1", "--only =1: not a field=value"),
        ("seed=x", "--only seed=x: 'x' is not a value of seed; accepted: a whole number from 0 to 4294967294"),
        ("seed=4..1", "--only seed=4..1: the range 4..1 by 1 holds nothing; accepted: first..last"),
        ("seed={random: 3}", "--only seed={random: 3}: names no seeds of the job; give them as they are"),
        ("aspect_ratio=1:2", "--only aspect_ratio=1:2: '1:2' is not a value of aspect_ratio; did you mean '3:2'?"),
        ("model=sd3", "--only model=sd3: 'sd3' is not a value of model"),
        ("seed=[1", "--only seed=[1: not YAML: "),
        ("seed=${N}", "--only seed=${N}: the environment variable N is not set"),
    ],
)
def test_what_only_can_t_take(setting: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        wanted(job(JOB), [setting])
    assert str(caught.value).startswith(said)


# Samples


def shown(manifest: Manifest, indices: list[int]) -> set[tuple[str, str, str]]:
    """Each value of each field and variable of each prompt that these tasks show."""
    return {
        (task.prompt_id, name, value)
        for task in map(manifest.task, indices)
        for name, value in (*fields(task).items(), *task.variables.items())
        if name != "prompt"
    }


SAMPLED: dict[str, tuple[str, int]] = {
    "axes": ("prompts: [a, b]\nsweep: {seed: 1..5, ratios: [1:1, 2:3, 16:9], model: [sd3-large, sd-core]}", 10),
    "vars": ("prompts: ['{{x}} {{y}}']\nvars: {x: [1, 2, 3], y: [4, 5]}\nsweep: {seed: 1..4}", 4),
    "zip": ("prompts: [{prompt: a, zip: [{seed: 1..3, formats: [png, jpeg, png]}]}]\nsweep: {ratios: [1:1, 2:3]}", 3),
    "excludes": ("prompts: [a]\nsweep: {seed: 1..4, ratios: [1:1, 2:3], exclude: [{seed: 2}, {seed: 1, ratios: 1:1}]}",
                 3),
    "include": ("prompts: [a]\nsweep: {seed: 1..4, include: [{seed: 9}, {seed: 8, ratios: 1:1}]}", 6),
    "repeat": ("prompts: [a]\nrepeat: 3\nsweep: {seed: 1..4}", 4),
    "skipped": ("prompts: [a]\nskip_invalid: true\nsweep: {models: [sd3-large, sd-core], styles: [~, anime]}", 3),
    "rows": ("prompts: [{file: d.csv}]\nsweep: {seed: 1..3}", 5),
    "tasks": ("prompts: [a]\nsweep: {seed: 1..3}\ntasks: [{prompt: b}, {prompt: c}]", 5),
}  # fmt: skip
FILES = {"d.csv": "prompt,aspect_ratio,seed\na,1:1,\nb,2:3,7\nc,16:9,8\n"}


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_that_is_large_enough_shows_every_value_of_every_axis(name: str) -> None:
    text, size = SAMPLED[name]
    manifest = job(text, files=FILES)
    everything = shown(manifest, list(range(len(manifest))))
    assert shown(manifest, sample(manifest, size)) == everything
    assert shown(manifest, sample(manifest, size + 1)) == everything


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 20, 1_000])
def test_a_sample_is_so_many_different_tasks_in_order(name: str, size: int) -> None:
    manifest = job(SAMPLED[name][0], files=FILES)
    found = sample(manifest, size)
    assert len(found) == min(size, len(manifest))
    assert found == sorted(set(found))
    assert all(0 <= index < len(manifest) for index in found)
    assert found == sample(job(SAMPLED[name][0], files=FILES), size)


def test_a_few_of_many_prompts_show_every_value_of_a_common_axis() -> None:
    manifest = job("prompts: [a, b, c, d]\nsweep: {seed: [1, 2, 3, 4], output_format: [png, jpeg]}")
    found = [fields(manifest.task(index)) for index in sample(manifest, 4)]
    assert {each["prompt"] for each in found} == {*"abcd"}
    assert {each["seed"] for each in found} == {*"1234"}
    assert {each["output_format"] for each in found} == {"png", "jpeg"}


def test_a_sample_of_millions_is_found_by_arithmetic() -> None:
    manifest = job("prompts: [a, b]\nsweep: {seed: {random: 1000000}, ratios: [1:1, 16:9, 21:9, 2:3, 3:2]}")
    found = sample(manifest, 12)
    assert len(found) == 12
    showing = [fields(manifest.task(index)) for index in found]
    assert len({(sent["prompt"], sent["aspect_ratio"]) for sent in showing}) == 10


AXES = st.fixed_dictionaries(
    {
        "seed": st.lists(st.integers(1, 6), min_size=1, max_size=5, unique=True),
        "aspect_ratio": st.lists(st.sampled_from(["1:1", "16:9", "2:3"]), min_size=1, unique=True),
        "output_format": st.lists(st.sampled_from(["png", "jpeg"]), min_size=1, unique=True),
    }
)
EXCLUDES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"seed": st.integers(1, 6), "aspect_ratio": st.sampled_from(["1:1", "16:9", "2:3"]),
                      "output_format": st.sampled_from(["png", "jpeg"])}
    ).filter(bool),
    max_size=3,
)  # fmt: skip


@given(AXES, EXCLUDES, st.integers(1, 3), st.integers(1, 40))
def test_a_sample_of_any_job_is_within_it_and_shows_all_it_can(
    axes: dict[str, list[object]], excludes: list[dict[str, object]], repeat: int, size: int
) -> None:
    try:
        manifest = job(f"prompts: [a, b]\nrepeat: {repeat}\nsweep: {axes | {'exclude': excludes}}")
    except UsageError as error:
        assert "nothing is left to make" in str(error)  # noqa: PT017 - an exclude may match all there is
        return
    found = sample(manifest, size)
    assert len(found) == min(size, len(manifest))
    assert found == sorted(set(found))
    everything = shown(manifest, list(range(len(manifest))))
    if size >= 2 * sum(len(values) for values in axes.values()):
        assert shown(manifest, found) == everything


@pytest.mark.parametrize("settings", [["seed=1..2"], ["animal=fox"], ["style_preset="], ["seed=3", "model=sd-core"]])
def test_only_finds_by_its_axes_what_a_look_at_every_task_finds(settings: list[str]) -> None:
    manifest = job(JOB)
    part = wanted(manifest, settings)
    assert list(select(manifest, part)) == [task.index for task in manifest if task in part]


def test_only_finds_a_seed_among_a_million_without_looking_at_each() -> None:
    manifest = job("prompts: [a, b]\nsweep: {ratios: [1:1, 16:9], seeds: 1..1000000}\n")
    assert list(select(manifest, wanted(manifest, ["seed=[7, 1000000]"]))) == [
        start + seed for start in range(0, 4_000_000, 1_000_000) for seed in (6, 999_999)
    ]
