"""`include` and `exclude` mean what they mean in a GitHub Actions matrix."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from job_texts import column, job, only_error, rows

from batchgen.errors import UsageError

Combination = dict[str, str]

# The fruit and animal example of "Running variations of jobs in a workflow", its six combinations in their order.
FRUIT = """\
prompts: ["{{fruit}}, {{animal}}, {{color}}, {{shape}}"]
vars: {animal: no animal, color: no color, shape: no shape}
sweep:
  fruit: [apple, pear]
  animal: [cat, dog]
  include:
    - color: green
    - color: pink
      animal: cat
    - fruit: apple
      shape: circle
    - fruit: banana
    - fruit: banana
      animal: cat
"""
SIX = [
    "apple, cat, pink, circle",
    "apple, dog, green, circle",
    "pear, cat, pink, no shape",
    "pear, dog, green, no shape",
    "banana, no animal, no color, no shape",
    "banana, cat, no color, no shape",
]


def test_the_documented_example_gives_its_six_combinations() -> None:
    manifest = job(FRUIT)
    assert column(manifest, "prompt") == SIX
    assert manifest.warnings == ()
    assert column(job(FRUIT.replace("vars: {", "vars: {fruit: no fruit, ")), "prompt") == SIX


# The rules by themselves, done by force.


def by_github(
    axes: dict[str, list[str]], includes: list[Combination], excludes: list[Combination]
) -> list[Combination]:
    """The combinations of a matrix as GitHub describes them."""
    originals = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    originals = [each for each in originals if not any(entry.items() <= each.items() for entry in excludes)]
    made, new = [dict(each) for each in originals], []
    for entry in includes:
        taken = False
        for original, combination in zip(originals, made, strict=True):
            if all(original.get(name, value) == value for name, value in entry.items()):
                combination.update(entry)
                taken = True
        if not taken:
            new.append(dict(entry))
    return made + new


NAMES = ["a", "b", "c", "d"]
VALUES = st.sampled_from(["1", "2", "3"])
ENTRIES = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1), max_size=4)
AXES = st.dictionaries(st.sampled_from(NAMES[:3]), st.lists(VALUES, min_size=1, unique=True), min_size=1)


@given(AXES, ENTRIES, ENTRIES)
@example({"a": ["1"]}, [{"b": "1"}, {"a": "2"}, {"b": "2", "a": "1"}], [])
@example({"a": ["1", "2"]}, [{"a": "1", "d": "1"}], [{"a": "1"}])
@example({"a": ["1"]}, [{"d": "3"}], [{"a": "1"}])
def test_any_matrix_is_github_s(
    axes: dict[str, list[str]], includes: list[Combination], excludes: list[Combination]
) -> None:
    matrix: dict[str, Any] = axes | {"include": includes, "exclude": [entry for entry in excludes if entry]}
    text = f"""\
