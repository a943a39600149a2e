"""What a job writes for an axis -> its values: lists, inclusive ranges by decimal arithmetic, even spacing, errors."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from job_texts import column, job, only_error

from batchgen.errors import ManifestError
from batchgen.manifest.seeds import DerivedSeed, DerivedSeeds
from batchgen.manifest.sequences import Chain, Even, Lazy, Steps


def seeds(spec: str) -> list[str | None]:
    """The seeds that an axis of a job gives."""
    return column(job(f"prompts: [a]\nsweep:\n  seed: {spec}\n"), "seed")


def strengths(spec: str) -> list[str | None]:
    """The strengths that an axis of a job gives."""
    return column(job(f"prompts: [a]\ndefaults: {{image: a.png}}\nsweep:\n  strength: {spec}\n"), "strength")


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("7", "7"),
        ("[7]", "7"),
        ("[3, 1, 2]", "3 1 2"),
        ("[3, 1, 3, 1]", "3 1"),
        ("1..4", "1 2 3 4"),
        ("'1..4'", "1 2 3 4"),
        ("4..4", "4"),
        ("0..10:5", "0 5 10"),
        ("0..11:5", "0 5 10"),
        ("0..100:100", "0 100"),
        ("4..1:-1", "4 3 2 1"),
        ("4294967290..4294967294:2", "4294967290 4294967292 4294967294"),
        ("1.0..2.0", "1 2"),
        ("[1..3, 7, 10..20:5]", "1 2 3 7 10 15 20"),
        ("[1..3, 2..4]", "1 2 3 4"),
        ("{range: {from: 1, to: 9, step: 4}}", "1 5 9"),
        ("{range: {from: 1, to: 3}}", "1 2 3"),
        ("[{range: {from: 1, to: 2}}, 9]", "1 2 9"),
        ("{linspace: {from: 0, to: 10, count: 3}}", "0 5 10"),
        ("{linspace: {from: 10, to: 0, count: 3}}", "10 5 0"),
        ("0x10", "16"),
    ],
)
def test_each_form_of_whole_numbers(spec: str, values: str) -> None:
    assert seeds(spec) == values.split()


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("0.2..0.8:0.2", "0.2 0.4 0.6 0.8"),
        ("0..1:0.25", "0 0.25 0.5 0.75 1"),
        ("0..1:0.1", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"),
        ("0.1..0.3:0.1", "0.1 0.2 0.3"),
        ("0..1:0.3", "0 0.3 0.6 0.9"),
        (".5..1.:.5", "0.5 1"),
        ("0..1", "0 1"),
        ("1..0:-0.5", "1 0.5 0"),
        ("[0.50, 0.5, 5e-1]", "0.5"),
        ("1e-3", "0.001"),
        ("{range: {from: 0.2, to: 0.8, step: 0.2}}", "0.2 0.4 0.6 0.8"),
        ("{linspace: {from: 0, to: 1, count: 5}}", "0 0.25 0.5 0.75 1"),
        ("{linspace: {from: 0, to: 1, count: 11}}", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"),
    ],
)
def test_each_form_of_decimals(spec: str, values: str) -> None:
    assert strengths(spec) == values.split()


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 10, 12, 14, 31, 100])
def test_even_spacing_holds_both_its_ends(count: int) -> None:
    found = strengths(f"{{linspace: {{from: 0, to: 1, count: {count}}}}}")
    assert len(found) == count
    assert (found[0], found[-1]) == ("0", "1")


@given(st.integers(0, 90), st.integers(1, 30), st.integers(1, 10))
@example(20, 20, 4)
def test_a_range_of_decimals_is_exact_and_holds_its_end(first: int, step: int, count: int) -> None:
    hundredths = [first + step * number for number in range(count) if first + step * number <= 100]
    spec = f"{hundredths[0] / 100:.2f}..{hundredths[-1] / 100:.2f}:{step / 100:.2f}"
    assert [Decimal(value or "") for value in strengths(spec)] == [Decimal(each) / 100 for each in hundredths]


def test_a_null_among_values_leaves_the_field_out() -> None:
    manifest = job("prompts: [a]\nsweep: {aspect_ratio: [null, 16:9]}")
    assert column(manifest, "aspect_ratio") == [None, "16:9"]


def test_a_range_is_text_where_the_field_is_text() -> None:
    assert column(job("prompts: [a]\nsweep: {negative_prompt: [1..3, '2']}"), "negative_prompt") == ["1..3", "2"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("[]", "3:9: sweep.seed: an axis without values; give it one, or remove it"),
        ("x", "3:9: sweep.seed: 'x' is not a value of seed; accepted: a whole number from 0 to 4294967294"),
        ("-1", "3:9: sweep.seed: -1 is not a value of seed; accepted: a whole number"),
        ("4294967295", "3:9: sweep.seed: 4294967295 is not a value of seed"),
        ("1.5", "3:9: sweep.seed: 1.5 is not a value of seed"),
        ("true", "3:9: sweep.seed: true is not a value of seed"),
        ("[1, 2, x, 4]", "3:16: sweep.seed[2]: 'x' is not a value of seed"),
        ("[1, [2]]", "3:13: sweep.seed[1]: [2] is not a value of seed"),
        ("4..1", "3:9: sweep.seed: the range 4..1 by 1 holds nothing; accepted: first..last or first..last:step"),
        ("1..4:0", "3:9: sweep.seed: the range 1..4 by 0 holds nothing"),
        ("1..4:-1", "3:9: sweep.seed: the range 1..4 by -1 holds nothing"),
        ("1..4:0.5", "3:9: sweep.seed: 0.5 is not a whole number; seed takes whole numbers"),
        ("0.5..4", "3:9: sweep.seed: 0.5 is not a whole number; seed takes whole numbers"),
        ("-1..4", "3:9: sweep.seed: -1 is not a value of seed; accepted: a whole number from 0 to"),
        ("1..4294967295", "3:9: sweep.seed: 4294967295 is not a value of seed; accepted: a whole number from 0 to"),
        ("1..", "3:9: sweep.seed: '1..' is not a value of seed"),
        ("'1..4:'", "3:9: sweep.seed: '1..4:' is not a value of seed"),
        ("[1..4, 9..5]", "3:16: sweep.seed[1]: the range 9..5 by 1 holds nothing"),
        (
            "{random: 0}",
            "3:9: sweep.seed: {random: 0} names no values; accepted: {random: count} with a count from 1 to 42",
        ),
        ("{random: x}", "3:9: sweep.seed: {random: x} names no values"),
        ("{random: 4294967295}", "3:9: sweep.seed: {random: 4294967295} names no values"),
        ("{rand: 3}", "3:9: sweep.seed: {rand: 3} names no values; did you mean 'random'? accepted: {random: count}"),
        ("{random: 3, range: 4}", "3:9: sweep.seed: {random: 3, range: 4} names no values"),
        ("{range: {from: 1}}", "3:9: sweep.seed: {range: {from: 1}} names no values"),
        ("{range: {from: 1, to: x}}", "3:9: sweep.seed: {range: {from: 1, to: x}} names no values"),
        ("{linspace: {from: 1, to: 2, count: 1}}", "3:9: sweep.seed: {linspace: {from: 1, to: 2, count: 1}}"),
        (
            "{linspace: {from: 0, to: 2, count: 1}}",
            (
                "3:9: sweep.seed: {linspace: {from: 0, to: 2, count: 1}} names no values; "
                "accepted: {linspace: {from, to, count}} of numbers with a count from 2 to 1000000"
            ),
        ),
        ("{range: {from: 1}, step: '2'}", "3:9: sweep.seed: {range: {from: 1}, step: '2'} names no values"),
        ("{random: [~, true, 1e3, a b]}", "3:9: sweep.seed: {random: [null, true, 1000, 'a b']} names no values"),
        ("-1e3", "3:9: sweep.seed: -1000 is not a value of seed"),
        ("{linspace: {from: 0, to: 10, count: 4}}", "3:9: sweep.seed: 3.333333333333333333333333333 is not a whole"),
    ],
)
def test_what_gives_no_seeds_is_one_error_at_its_place(spec: str, said: str) -> None:
    assert only_error(f"prompts: [a]\nsweep:\n  seed: {spec}\n").startswith(said)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("0..1.1:0.1", "1.1 is not a value of strength; accepted: a number from 0 to 1"),
        ("{random: 3}", "{random: 3} names no values of strength; accepted: {range: {from, to, step}} of numbers, {l"),
        ("high", "'high' is not a value of strength; accepted: a number from 0 to 1"),
    ],
)
def test_what_gives_no_strengths(spec: str, said: str) -> None:
    text = f"prompts: [a]\ndefaults: {{image: a.png}}\nsweep:\n  strength: {spec}\n"
    assert only_error(text).startswith(f"4:13: sweep.strength: {said}")


@pytest.mark.parametrize(
    ("bounds", "values"),
    [
        ("from: 0, to: 0.000002, count: 3", ["0", "0.000001", "0.000002"]),
        ("from: 0.999998, to: 1, count: 3", ["0.999998", "0.999999", "1"]),
        ("from: 0.0000005, to: 0.0000035, count: 3", ["0", "0.000002", "0.000004"]),
    ],
)
def test_even_spacing_by_a_millionth_is_as_fine_as_it_gets(bounds: str, values: list[str]) -> None:
    assert strengths(f"{{linspace: {{{bounds}}}}}") == values


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ("from: 0, to: 0.000002, count: 4", "4 numbers from 0 to 0.000002, rounded to 0.000001, are not all different"),
        ("from: 1, to: 0.9, count: 1000000", "1,000,000 numbers from 1 to 0.9, rounded to 0.000001, are not all"),
        ("from: 0.5, to: 0.5, count: 2", "2 numbers from 0.5 to 0.5, rounded to 0.000001, are not all different"),
        # a millionth apart and each halfway between two: 0.0000015 and 0.0000025 are both rounded to 0.000002
        ("from: 0.0000005, to: 0.0000035, count: 4", "4 numbers from 0.0000005 to 0.0000035, rounded to 0.000001"),
        ("from: 0, to: 1e30, count: 3", "a linspace beyond all sizes; accepted: numbers from 0.000000000001 to 10000"),
        ("from: 1e-30, to: 1, count: 3", "a linspace beyond all sizes; accepted: numbers from 0.000000000001 to 10000"),
    ],
)
def test_even_spacing_that_can_t_be_told_apart_is_an_error_at_its_place(bounds: str, said: str) -> None:
    text = f"prompts: ['{{{{x}}}}']\nvars:\n  x: {{linspace: {{{bounds}}}}}\n"
    assert only_error(text).startswith(f"3:6: vars.x: {said}")


@given(st.integers(0, 40), st.integers(-40, 40), st.integers(2, 30))
def test_even_spacing_gives_as_many_values_as_it_counts_or_an_error(first: int, last: int, count: int) -> None:
    ends = [Decimal(each).scaleb(-7) for each in (first, last)]
    spec = f"{{linspace: {{from: {ends[0]:f}, to: {ends[1]:f}, count: {count}}}}}"
    try:
        tasks = list(job(f"prompts: ['{{{{x}}}}']\nvars:\n  x: {spec}\n"))
    except ManifestError as error:
        said = str(error)
    else:
        assert len({task.variables["x"] for task in tasks}) == count
        return
    assert "are not all different" in said


def test_only_seeds_can_be_random_and_only_numbers_ranged() -> None:
    said = only_error("prompts: [a]\nsweep:\n  style_preset: {range: {from: 1, to: 2}}\n")
    assert said.endswith("names no values of style_preset; accepted: a value, or a list of values")


# Lazy sequences


def test_a_range_of_a_million_values_is_found_by_index_alone() -> None:
    manifest = job("prompts: [a, b]\nsweep: {ratios: [1:1, 16:9], seeds: 1..4294967294}")
    assert len(manifest) == 4 * 4_294_967_294
    last = dict(manifest.task(len(manifest) - 1).request.fields)
    assert (last["prompt"], last["aspect_ratio"], last["seed"]) == ("b", "16:9", "4294967294")


def test_a_million_values_of_several_ranges_stay_ranges() -> None:
    manifest = job("prompts: [a]\nsweep: {seeds: [0..1999999:2, 1..1999999:2, {random: 1000000}]}")
    assert len(manifest) == 3_000_000
    assert [dict(manifest.task(index).request.fields)["seed"] for index in (0, 999_999, 1_000_000, 1_999_999)] == [
        "0",
        "1999998",
        "1",
        "1999999",
    ]


def test_steps_are_a_sequence() -> None:
    steps = Steps(4, Decimal("0.2"), Decimal("0.2"))
    assert list(steps) == ["0.2", "0.4", "0.6", "0.8"]
    assert (len(steps), steps[-1], steps[1:3], "0.6" in steps) == (4, "0.8", ["0.4", "0.6"], True)
    for outside in (4, -5):
        with pytest.raises(IndexError):
            steps[outside]


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=6))
def test_a_chain_is_its_pieces_one_after_the_other(pieces: list[list[int]]) -> None:
    flat = [value for piece in pieces for value in piece]
    chain = Chain.of(pieces)
    assert list(chain) == flat
    assert [chain[number - len(flat)] for number in range(len(flat))] == flat


NUMBERS = st.sampled_from(["0", "1", "-2", "2.5", "0.3", "1e1", "01", "x", "nan", "9" * 60]) | st.integers(-20, 20).map(
    str
)
EVEN = st.builds(
    lambda size, first, last: Even(size, Decimal(first).scaleb(-7), Decimal(last).scaleb(-7)),
    st.integers(2, 30),
    st.integers(-40, 40),
    st.integers(-40, 40),
)
STEPS = st.builds(
    lambda size, first, step, places: Steps(size, Decimal(first).scaleb(-places), Decimal(step).scaleb(-places)),
    st.integers(1, 30),
    st.integers(-20, 20),
    st.integers(-5, 5).filter(bool),
    st.integers(0, 3),
)
PIECE = STEPS | EVEN | st.lists(NUMBERS, max_size=4)


@given(st.lists(PIECE, max_size=4), NUMBERS | st.none())
@example([Steps(3, 4, -2), Steps(3, 4, -2)], "2")
def test_a_value_is_found_at_every_index_that_holds_it(pieces: list[Lazy[str] | list[str]], value: str | None) -> None:
    chain = Chain.of(pieces)
    for wanted in {value, *chain}:
        assert chain.positions(wanted) == [index for index, each in enumerate(chain) if each == wanted]
        assert (wanted in chain) == (wanted in list(chain))


def test_a_derived_seed_is_found_by_its_place() -> None:
    derived = DerivedSeeds(10**6)
    assert [derived.positions(each) for each in (DerivedSeed(7), DerivedSeed(10**6), "7")] == [[7], [], []]
