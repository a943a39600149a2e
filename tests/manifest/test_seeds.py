"""Derived seeds: different, in bounds, the same for good, and independent of whatever else a job holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import column, fields, job

from batchgen.manifest.reading.units import MOST_SEEDS as MOST
from batchgen.manifest.seeds import DerivedSeed, DerivedSeeds, derive

MODES = ["shared", "per_prompt", "per_task"]

# Frozen: a change here would give every job other seeds, and buy all its pictures again.
GOLDEN = {
    '[0,"shared"]': [3574942083, 182633087, 2933219470, 309539494, 1326848457, 3818311601],
    '[42,"shared"]': [1676694217, 4237427347, 1504635654, 1915903008, 3224593737, 992451202],
    '[0,"per_prompt","a-q2ab6f"]': [1631257886, 1582140369, 2822624850, 833805330, 395761725, 3655603236],
    "": [3124171917, 2769284138, 3760315624, 1407462453, 1646359606, 4274061308],
}
GOLDEN_JOB = {
    "shared": [1676694217, 4237427347, 1676694217, 4237427347, 1676694217, 4237427347, 1676694217, 4237427347],
    "per_prompt": [3098180792, 1275386624, 3098180792, 1275386624, 2938971539, 1171231028, 2938971539, 1171231028],
    "per_task": [3543410033, 487245097, 1750121216, 2216864330, 2649991556, 955888746, 649576668, 1380677554],
}


@pytest.mark.parametrize("key", GOLDEN)
def test_a_seed_is_the_same_for_good(key: str) -> None:
    assert [derive(key, index) for index in (0, 1, 2, 7, 199_999, MOST - 1)] == GOLDEN[key]


@pytest.mark.parametrize("mode", MODES)
def test_the_seeds_of_a_job_are_the_same_for_good(mode: str) -> None:
    manifest = job(f"""\
        seed_root: 42
        seed_mode: {mode}
        prompts: [a red fox, an owl]
        sweep: {{aspect_ratio: [1:1, 16:9], seed: {{random: 2}}}}
    """)
    assert column(manifest, "seed") == [str(seed) for seed in GOLDEN_JOB[mode]]


def test_seeds_are_all_different_and_in_bounds() -> None:
    seeds = {derive("[7]", index) for index in range(100_000)}
    assert len(seeds) == 100_000
    assert min(seeds) >= 1
    assert max(seeds) <= 4_294_967_294


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, MOST - 1), st.integers(0, MOST - 1))
def test_two_indices_never_give_one_seed(key: str, one: int, other: int) -> None:
    first, second = derive(key, one), derive(key, other)
    assert 1 <= first <= MOST
    assert (first == second) == (one == other)


def test_seeds_spread_over_their_whole_range() -> None:
    seeds = [derive("[7]", index) for index in range(20_000)]
    for bit in range(32):
        ones = sum(seed >> bit & 1 for seed in seeds)
        assert 9_500 < ones < 10_500


def test_other_keys_give_other_seeds() -> None:
    assert not {derive("[0]", index) for index in range(1_000)} & {derive("[1]", index) for index in range(1_000)}


def test_more_seeds_begin_with_the_seeds_of_fewer() -> None:
    assert list(DerivedSeeds(100))[:8] == list(DerivedSeeds(8))
    few, more = (column(job(f"prompts: [a]\nsweep: {{seed: {{random: {count}}}}}"), "seed") for count in (8, 100))
    assert more[:8] == few


def test_the_largest_number_of_seeds_costs_nothing_to_hold() -> None:
    seeds = DerivedSeeds(MOST)
    assert len(seeds) == MOST
    assert seeds[-1] == seeds[MOST - 1] == DerivedSeed(MOST - 1)
    manifest = job(f"prompts: [a]\nsweep: {{seed: {{random: {MOST}}}}}")
    assert len(manifest) == MOST
    assert fields(manifest.task(MOST - 1))["seed"] == str(derive('[0,"shared"]', MOST - 1))


def test_a_seed_waits_for_its_task_at_its_place_among_those_of_its_key() -> None:
    assert list(DerivedSeeds(2)) == [DerivedSeed(0), DerivedSeed(1)]


# What they depend on in a job

PLAIN = "{root}\nseed_mode: {mode}\nprompts:\n  - {{id: fox, prompt: a red fox}}\n{more}\nsweep: {{{axes}}}\n"


def seeds_of_fox(
    mode: str, *, axes: str, more: str = "", root: str = "seed_root: 42"
) -> dict[tuple[str, ...], list[str]]:
    """The seeds of one prompt in order, by its tasks' other fields."""
    found: dict[tuple[str, ...], list[str]] = {}
    for task in job(PLAIN.format(mode=mode, axes=axes, more=more, root=root)):
        sent = fields(task)
        if task.prompt_id == "fox":
            found.setdefault((sent["model"], sent.get("aspect_ratio", "")), []).append(sent["seed"])
    return found


