"""`--set key=value` puts a value into the job's place, and is itself the place of what is wrong with it."""

from __future__ import annotations

import pytest
from job_texts import column, fields, ids, job, rows

from batchgen.errors import ManifestError, UsageError

JOB = """\
name: night
provider: {kind: sandbox, timeout: 10s}
defaults: {model: sd3-large}
sweep: {seed: [1, 2]}
prompts:
  - a fox
  - {prompt: an owl, aspect_ratio: 1:1}
"""


def with_set(*settings: str, text: str = JOB) -> list[str]:
    """The tasks of a job with these settings, in short."""
    return rows(job(text, overrides=settings), "prompt", "model", "seed", "aspect_ratio")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("defaults.model=sd-core",
         ["a fox sd-core 1 -", "a fox sd-core 2 -", "an owl sd-core 1 1:1", "an owl sd-core 2 1:1"]),
        ("sweep.seed=[7]", ["a fox sd3-large 7 -", "an owl sd3-large 7 1:1"]),
        ("sweep.seed=7..8",
         ["a fox sd3-large 7 -", "a fox sd3-large 8 -", "an owl sd3-large 7 1:1", "an owl sd3-large 8 1:1"]),
        ("sweep={seed: 3}", ["a fox sd3-large 3 -", "an owl sd3-large 3 1:1"]),
        ("sweep=", ["a fox sd3-large 3574942083 -", "an owl sd3-large 3574942083 1:1"]),
        ("prompts=[a cat]", ["a cat sd3-large 1 -", "a cat sd3-large 2 -"]),
        ("prompts.1.seed=9", ["a fox sd3-large 1 -", "a fox sd3-large 2 -", "an owl sd3-large 9 1:1"]),
        ("prompts.1.aspect_ratio=16:9",
         ["a fox sd3-large 1 -", "a fox sd3-large 2 -", "an owl sd3-large 1 16:9", "an owl sd3-large 2 16:9"]),
        (" sweep.seed = 7", ["a fox sd3-large 7 -", "an owl sd3-large 7 1:1"]),
    ],
)  # fmt: skip
def test_a_setting_takes_the_place_of_the_job_s_value(setting: str, expected: list[str]) -> None:
    assert with_set(setting) == expected


def test_a_setting_makes_the_places_that_are_not_there() -> None:
    manifest = job("prompts: [a]", overrides=["provider.timeout=7s", "presets.p.seed=4", "retry.attempts=2"])
    assert (manifest.settings.timeout_s, manifest.retry.attempts) == (7, 2)


def test_the_last_of_two_settings_stands() -> None:
    assert column(job("prompts: [a]", overrides=["defaults.seed=1", "defaults.seed=2"]), "seed") == ["2"]


def test_a_setting_is_the_same_as_its_value_in_the_job() -> None:
    assert ids(job(JOB, overrides=["seed_root=7", "sweep.seed={random: 3}"])) == ids(
        job(JOB.replace("seed: [1, 2]", "seed: {random: 3}") + "seed_root: 7\n")
    )


def test_a_prompt_is_its_source_text_here_too() -> None:
    assert fields(job("prompts: [a]", overrides=["prompts.0='2024'"]).task(0))["prompt"] == "2024"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed_root", "--set seed_root: no key=value; accepted: such as defaults.model=sd-core or seed_root=7"),
        ("=7", "--set =7: no key=value"),
        ("sweep..seed=7", "--set sweep..seed=7: no key=value"),
        ("name=[a", "--set name=[a: not YAML: "),
        ("name=a: b: c", "--set name=a: b: c: not YAML: "),
        ("name=!x y", "--set name=!x y: the tag !x has no meaning in a job"),
        ("name=*x", "--set name=*x: the alias *x stands before its anchor"),
        ("sweep={seed: 1, seed: 2}", "--set sweep={seed: 1, seed: 2}: the key stands twice"),
        ("name=a\nseed_root: 7", "--set name=a\nseed_root: 7: more than one value; give --set once for each"),
        ("prompts.2=a", "--set prompts.2: no such entry; the list has 2, counted from 0"),
        ("prompts.x=a", "--set prompts.x: no such entry; the list has 2, counted from 0"),
        ("prompts.9.seed=1", "--set prompts.9: there is no such place in the job"),
        ("prompts.0.seed=1", "--set prompts.0.seed: nothing to set there; the job has a single value in its place"),
        ("name.x=1", "--set name.x: nothing to set there; the job has a single value in its place"),
        ("name.x.y=1", "--set name.x: there is no such place in the job; name keys and, in lists, numbers from 0"),
    ],
)
def test_what_can_t_be_set_is_told(setting: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        job(JOB, overrides=[setting])
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("naem=x", "job.yaml: --set naem: unknown key 'naem'; did you mean 'name'?"),
        ("sweep.sed=1", "job.yaml: --set sweep.sed: unknown key 'sed'; did you mean 'seed'?"),
        ("sweep.seed=x", "job.yaml: --set sweep.seed: 'x' is not a value of seed"),
        ("sweep.seed=[1, x]", "job.yaml: --set sweep.seed[1]: 'x' is not a value of seed"),
        ("version=2", "job.yaml: --set version: not accepted; accepted: 1"),
        ("defaults.style_preset=anime", "job.yaml: --set defaults.style_preset: sd3-large does not take style_preset;"),
        ("prompts.1.id=7", "job.yaml: --set prompts[1].id: not text; accepted: text; quote it"),
    ],
)
def test_what_is_wrong_with_a_setting_is_told_at_the_setting(setting: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        job(JOB, overrides=[setting], file="job.yaml")
    assert str(caught.value).startswith(said)
    assert "\n" not in caught.value.render()


@pytest.mark.parametrize("text", ["", "just text", "[a]"])
def test_a_job_that_is_no_mapping_can_t_be_set(text: str) -> None:
    with pytest.raises(UsageError):
        job(text, overrides=["name=x"])