prompts: ["{" ".join(f"{{{{{name}}}}}" for name in NAMES)}"]
vars: {{a: none, b: none, c: none, d: none}}
sweep: {matrix}
"""
    expected = [" ".join(each.get(name, "none") for name in NAMES) for each in by_github(axes, includes, excludes)]
    if not expected:
        with pytest.raises(UsageError, match="nothing is left to make"):
            job(text)
    else:
        assert column(job(text), "prompt") == expected


# On the fields of a request


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("seed: [1, 2], ratios: [1:1, 2:3], exclude: [{seed: 1}]", ["2 1:1", "2 2:3"]),
        ("seed: [1, 2], ratios: [1:1, 2:3], exclude: [{seeds: 1, aspect_ratio: 2:3}]", ["1 1:1", "2 1:1", "2 2:3"]),
        ("seed: 1..3, exclude: [{seed: 1}, {seed: 3}, {seed: 3}]", ["2 -"]),
        ("seed: 1..3, exclude: [{seed: 1}], include: [{seed: 1}]", ["2 -", "3 -", "1 -"]),
        ("seed: [1, 2], include: [{ratios: 1:1}]", ["1 1:1", "2 1:1"]),
        ("seed: [1, 2], include: [{ratios: 1:1}, {ratios: 2:3, seed: 2}]", ["1 1:1", "2 2:3"]),
        ("seed: [1, 2], include: [{seed: 3}]", ["1 -", "2 -", "3 -"]),
        ("seed: [1, 2], include: [{seed: 3}, {seed: 3, ratios: 1:1}]", ["1 -", "2 -", "3 -", "3 1:1"]),
        ("include: [{seed: 3}]", ["3 -"]),
        ("seed: {random: 2}, exclude: [{seed: 5}], include: [{seed: 5}]", ["3574942083 -", "182633087 -", "5 -"]),
        ("seed: [1, 2], include: [], exclude: []", ["1 -", "2 -"]),
    ],
)
def test_each_rule(sweep: str, expected: list[str]) -> None:
    assert rows(job(f"prompts: [a]\nsweep: {{{sweep}}}"), "seed", "aspect_ratio") == expected


def test_an_exclude_of_what_is_not_sent_matches_where_the_field_is_left_out() -> None:
    text = "prompts: [a]\nsweep: {ratios: [~, 1:1], exclude: [{aspect_ratio: ~}]}"
    assert column(job(text), "aspect_ratio") == ["1:1"]


PINNED = """\
presets: {{wide: {{aspect_ratio: 16:9}}}}
prompts: [{}]
sweep: {{seed: [1, 2], {}}}
"""


@pytest.mark.parametrize(
    ("prompt", "matrix", "expected"),
    [
        ("{prompt: a, model: sd-core}", "exclude: [{model: sd-core, seed: 1}]", ["sd-core 2 -"]),
        ("{prompt: a, preset: wide}", "exclude: [{aspect_ratio: 16:9, seed: 1}]", ["sd3-large 2 16:9"]),
        ("{prompt: a, seed: 7}", "exclude: [{seed: 7}, {seed: 1}]", []),
        ("{prompt: a, model: sd-core}", "include: [{model: sd-core, ratios: 1:1}]", ["sd-core 1 1:1", "sd-core 2 1:1"]),
        ("{prompt: a, model: sd-core}", "include: [{model: sd3-large, ratios: 1:1}]", ["sd-core 1 -", "sd-core 2 -"]),
        ("{prompt: a, preset: wide}", "include: [{ratios: 1:1}]", ["sd3-large 1 16:9", "sd3-large 2 16:9"]),
        ("{prompt: a, seed: 7}", "include: [{seed: 9}]", ["sd3-large 7 -"]),
        ("{prompt: a, seed: 7}", "include: [{seed: 7, ratios: 1:1}]", ["sd3-large 7 1:1"]),
    ],
    ids=["exclude", "exclude preset", "exclude pin", "add", "contradict", "contradict preset", "other seed", "seed"],
)
def test_both_act_on_what_a_prompt_pins(prompt: str, matrix: str, expected: list[str]) -> None:
    manifest = job(PINNED.format(f"{prompt}, {{prompt: z, seed: 8}}", matrix))
    assert [row for row, text in zip(rows(manifest, "model", "seed", "aspect_ratio"), column(manifest, "prompt"),
            strict=True) if text == "a"] == expected  # fmt: skip


def test_an_include_stands_over_defaults_and_an_exclude_sees_them() -> None:
    text = "prompts: [a]\ndefaults: {aspect_ratio: 1:1}\nsweep: {seed: [1, 2], "
    assert rows(job(text + "include: [{aspect_ratio: 2:3, seed: 2}]}"), "seed", "aspect_ratio") == ["1 1:1", "2 2:3"]
    assert rows(job(text + "exclude: [{aspect_ratio: 1:1, seed: 2}]}"), "seed", "aspect_ratio") == ["1 1:1"]


def test_a_prompt_s_own_matrix_stands_beside_the_job_s() -> None:
    text = """\
        prompts:
          - prompt: a
            sweep: {ratios: [1:1, 2:3], exclude: [{ratios: 1:1, seed: 1}], include: [{ratios: 9:16}]}
          - b
        sweep: {seed: 1..3, exclude: [{seed: 2}], include: [{formats: jpeg}]}
    """
    assert rows(job(text), "prompt", "seed", "aspect_ratio", "output_format") == [
        "a 1 2:3 jpeg", "a 3 1:1 jpeg", "a 3 2:3 jpeg", "a 3574942083 9:16 -", "b 1 - jpeg", "b 3 - jpeg",
    ]  # fmt: skip


# A new combination


def test_a_new_combination_takes_no_value_of_the_axes_but_those_of_less_specific_sources() -> None:
    text = """\
        prompts: [a]
        defaults: {aspect_ratio: 1:1}
        sweep: {model: [sd3-large, sd3-large-turbo], ratios: [2:3], seed: 1..2, include: [{model: sd-core}]}
    """
    assert rows(job(text), "model", "aspect_ratio", "seed")[-1] == "sd-core 1:1 3574942083"
    assert len(job(text)) == 5


def test_it_runs_through_variables_and_zips() -> None:
    text = """\
        vars: {animal: [fox, owl]}
        prompts:
          - prompt: a {{animal}}
            zip: [{aspect_ratio: [1:1, 2:3], output_format: [png, jpeg]}]
        sweep: {seed: [1, 2], include: [{seed: 3}, {seed: 4, ratios: 9:16}, {seed: 5, animal: cat}]}
    """
    found = rows(job(text), "prompt", "aspect_ratio", "output_format", "seed")
    assert found[8:] == [
        "a fox 1:1 png 3", "a fox 2:3 jpeg 3", "a owl 1:1 png 3", "a owl 2:3 jpeg 3",
        "a fox 9:16 png 4", "a fox 9:16 jpeg 4", "a owl 9:16 png 4", "a owl 9:16 jpeg 4",
        "a cat 1:1 png 5", "a cat 2:3 jpeg 5",
    ]  # fmt: skip


def test_its_model_decides_what_it_may_hold() -> None:
    right = "prompts: [a]\nsweep: {seed: [1], include: [{model: sd-core, style_preset: anime, seed: 2}]}"
    assert rows(job(right), "model", "style_preset", "seed") == ["sd3-large - 1", "sd-core anime 2"]
    wrong = "prompts: [a]\nsweep:\n  seed: [1]\n  include: [{style_preset: anime, seed: 2}]"
    assert only_error(wrong).startswith("4:28: sweep.include[0].style_preset: sd3-large does not take style_preset;")


def test_its_template_names_variables_too() -> None:
    text = "prompts: [a]\nvars: {x: [cat, dog]}\nsweep: {include: [{negative_prompt: 'no {{x}}'}]}"
    assert column(job(text), "negative_prompt") == ["no cat", "no dog"]


# Warnings


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("prompts: [a]\nsweep: {seed: [1], exclude: [{seed: 2}]}", ["2:30"]),
        ("prompts: [{prompt: a, seed: 2}, b]\nsweep: {seed: [1], exclude: [{seed: 2}]}", []),
        ("prompts: [a]\nsweep: {seed: [1, 3], exclude: [{seed: 2}, {seed: 3}, {model: sd-core}]}", ["2:33", "2:55"]),
        ("prompts: [a]\nsweep: {seed: [1, 2], exclude: [{seed: 2}, {seed: 2, model: sd3-large}]}", []),
        ("prompts: [{prompt: a, sweep: {seed: [1], exclude: [{seed: 2}]}}]", ["1:52"]),
        ("prompts: [a]\nsweep: {seed: [1], include: [{seed: 2}]}", []),
    ],
    ids=["none", "one prompt", "two of three", "twice", "a prompt's own", "include"],
)
def test_an_exclude_that_no_prompt_matches_is_warned_of(text: str, places: list[str]) -> None:
    warnings = job(text).warning_lines()
    assert [line.removeprefix("jobs/animals.yaml:").split(": ")[0] for line in warnings] == places
    assert all(line.endswith(": this exclude matches no combination; remove or mend it") for line in warnings)
