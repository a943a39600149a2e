"""`include` and `exclude`, with the meaning that they have in a GitHub Actions matrix.

- An exclude cuts out every combination that it matches, partially: what it does not name may be anything. Excludes
  run first.
- An include is added to every original combination of which it would overwrite no value; a value that an include
  added before may
  be overwritten. Where there is no such combination, it is a new one by itself.

Source: "Running variations of jobs in a workflow", GitHub Actions documentation. Both act on final values, those that
a prompt pins included. An include that contradicts a pinned value leaves that prompt as it is. A new combination
takes no value of the sweep's axes, which it would have to choose among, but that of the less specific sources; the
prompt's variables and zip groups still run through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from batchgen.manifest.axes import Axis, Column
from batchgen.manifest.exclusions import Box, Entangled, Positions
from batchgen.manifest.sequences import Lazy
from batchgen.manifest.tree import Tree, uncut

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from batchgen.manifest.axes import Value
    from batchgen.manifest.reading.document import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One include or exclude: its values by name, and its place."""

    columns: Mapping[str, Column]
    path: Path


@dataclass(frozen=True, slots=True)
class Addition:
    """What an include adds to the combinations in a box."""

    box: Box
    columns: Mapping[str, Column]


@dataclass(frozen=True, eq=False)
class Block:
    """Combinations of one kind: what is the same in all, the axes, what is cut out and what is added."""

    base: Mapping[str, Column]
    axes: tuple[Axis, ...]
    excluded: tuple[Box, ...] = ()
    additions: tuple[Addition, ...] = ()
    skipped: int = 0
    """Combinations that no model takes and that the job leaves out."""

    @cached_property
    def tree(self) -> Tree:
        """The combinations by index."""
        sizes = tuple(len(axis) for axis in self.axes)
        return Tree(sizes, self.excluded) if self.excluded else uncut(sizes)

    @property
    def is_entangled(self) -> bool:
        """Is what is cut out too much for its combinations to be counted?"""
        try:
            return self.tree.count < 0
        except Entangled:
            return True

    def choose(self, values: dict[str, Value], positions: Sequence[int]) -> None:
        """Put the values that a combination chooses in their places; those of `base` stand there already."""
        for axis, name, column in self._columns:
            values[name] = column[positions[axis]]
        if self.additions:
            for addition in self._holding(positions):
                values.update((name, column.values[0]) for name, column in addition.columns.items())

    def _holding(self, positions: Sequence[int]) -> list[Addition]:
        """The additions to a combination, in order; only those that name one of its positions are looked at."""
        near = [number for key in ((-1, 0), *enumerate(positions)) for number in self._by_position.get(key, ())]
        found = (self.additions[number] for number in sorted(near))
        return [each for each in found if all(positions[axis] in where for axis, where in each.box.items())]

    @cached_property
    def _by_position(self) -> dict[tuple[int, int], list[int]]:
        """Additions by position on the axis that says most of where they stand; (-1, 0): they stand everywhere."""
        found: dict[tuple[int, int], list[int]] = {}
        for number, addition in enumerate(self.additions):
            box = addition.box
            axis = min(box, key=lambda each: len(box[each].named) / len(self.axes[each]), default=-1)
            for position in box[axis].named if box else (0,):
                found.setdefault((axis, position), []).append(number)
        return found

    @cached_property
    def _columns(self) -> list[tuple[int, str, Sequence[Value]]]:
        return [(number, each.name, each.values) for number, axis in enumerate(self.axes) for each in axis.columns]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name that some combination has a value for, each once."""
        return tuple(dict.fromkeys([*self.base, *self.chosen_names]))

    @cached_property
    def chosen_names(self) -> tuple[str, ...]:
        """The names that not all combinations have one value for."""
        columns = [column.name for axis in self.axes for column in axis.columns]
        return (*columns, *(name for addition in self.additions for name in addition.columns))

    @cached_property
    def constants(self) -> dict[str, Value]:
        """What is the same in all combinations."""
        return {name: column.values[0] for name, column in self.base.items()}

    @property
    def listed(self) -> int:
        """How many combinations the job lists, equal values counted each time and exclusions not cut out."""
        return prod(axis.listed for axis in self.axes)

    def counts(self, name: str) -> dict[Value, int]:
        """How many combinations have each value of a field."""
        found: dict[Value, int] = {}
        taken: list[Box] = []
        for addition in reversed([each for each in self.additions if name in each.columns]):
            count = self._count(addition.box, taken)
            found[addition.columns[name].values[0]] = found.get(addition.columns[name].values[0], 0) + count
            taken.append(addition.box)
        number, column = next(
            ((number, column) for number, axis in enumerate(self.axes) if (column := _column(axis, name))), (-1, None)
        )
        if column is None:
            value = self.base[name].values[0] if name in self.base else None
            found[value] = found.get(value, 0) + self._count({}, taken)
            return found
        for value, positions in _places(column.values, None).items():
            found[value] = found.get(value, 0) + self._count({number: Positions(frozenset(positions))}, taken)
        return found

    def _count(self, box: Box, taken: Sequence[Box]) -> int:
        """How many combinations stand in `box` and in none of those taken."""
        if not taken:
            return self.tree.count_in(box)
        near = [each for each in (*self.excluded, *taken) if _meet(box, each)]
        return Tree(self.tree.sizes, near).count_in(box)

    def chosen(self, positions: Sequence[int]) -> dict[str, tuple[Column, int]]:
        """The column, and the position in it, that each name takes its value from."""
        found = {name: (column, 0) for name, column in self.base.items()}
        for axis, position in zip(self.axes, positions, strict=True):
            found.update((column.name, (column, position)) for column in axis.columns)
        for addition in self._holding(positions):
            found.update((name, (column, 0)) for name, column in addition.columns.items())
        return found


def blocks(
    every: Block, unswept: Block, includes: Sequence[Entry], excludes: Sequence[Entry]
) -> tuple[list[Block], set[Path]]:
    """The combinations of a prompt, and the places of the excludes that matched none of them.

    `unswept` is the prompt without its sweeps, which is what an include makes a new combination of.
    """
    base, axes = every.base, every.axes
    finder = _Finder(axes, (*includes, *excludes))
    boxes = [(entry, finder.box(entry.columns, base)) for entry in excludes]
    idle = {entry.path for entry, box in boxes if box is None or not _matches(axes, box)}
    original = replace(every, excluded=tuple(box for _, box in boxes if box is not None))
    if includes and original.is_entangled:
        return [original], idle  # the check of its combinations says so
    additions: list[Addition] = []
    new: list[Block] = []
    for entry in includes:
        fixed = {name: column for name, column in entry.columns.items() if _is_original(name, base, axes)}
        box = finder.box(fixed, base)
        if box is not None and original.tree.count_in(box):
            added = {name: column for name, column in entry.columns.items() if name not in fixed}
            additions.append(Addition(box, added))
        elif not _contradicts_a_pin(entry.columns, base):
            new.append(_new_block(entry.columns, unswept))
    return [replace(original, additions=tuple(additions)), *new], idle


class _Finder:
    """Finds the combinations that have some values; no axis is looked through twice."""

    def __init__(self, axes: Sequence[Axis], entries: Iterable[Entry]) -> None:
        self._on_axis = {column.name: (number, column) for number, axis in enumerate(axes) for column in axis.columns}
        self._wanted: dict[str, set[Value]] = {}
        for entry in entries:
            for name, column in entry.columns.items():
                self._wanted.setdefault(name, set()).add(column.values[0])
        self._places: dict[str, dict[Value, list[int]]] = {}

    def box(self, wanted: Mapping[str, Column], base: Mapping[str, Column]) -> Box | None:
        """The positions of the combinations that have these values; None where none can."""
        box: Box = {}
        for name, column in wanted.items():
            value = column.values[0]
            if name in self._on_axis:
                number, on_axis = self._on_axis[name]
                found = Positions(frozenset(self._positions(on_axis, value)))
                known = box.get(number)
                box[number] = Positions(found.named & known.named) if known else found
            elif (base[name].values[0] if name in base else None) != value:
                return None
        return box if all(where.named for where in box.values()) else None

    def _positions(self, column: Column, value: Value) -> Sequence[int]:
        if isinstance(column.values, Lazy):
            return column.values.positions(value)
        if column.name not in self._places:
            self._places[column.name] = _places(column.values, self._wanted[column.name])
        return self._places[column.name].get(value, ())


def _places(values: Sequence[Value], wanted: Collection[Value] | None) -> dict[Value, list[int]]:
    """The positions of each value that is wanted; None: of all."""
    found: dict[Value, list[int]] = {}
    for position, value in enumerate(values):
        if wanted is None or value in wanted:
            found.setdefault(value, []).append(position)
    return found


def _column(axis: Axis, name: str) -> Column | None:
    return next((column for column in axis.columns if column.name == name), None)


def _matches(axes: tuple[Axis, ...], box: Box) -> bool:
    return all(any(position in where for position in where.named) for where in box.values()) and all(map(len, axes))


def _meet(box: Box, other: Box) -> bool:
    """May a combination stand in both?"""
    return all(where.meets(other[axis]) for axis, where in box.items() if axis in other)


def is_pinned(column: Column) -> bool:
    """Does a prompt itself, its preset or its data row give this one value?"""
    return column.origin not in {"built-in", "defaults", "vars"}


def _is_original(name: str, base: Mapping[str, Column], axes: Sequence[Axis]) -> bool:
    """Is this a value of the original matrix, which an include may not overwrite?"""
    return any(_column(axis, name) for axis in axes) or (name in base and is_pinned(base[name]))


def _contradicts_a_pin(wanted: Mapping[str, Column], base: Mapping[str, Column]) -> bool:
    return any(
        name in base and is_pinned(base[name]) and base[name].values[0] != column.values[0]
        for name, column in wanted.items()
    )


def _new_block(wanted: Mapping[str, Column], unswept: Block) -> Block:
    kept = []
    for axis in unswept.axes:
        columns = tuple(column for column in axis.columns if column.name not in wanted)
        if columns:
            kept.append(Axis(columns, axis.kind))
    return Block({**unswept.base, **wanted}, tuple(kept))
