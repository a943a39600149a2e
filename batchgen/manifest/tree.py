"""Counting and finding combinations by arithmetic: a cartesian product with parts cut out, never written down.

A combination is a tuple of positions, one for each axis, the first varying slowest. An exclusion names positions on
some axes and cuts out every combination that stands in all of them. Going down the axes, all that matters is what the
exclusions that still hold ask of the axes to come; between the few positions that exclusions name, all positions are
alike, and exclusions that share no axis are counted apart. So the count and the n-th combination of millions take a
few steps. Exclusions can be written that no such order helps with: they are refused as `Entangled`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_HELD = 1_000_000
"""What counting may hold: the links of every state, and PER_STATE for each. Exclusions that need more are refused."""
PER_STATE = 50
MOST_AXES = 300
"""Exclusions of several axes may name so many axes together; each is a level of recursion."""
MOST_STOPS = 4_096


class Entangled(Exception):  # noqa: N818 - it says what the exclusions are
    """Exclusions that meet one another in more ways than can be counted."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Some positions of an axis, or all but some."""

    named: frozenset[int]
    all_but: bool = False

    def __contains__(self, position: int) -> bool:
        return (position in self.named) != self.all_but

    def complement(self) -> Positions:
        """All other positions."""
        return Positions(self.named, not self.all_but)

    def meets(self, other: Positions) -> bool:
        """Can a position stand in both? Two that are all but some are held to meet."""
        if self.all_but:
            return other.all_but or not other.named <= self.named
        return not self.named <= other.named if other.all_but else not self.named.isdisjoint(other.named)


Box = dict[int, Positions]
"""Positions by axis; an axis that is not named may stand anywhere."""

_State = frozenset[int]
"""The numbers of the links that still hold."""
_CUT = -1
_NOTHING = frozenset({_CUT})
"""The state of what is cut out."""


class _Link(NamedTuple):
    """What an exclusion still asks: to stand in `where` on `axis`, then what the link `then` asks; _CUT: no more."""

    axis: int
    where: Positions
    then: int


class _Branches(NamedTuple):
    """What still holds after each position of an axis: those that some link names, and all others."""

    named: dict[int, _State]
    other: _State


class _Exclusions:
    """The boxes that are cut out, each as a chain of links in the order of the axes; equal ends are one."""

    def __init__(self, sizes: Sequence[int], boxes: Iterable[Mapping[int, Positions]]) -> None:
        self.links: list[_Link] = []
        self._sizes = sizes
        self._numbers: dict[_Link, int] = {}
        self._axes: list[int] = []
        firsts = {self._chain(box) for box in boxes} - {None}
        self.all: _State = _NOTHING if _CUT in firsts else frozenset(each for each in firsts if each is not None)
        if self.all != _NOTHING and len({link.axis for link in self.links if link.then != _CUT}) > MOST_AXES:
            raise Entangled

    def _chain(self, box: Mapping[int, Positions]) -> int | None:
        """The first link of a box; None where no combination stands in it."""
        number = _CUT
        for axis in sorted(box, reverse=True):
            named, size = frozenset(each for each in box[axis].named if each < self._sizes[axis]), self._sizes[axis]
            if len(named) == (size if box[axis].all_but else 0):
                return None
            if len(named) != (0 if box[axis].all_but else size):
                number = self._number(_Link(axis, Positions(named, box[axis].all_but), number))
        return number

    def _number(self, link: _Link) -> int:
        if (known := self._numbers.get(link)) is None:
            known = self._numbers[link] = len(self.links)
            self.links.append(link)
            self._axes.append(1 << link.axis | (0 if link.then == _CUT else self._axes[link.then]))
        return known

    def parts(self, state: _State) -> list[tuple[int, _State]]:
        """The links that have axes in common, and those axes as bits."""
        by_axes: dict[int, list[int]] = {}
        for number in state:
            by_axes.setdefault(self._axes[number], []).append(number)
        found: list[tuple[int, list[int]]] = []
        for axes, numbers in by_axes.items():
            met = [each for each in found if each[0] & axes]
            found = [each for each in found if not each[0] & axes]
            for others, more in met:
                axes |= others  # noqa: PLW2901 - it grows by those that it meets
                numbers.extend(more)
            found.append((axes, numbers))
        return [(axes, frozenset(numbers)) for axes, numbers in found] if len(found) > 1 else [(found[0][0], state)]

    def after(self, axis: int, state: _State) -> _Branches:
        """What holds after each position of `axis`, before which `state` does."""
        here = [self.links[number] for number in state if self.links[number].axis == axis]
        if not here:
            return _Branches({}, state)
        rest = frozenset(number for number in state if self.links[number].axis != axis)
        named: dict[int, set[int]] = {position: set() for link in here for position in link.where.named}
        wide = [link for link in here if link.where.all_but]
        for link in here:
            if not link.where.all_but:
                for position in link.where.named:
                    named[position].add(link.then)
        if wide:
            for position, held in named.items():
                held.update(link.then for link in wide if position in link.where)
        alike: dict[frozenset[int], _State] = {}
        states = {position: _joined(rest, frozenset(named[position]), alike) for position in sorted(named)}
        return _Branches(states, _joined(rest, frozenset(link.then for link in wide), alike))


