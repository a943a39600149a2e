"""What exclusions still ask, going down the axes, and how many combinations that leaves.

An exclusion is a box: positions on some axes. At each axis it either still holds, for what it asks of the axes to
come, or asks no more; combinations are counted by what the exclusions that still hold ask. Those that share no axis
are counted apart. Exclusions can be written that no such order helps with: they are refused as `Entangled`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_HELD = 1_000_000
"""What counting may hold: the links of every state, and PER_STATE for each. Exclusions that need more are refused."""
PER_STATE = 50
MOST_AXES = 300
"""Exclusions of several axes may name so many axes together; each is a level of recursion."""


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

State = frozenset[int]
"""The numbers of the links that still hold."""
_CUT = -1
NOTHING = frozenset({_CUT})
"""The state of what is cut out."""


class _Link(NamedTuple):
    """What an exclusion still asks: to stand in `where` on `axis`, then what the link `then` asks; _CUT: no more."""

    axis: int
    where: Positions
    then: int


class Branches(NamedTuple):
    """What still holds after each position of an axis: those that some link names, and all others."""

    named: dict[int, State]
    other: State


class Exclusions:
    """The boxes that are cut out, each as a chain of links in the order of the axes; equal ends are one."""

    def __init__(self, sizes: Sequence[int], boxes: Iterable[Mapping[int, Positions]]) -> None:
        self.links: list[_Link] = []
        self._sizes = sizes
        self._numbers: dict[_Link, int] = {}
        self._axes: list[int] = []
        firsts = {self._chain(box) for box in boxes} - {None}
        self.all: State = NOTHING if _CUT in firsts else frozenset(each for each in firsts if each is not None)
        if self.all != NOTHING and len({link.axis for link in self.links if link.then != _CUT}) > MOST_AXES:
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

    def parts(self, state: State) -> list[tuple[int, State]]:
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

    def after(self, axis: int, state: State) -> Branches:
        """What holds after each position of `axis`, before which `state` does."""
        here = [self.links[number] for number in state if self.links[number].axis == axis]
        if not here:
            return Branches({}, state)
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
        alike: dict[frozenset[int], State] = {}
        states = {position: _joined(rest, frozenset(named[position]), alike) for position in sorted(named)}
        return Branches(states, _joined(rest, frozenset(link.then for link in wide), alike))


def _joined(rest: State, more: frozenset[int], alike: dict[frozenset[int], State]) -> State:
    if more not in alike:
        alike[more] = NOTHING if _CUT in more else rest | more
    return alike[more]


class Counting:
    """Counts of combinations within one box."""

    def __init__(self, exclusions: Exclusions, sizes: Sequence[int], box: Mapping[int, Positions]) -> None:
        self._exclusions = exclusions
        self._sizes = sizes
        self._box = box
        self._within = [_size(size, box.get(axis)) for axis, size in enumerate(sizes)]
        self._known: dict[State, int] = {}
        self._held = 0
        self._free: dict[int, int] = {}

    def count(self, axes: int, state: State) -> int:
        """How many combinations of these axes, given as bits, are left where `state` holds."""
        if not state:
            return self._any(axes)
        if state == NOTHING:
            return 0
        count = 1
        for own, part in self._exclusions.parts(state):
            count *= self._part(own, part)
            axes &= ~own
        return count * self._any(axes)

    def _part(self, axes: int, state: State) -> int:
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

    def _ways(self, axis: int, branches: Branches) -> Counter[State]:
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