AXES = "aspect_ratio: [1:1, 16:9], seed: {random: 3}"


@pytest.mark.parametrize("mode", MODES)
def test_another_prompt_before_or_after_changes_no_seed(mode: str) -> None:
    after = seeds_of_fox(mode, axes=AXES, more="  - an owl\n  - {id: cat, prompt: a red fox}")
    assert after == seeds_of_fox(mode, axes=AXES)
    before = job(
        f"seed_root: 42\nseed_mode: {mode}\nprompts: [an owl, {{id: fox, prompt: a red fox}}]\nsweep: {{{AXES}}}"
    )
    assert column(before, "seed")[6:] == [seed for group in after.values() for seed in group]


@pytest.mark.parametrize("mode", MODES)
def test_the_order_of_axes_and_values_changes_no_seed(mode: str) -> None:
    turned = seeds_of_fox(mode, axes="seed: {random: 3}, aspect_ratio: [16:9, 1:1]")
    assert turned == seeds_of_fox(mode, axes=AXES)


@pytest.mark.parametrize("mode", MODES)
def test_another_value_of_an_axis_changes_no_other_seed(mode: str) -> None:
    more = seeds_of_fox(mode, axes="aspect_ratio: [2:3, 1:1, 16:9, 9:21], seed: {random: 4}")
    for others, seeds in seeds_of_fox(mode, axes=AXES).items():
        assert more[others][:3] == seeds


@pytest.mark.parametrize("mode", ["shared", "per_prompt"])
def test_another_axis_changes_no_seed(mode: str) -> None:
    (seeds,) = seeds_of_fox(mode, axes="seed: {random: 3}").values()
    wider = seeds_of_fox(mode, axes="seed: {random: 3}, model: [sd3-large, sd-core], aspect_ratio: [1:1, 2:3]")
    assert len(wider) == 4
    assert all(each == [seed for seed in seeds] for each in wider.values())  # noqa: C416 - read as what it is


@pytest.mark.parametrize("mode", MODES)
def test_another_root_changes_every_seed(mode: str) -> None:
    one = {seed for seeds in seeds_of_fox(mode, axes=AXES).values() for seed in seeds}
    other = {seed for seeds in seeds_of_fox(mode, axes=AXES, root="seed_root: 43").values() for seed in seeds}
    assert not one & other


@pytest.mark.parametrize(("mode", "different"), [("shared", 3), ("per_prompt", 6), ("per_task", 12)])
def test_a_mode_says_between_which_tasks_seeds_differ(mode: str, different: int) -> None:
    manifest = job(f"seed_mode: {mode}\nprompts: [a, b]\nsweep: {{{AXES}}}")
    assert len(set(column(manifest, "seed"))) == different


def test_per_prompt_seeds_follow_the_prompt_s_id() -> None:
    one = job("seed_mode: per_prompt\nprompts: [{id: x, prompt: a}]")
    same = job("seed_mode: per_prompt\nprompts: [{id: x, prompt: b}]")
    other = job("seed_mode: per_prompt\nprompts: [{id: y, prompt: a}]")
    assert column(one, "seed") == column(same, "seed") != column(other, "seed")


def test_per_task_seeds_follow_the_content_of_an_input_image_not_its_path() -> None:
    text = "seed_mode: per_task\nprompts: [a]\nsweep: {{image: {}, strength: 0.5}}"
    seeds = [column(job(text.format(path)), "seed") for path in ("inputs/a.png", "moved/a.png", "inputs/b.png")]
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize("mode", MODES)
def test_no_seed_given_is_one_derived_seed(mode: str) -> None:
    given_none = job(f"seed_mode: {mode}\nprompts: [a]")
    assert column(given_none, "seed") == column(
        job(f"seed_mode: {mode}\nprompts: [a]\nsweep: {{seed: {{random: 1}}}}"), "seed"
    )


def test_without_a_root_it_is_0() -> None:
    assert column(job("prompts: [a]"), "seed") == column(job("prompts: [a]\nseed_root: 0"), "seed") == ["3574942083"]


def test_seed_0_is_sent_as_it_is() -> None:
    assert column(job("prompts: [a]\ndefaults: {seed: 0}"), "seed") == ["0"]
