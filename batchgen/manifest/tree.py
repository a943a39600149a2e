"""Counting and finding combinations by arithmetic: a cartesian product with parts cut out, never written down.

A combination is a tuple of positions, one for each axis, the first varying slowest. An exclusion names positions on
some axes and cuts out every combination that stands in all of them. Going down the axes, all that matters is what the
exclusions that still hold ask of the axes to come; between the few positions that exclusions name, all positions are
alike, and exclusions that share no axis are counted apart. So the count and the n-th combination of millions take a
few steps. Exclusions can be written that no such order helps with: they are refused as `Entangled`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

from batchgen.manifest.exclusions import NOTHING, Branches, Counting, Exclusions, Positions, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_STOPS = 4_096


@dataclass(frozen=True, slots=True)
class _Stops:
    """An axis at one state: its named positions, what follows each, and how many combinations are before and at it."""

    branches: Branches
    positions: Sequence[int]
    before: Sequence[int]
    at: Sequence[int]
    each: int
    """Combinations at any position that is not named."""

    def last(self, which: int) -> tuple[int, int]:
        """The first position after the `which`-th named one, and how many combinations are before it."""
        return (self.positions[which] + 1, self.before[which] + self.at[which]) if which >= 0 else (0, 0)


class Tree:
    """The combinations of axes of these sizes that stand in none of the excluded boxes.

    Raises:
        Entangled: The excluded boxes meet one another in too many ways.
    """

    def __init__(self, sizes: Sequence[int], excluded: Sequence[Mapping[int, Positions]] = ()) -> None:
        self.sizes = tuple(sizes)
        self.excluded = tuple(excluded)
        self._below = [prod(self.sizes[axis:]) for axis in range(len(self.sizes) + 1)]
        self._exclusions = Exclusions(self.sizes, self.excluded)
        self._counting = Counting(self._exclusions, self.sizes, {})
        self._stops: dict[tuple[int, State], _Stops] = {}
        self.count = self._counting.count(self._from(0), self._exclusions.all)

    def count_in(self, box: Mapping[int, Positions]) -> int:
        """How many of the combinations stand in `box`."""
        return Counting(self._exclusions, self.sizes, box).count(self._from(0), self._exclusions.all)

    def first_in(self, box: Mapping[int, Positions]) -> list[int] | None:
        """The first combination in `box`; None if there is none."""
        if not self.excluded:
            first = [next(iter(_standing(size, box.get(axis))), None) for axis, size in enumerate(self.sizes)]
            return [each for each in first if each is not None] if None not in first else None
        counting = Counting(self._exclusions, self.sizes, box)
        state = self._exclusions.all
        if not counting.count(self._from(0), state):
            return None
        positions: list[int] = []
        for axis, size in enumerate(self.sizes):
            named, other = self._exclusions.after(axis, state)
            for position in _standing(size, box.get(axis)):  # at most one more than are named
                state = named.get(position, other)
                if counting.count(self._from(axis + 1), state):
                    positions.append(position)
                    break
        return positions

    def nth(self, index: int) -> list[int]:
        """The positions of the combination at `index`, 0 to count - 1."""
        state = self._exclusions.all
        positions: list[int] = []
        for axis in range(len(self.sizes)):
            if state:
                stops = self._stops_of(axis, state)
                position, index = _find(stops, index)
                state = stops.branches.named.get(position, stops.branches.other)
            else:
                position, index = divmod(index, self._below[axis + 1])
            positions.append(position)
        return positions

    def __iter__(self) -> Iterator[Sequence[int]]:
        """The positions of every combination, in order."""
        return map(self.nth, range(self.count)) if self.excluded else _each(self.sizes)

    def rank(self, positions: Sequence[int]) -> int | None:
        """The index of a combination; None if it is cut out."""
        state, index = self._exclusions.all, 0
        for axis, position in enumerate(positions):
            if state == NOTHING:
                break
            stops = self._stops_of(axis, state)
            start, before = stops.last(bisect_left(stops.positions, position) - 1)
            index += before + (position - start) * stops.each
            state = stops.branches.named.get(position, stops.branches.other)
        return None if state == NOTHING else index

    def _stops_of(self, axis: int, state: State) -> _Stops:
        if (known := self._stops.get((axis, state))) is not None:
            return known
        branches = self._exclusions.after(axis, state)
        counts: dict[State, int] = {}
        for each in {branches.other, *branches.named.values()}:
            counts[each] = self._counting.count(self._from(axis + 1), each)
        other = counts[branches.other]
        before: list[int] = []
        start = total = 0
        for position, after in branches.named.items():
            before.append(total + (position - start) * other)
            start, total = position + 1, before[-1] + counts[after]
        at = [counts[after] for after in branches.named.values()]
        if len(self._stops) >= MOST_STOPS:  # a walk through all combinations may pass more than can be held
            self._stops.clear()
        stops = self._stops[axis, state] = _Stops(branches, list(branches.named), before, at, other)
        return stops

    def _from(self, axis: int) -> int:
        """The axes from `axis` on, as bits."""
        return (1 << len(self.sizes)) - (1 << axis)


@lru_cache(maxsize=256)
def uncut(sizes: tuple[int, ...]) -> Tree:
    """All combinations of axes of these sizes: one tree, however many prompts have them."""
    return Tree(sizes)


def _each(sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    """Every combination of axes of these sizes, in order; itertools.product would write the axes down."""
    if not sizes:
        yield ()
        return
    last = range(sizes[-1])
    for slower in _each(sizes[:-1]):
        for position in last:
            yield (*slower, position)


def _find(stops: _Stops, index: int) -> tuple[int, int]:
    """The position that `index` falls into, and what is left of the index."""
    which = bisect_right(stops.before, index) - 1
    start, before = stops.last(which)
    if index < before:
        return stops.positions[which], index - stops.before[which]
    skipped, rest = divmod(index - before, stops.each)
    return start + skipped, rest


def _standing(size: int, where: Positions | None) -> Iterable[int]:
    """The positions of an axis that stand in `where`, in order."""
    if where is None:
        return range(size)
    if where.all_but:
        return (position for position in range(size) if position not in where.named)
    return sorted(position for position in where.named if position < size)
