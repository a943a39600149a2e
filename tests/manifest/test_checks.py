"""Which combinations are looked at: each kind of them that is left, whatever other axes there are."""

from __future__ import annotations

import pytest
from job_texts import errors, job, only_error, problems, rows

SWITCHES = "prompts: ['{{x}} {{y}}']\nvars: {x: [a, b], y: [c, d]}\n"


@pytest.mark.parametrize("model", ["sd3-large", "sd3-large-turbo"])
def test_a_misfit_is_looked_for_only_where_combinations_are_left(model: str) -> None:
    text = "prompts: [a]\nsweep: {model: [sd-core, %s], style_preset: [~, anime], exclude: [%s]}"
    excluded = f"{{model: {model}, style_preset: anime}}"
    assert len(job(text % (model, excluded))) == 3
    assert f"{model} does not take style_preset" in only_error(text % (model, "{seed: 1}"))


def test_a_misfit_that_several_excludes_together_cut_out_is_none() -> None:
    text = SWITCHES + "sweep: {style_preset: [~, anime], exclude: [%s]}"
    both = "{style_preset: anime, x: a}, {style_preset: anime, x: b}"
    assert len(job(text % both)) == 4
    assert "does not take style_preset" in only_error(text % "{style_preset: anime, x: a}")


def test_each_include_that_makes_a_misfit_is_said() -> None:
    text = "prompts: [a]\nsweep:\n  seed: 1..9\n  include:\n"
    text += "".join(f"    - {{seed: {seed}, style_preset: anime}}\n" for seed in (2, 4, 9))
    assert [line.split(":")[0] for line in errors(text)] == ["5", "6", "7"]


def test_a_later_include_mends_an_earlier_one() -> None:
    text = "prompts: [a]\nsweep: {seed: 1..3, include: [{style_preset: anime, seed: 2}, {style_preset: ~, seed: %d}]}"
    assert rows(job(text % 2), "seed", "style_preset") == ["1 -", "2 -", "3 -"]
    assert "does not take style_preset" in only_error(text % 1)


def test_what_an_include_makes_a_misfit_can_be_skipped() -> None:
    text = SWITCHES + "skip_invalid: true\nsweep: {seed: 1..9, include: [{x: a, seed: 4, style_preset: anime}]}"
    manifest = job(text)
    assert len(manifest) == 4 * 9 - 2
    assert "a c 4 anime" not in rows(manifest, "prompt", "seed", "style_preset")


def test_at_most_a_hundred_misspelt_keys_are_said() -> None:
    assert len(problems("prompts: [a]\n" + "".join(f"naem{number}: 1\n" for number in range(500)))) == 100


LONG = "z" * 6_000
TWO_LONG = "prompts: ['{{x}} {{y}}']\nvars: {x: [a, LONG], y: [b, LONG]}\n".replace("LONG", LONG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TWO_LONG, "prompt has 12,001 characters"),
        ("prompts: ['{{x}}']\nvars: {x: ['', a]}", "prompt has 0 characters"),
        (
            "prompts: [a]\ndefaults: {negative_prompt: '{{x}}{{x}}'}\nvars: {x: " + LONG + "}",
            "negative_prompt has 12,000",
        ),
    ],
    ids=["long", "empty", "negative"],
)
def test_a_template_that_does_not_fit_once_it_is_filled_in(text: str, said: str) -> None:
    assert f"once its variables are filled in, {said}" in only_error(text)


def test_only_a_filling_that_is_left_is_looked_at() -> None:
    exclude = "sweep: {exclude: [{x: LONG, y: LONG}]}"
    assert len(job(TWO_LONG + exclude.replace("LONG", LONG))) == 3
    assert len(job("prompts: ['{{n}}']\nvars: {n: 1..1000000}")) == 1_000_000


def test_prompts_of_a_text_alone_share_their_combinations() -> None:
    prompts = job("prompts: [a, b, {prompt: c, id: see}, '{{x}}', {prompt: d, seed: 1}]\nvars: {x: y}").prompts
    cases = [prompt.rows.case(0) for prompt in prompts]
    assert cases[0] is cases[1] is cases[2]
    assert len({id(case) for case in cases}) == 3
    assert [prompt.rows.text(0) for prompt in prompts] == ["a", "b", "c", "{{x}}", "d"]


def test_what_is_wrong_with_texts_is_said_of_each() -> None:
    assert [line.split(": ")[0] for line in errors("prompts:\n  - a {{x}}\n  - b {{x}}\n")] == ["2:5", "3:5"]


def test_a_huge_mixed_axis_costs_nothing_to_check() -> None:
    assert len(job("prompts: ['{{x}}']\nvars: {x: [1..100000000, a]}")) == 100_000_001


def test_mixed_lists_beyond_a_million_values_are_not_written_down() -> None:
    entries = "".join(f"  - {{prompt: a{number}, sweep: {{seed: [1..999998, 5]}}}}\n" for number in range(50))
    assert len(job("prompts:\n" + entries)) == 999_998 + 49 * 999_999


def test_more_ranges_than_can_be_looked_through_are_refused() -> None:
    ranges = ", ".join(f"{number * 2_000}..{number * 2_000 + 1_500}" for number in range(1_001))
    assert "more than 1,000 ranges in one axis" in only_error(f"prompts: [a]\nsweep: {{seed: [{ranges}]}}")
