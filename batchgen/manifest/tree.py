"""Counting and finding combinations by arithmetic: a cartesian product with parts cut out, never written down.

A combination is a tuple of positions, one for each axis, the first varying slowest. An exclusion names positions on
some axes and cuts out every combination that stands in all of them. Going down the axes, all that matters is which
exclusions still hold for the positions chosen so far; between the few positions that exclusions name, all positions
are alike. So the count and the n-th combination of millions take a few steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


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


Box = dict[int, Positions]
"""Positions by axis; an axis that is not named may stand anywhere."""


class Tree:
    """The combinations of axes of these sizes that stand in none of the excluded boxes."""

    def __init__(self, sizes: Sequence[int], excluded: Sequence[Mapping[int, Positions]] = ()) -> None:
        self.sizes = tuple(sizes)
        self.excluded = tuple(excluded)
        self._below = [prod(self.sizes[axis:]) for axis in range(len(self.sizes) + 1)]
        self._last = [max(box, default=-1) for box in self.excluded]
        self._named = [
            sorted(
                {position for box in self.excluded if axis in box for position in box[axis].named if position < size}
            )
            for axis, size in enumerate(self.sizes)
        ]
        self._counts: dict[tuple[int, frozenset[int]], int] = {}
        self._all = frozenset(range(len(self.excluded)))
        self.count = self._count(0, self._all)

    def nth(self, index: int) -> list[int]:
        """The positions of the combination at `index`, 0 to count - 1."""
        alive = self._all
        positions: list[int] = []
        for axis in range(len(self.sizes)):
            if alive:
                position, index = self._find(axis, alive, index)
                alive = self._after(axis, alive, position)
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
        alive, index = self._all, 0
        for axis, position in enumerate(positions):
            before = [named for named in self._named[axis] if named < position]
            index += sum(self._count(axis + 1, self._after(axis, alive, named)) for named in before)
            index += (position - len(before)) * self._count(axis + 1, self._after(axis, alive, None))
            alive = self._after(axis, alive, position)
        return index if self._count(len(self.sizes), alive) else None

    def _after(self, axis: int, alive: frozenset[int], position: int | None) -> frozenset[int]:
        """The exclusions that still hold after `position`; None stands for any position that no exclusion names."""
        if not alive:
            return alive
        return frozenset(
            number
            for number in alive
            if (where := self.excluded[number].get(axis)) is None
            or (where.all_but if position is None else position in where)
        )

    def _count(self, axis: int, alive: frozenset[int]) -> int:
        """How many combinations of the axes from `axis` on are left where the exclusions `alive` still hold."""
        if not alive:
            return self._below[axis]
        if any(self._last[number] < axis for number in alive):
            return 0
        if (known := self._counts.get((axis, alive))) is not None:
            return known
        named = self._named[axis]
        count = (self.sizes[axis] - len(named)) * self._count(axis + 1, self._after(axis, alive, None))
        count += sum(self._count(axis + 1, self._after(axis, alive, position)) for position in named)
        self._counts[axis, alive] = count
        return count

    def _find(self, axis: int, alive: frozenset[int], index: int) -> tuple[int, int]:
        """The position on `axis` that `index` falls into, and what is left of the index."""
        each = self._count(axis + 1, self._after(axis, alive, None))
        start = 0
        for named in self._named[axis]:
            if index < (named - start) * each:
                break
            index -= (named - start) * each
            here = self._count(axis + 1, self._after(axis, alive, named))
            if index < here:
                return named, index
            index -= here
            start = named + 1
        skipped, rest = divmod(index, each)
        return start + skipped, rest
