"""Combinations by arithmetic: the count, the n-th and the rank are those of the product written down."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.exclusions import Box, Entangled, Positions
from batchgen.manifest.tree import Tree

SIZES = st.lists(st.integers(0, 5), max_size=4)


@st.composite
def cut_products(draw: st.DrawFn) -> tuple[list[int], list[Box]]:
    """The sizes of some axes, and boxes that are cut out of their product; some positions are beyond their axis."""
    sizes = draw(SIZES)
    where = st.builds(Positions, st.frozensets(st.integers(0, 6), max_size=3), st.booleans())
    box = st.dictionaries(st.integers(0, len(sizes) - 1), where, max_size=3) if sizes else st.just({})
    return sizes, draw(st.lists(box, max_size=4))


def written_down(sizes: list[int], boxes: list[Box]) -> list[list[int]]:
    """Every combination that stands in none of the boxes, in order."""
    return [
        list(positions)
        for positions in product(*(range(size) for size in sizes))
        if not any(all(positions[axis] in where for axis, where in box.items()) for box in boxes)
    ]


@given(cut_products())
def test_a_tree_is_the_product_without_its_boxes(job: tuple[list[int], list[Box]]) -> None:
    sizes, boxes = job
    expected = written_down(sizes, boxes)
    tree = Tree(sizes, boxes)
    assert tree.count == len(expected)
    assert [tree.nth(index) for index in range(tree.count)] == expected
    for positions in product(*(range(size) for size in sizes)):
        rank = expected.index(list(positions)) if list(positions) in expected else None
        assert tree.rank(positions) == rank


@given(cut_products(), st.data())
def test_a_tree_is_counted_within_a_box(job: tuple[list[int], list[Box]], data: st.DataObject) -> None:
    sizes, boxes = job
    where = st.builds(Positions, st.frozensets(st.integers(0, 6), max_size=3), st.booleans())
    box = data.draw(st.dictionaries(st.integers(0, len(sizes) - 1), where)) if sizes else {}
    inside = [each for each in written_down(sizes, boxes) if all(each[axis] in box[axis] for axis in box)]
    tree = Tree(sizes, boxes)
    assert tree.count_in(box) == len(inside)
    assert tree.first_in(box) == (inside[0] if inside else None)


@given(st.frozensets(st.integers(0, 4)), st.frozensets(st.integers(0, 4)), st.booleans(), st.booleans())
def test_what_has_a_position_in_common_meets(
    one: frozenset[int],
    other: frozenset[int],
    but: bool,  # noqa: FBT001
    others_but: bool,  # noqa: FBT001
) -> None:
    first, second = Positions(one, but), Positions(other, others_but)
    assert first.meets(second) == any(position in first and position in second for position in range(9))


@given(st.frozensets(st.integers(0, 9)), st.booleans(), st.integers(0, 9))
def test_a_complement_holds_what_the_positions_do_not(named: frozenset[int], all_but: bool, position: int) -> None:  # noqa: FBT001
    where = Positions(named, all_but)
    assert (position in where) != (position in where.complement())
    assert where.complement().complement() == where


HUGE = 10**9
CORNER: Box = {0: Positions(frozenset({0})), 2: Positions(frozenset({0}))}


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([], HUGE**3),
        ([{1: Positions(frozenset({7}))}], HUGE**3 - HUGE**2),
        ([CORNER], HUGE**3 - HUGE),
        ([CORNER, CORNER], HUGE**3 - HUGE),
        ([{axis: Positions(frozenset({HUGE - 1})) for axis in range(3)}], HUGE**3 - 1),
        ([{0: Positions(frozenset({3, 4}), all_but=True)}], 2 * HUGE**2),
        ([{0: Positions(frozenset({3}), all_but=True)}, {2: Positions(frozenset({5}), all_but=True)}], HUGE),
        ([{}], 0),
    ],
)
def test_axes_of_a_thousand_million_are_counted_and_found_by_arithmetic(boxes: list[Box], count: int) -> None:
    tree = Tree([HUGE] * 3, boxes)
    assert tree.count == count
    for index in {0, 1, count // 3, count // 2, count - 1} if count else ():
        assert tree.rank(tree.nth(index)) == index


def test_what_is_cut_out_has_no_rank() -> None:
    tree = Tree([HUGE] * 3, [CORNER])
    assert tree.rank([0, 12345, 0]) is None
    assert tree.nth(0) == [0, 0, 1]
    assert tree.nth(tree.count - 1) == [HUGE - 1] * 3


def test_no_axes_are_one_combination() -> None:
    assert (Tree([]).count, Tree([]).nth(0), Tree([]).rank([])) == (1, [], 0)


def _at(*axes: int) -> Box:
    return {axis: Positions(frozenset({0})) for axis in axes}


@pytest.mark.parametrize(
    ("axes", "boxes", "count"),
    [
        (40, [_at(axis) for axis in range(40)], 2**40),
        (40, [_at(axis, axis + 20) for axis in range(20)], 8**20),
        (40, [_at(axis, other) for axis in range(40) for other in range(axis)], 2**40 + 40 * 2**39),
        (290, [_at(*range(290))], 3**290 - 1),
    ],
    ids=["one axis each", "two axes each", "all pairs", "one on all axes"],
)
def test_exclusions_of_many_axes_are_counted_by_arithmetic(axes: int, boxes: list[Box], count: int) -> None:
    tree = Tree([3] * axes, boxes)
    assert tree.count == count
    for index in (0, 1, count // 3, count // 2, count - 1):
        assert tree.rank(tree.nth(index)) == index


@pytest.mark.parametrize(
    ("axes", "boxes"),
    [
        (61, [{axis: Positions(frozenset({0})), 60: Positions(frozenset({axis}))} for axis in range(60)]),
        (400, [_at(axis, axis + 1) for axis in range(399)]),
    ],
    ids=["each another position of the last axis", "a long chain"],
)
def test_exclusions_beyond_counting_are_refused(axes: int, boxes: list[Box]) -> None:
    with pytest.raises(Entangled):
        Tree([99] * axes, boxes)