def _joined(rest: _State, more: frozenset[int], alike: dict[frozenset[int], _State]) -> _State:
    if more not in alike:
        alike[more] = _NOTHING if _CUT in more else rest | more
    return alike[more]


class _Counting:
    """Counts of combinations within one box."""

    def __init__(self, exclusions: _Exclusions, sizes: Sequence[int], box: Mapping[int, Positions]) -> None:
        self._exclusions = exclusions
        self._sizes = sizes
        self._box = box
        self._within = [_size(size, box.get(axis)) for axis, size in enumerate(sizes)]
        self._known: dict[_State, int] = {}
        self._held = 0
        self._free: dict[int, int] = {}

    def count(self, axes: int, state: _State) -> int:
        """How many combinations of these axes, given as bits, are left where `state` holds."""
        if not state:
            return self._any(axes)
        if state == _NOTHING:
            return 0
        count = 1
        for own, part in self._exclusions.parts(state):
            count *= self._part(own, part)
            axes &= ~own
        return count * self._any(axes)

    def _part(self, axes: int, state: _State) -> int:
        if (known := self._known.get(state)) is not None:
            return known
        self._held += len(state) + PER_STATE
        if self._held > MOST_HELD:
            raise Entangled
        axis = (axes & -axes).bit_length() - 1
        count = 0
        for after, ways in self._ways(axis, self._exclusions.after(axis, state)).items():
            if ways:
                count += ways * self.count(axes & ~(1 << axis), after)
        self._known[state] = count
        return count

    def _ways(self, axis: int, branches: _Branches) -> Counter[_State]:
        """At how many positions of the box each state follows."""
        where = self._box.get(axis)
        named, other = branches
        if where is not None and not where.all_but:
            return Counter(named.get(position, other) for position in where.named if position < self._sizes[axis])
        ways = Counter(state for position, state in named.items() if where is None or position in where)
        ways[other] += self._within[axis] - ways.total()
        return ways

    def _any(self, axes: int) -> int:
        if axes not in self._free:
            self._free[axes] = prod(size for axis, size in enumerate(self._within) if axes >> axis & 1)
        return self._free[axes]


def _size(size: int, where: Positions | None) -> int:
    """How many positions of an axis stand in `where`."""
    if where is None:
        return size
    named = sum(position < size for position in where.named)
    return size - named if where.all_but else named


@dataclass(frozen=True, slots=True)
class _Stops:
    """An axis at one state: its named positions, what follows each, and how many combinations are before and at it."""

    branches: _Branches
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
        self._exclusions = _Exclusions(self.sizes, self.excluded)
        self._counting = _Counting(self._exclusions, self.sizes, {})
        self._stops: dict[tuple[int, _State], _Stops] = {}
        self.count = self._counting.count(self._from(0), self._exclusions.all)

    def count_in(self, box: Mapping[int, Positions]) -> int:
        """How many of the combinations stand in `box`."""
        return _Counting(self._exclusions, self.sizes, box).count(self._from(0), self._exclusions.all)

    def first_in(self, box: Mapping[int, Positions]) -> list[int] | None:
        """The first combination in `box`; None if there is none."""
        if not self.excluded:
            first = [next(iter(_standing(size, box.get(axis))), None) for axis, size in enumerate(self.sizes)]
            return [each for each in first if each is not None] if None not in first else None
        counting = _Counting(self._exclusions, self.sizes, box)
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
        if self.excluded or not self.sizes:
            yield from (self.nth(index) for index in range(self.count))
            return
        last = self.sizes[-1]
        for index in range(0, self.count, max(last, 1)):
            *slower, _ = self.nth(index)
            yield from ((*slower, position) for position in range(last))

    def rank(self, positions: Sequence[int]) -> int | None:
        """The index of a combination; None if it is cut out."""
        state, index = self._exclusions.all, 0
        for axis, position in enumerate(positions):
            if state == _NOTHING:
                break
            stops = self._stops_of(axis, state)
            start, before = stops.last(bisect_left(stops.positions, position) - 1)
            index += before + (position - start) * stops.each
            state = stops.branches.named.get(position, stops.branches.other)
        return None if state == _NOTHING else index

    def _stops_of(self, axis: int, state: _State) -> _Stops:
        if (known := self._stops.get((axis, state))) is not None:
            return known
        branches = self._exclusions.after(axis, state)
        counts: dict[_State, int] = {}
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
