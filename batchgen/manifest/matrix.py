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
from batchgen.manifest.tree import Box, Positions, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchgen.manifest.axes import Value
    from batchgen.manifest.document import Path


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
        return Tree([len(axis) for axis in self.axes], self.excluded)

    def values(self, positions: Sequence[int], pins: Mapping[str, Value]) -> dict[str, Value]:
        """The value of each name in a combination; `pins` take the place of the same names of `base`."""
        found = {**self._base_values, **pins}
        for axis, name, values in self._columns:
            found[name] = values[positions[axis]]
        for addition in self.additions:
            if all(positions[axis] in where for axis, where in addition.box.items()):
                found.update((name, column.values[0]) for name, column in addition.columns.items())
        return found

    @cached_property
    def _columns(self) -> list[tuple[int, str, Sequence[Value]]]:
        return [(number, each.name, each.values) for number, axis in enumerate(self.axes) for each in axis.columns]

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that some combination has a value for."""
        columns = [column.name for axis in self.axes for column in axis.columns]
        added = [name for addition in self.additions for name in addition.columns]
        return frozenset({*self.base, *columns, *added})

    @cached_property
    def _base_values(self) -> dict[str, Value]:
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
        for value in dict.fromkeys(column.values):
            where = Positions(frozenset(_positions(column.values, value)))
            found[value] = found.get(value, 0) + self._count({number: where}, taken)
        return found

    def _count(self, box: Box, taken: Sequence[Box]) -> int:
        """How many combinations stand in `box` and in none of those taken."""
        return Tree(self.tree.sizes, (*self.excluded, *_outside(box), *taken)).count

    def chosen(self, positions: Sequence[int]) -> dict[str, tuple[Column, int]]:
        """The column, and the position in it, that each name takes its value from."""
        found = {name: (column, 0) for name, column in self.base.items()}
        for axis, position in zip(self.axes, positions, strict=True):
            found.update((column.name, (column, position)) for column in axis.columns)
        for addition in self.additions:
            if all(positions[axis] in where for axis, where in addition.box.items()):
                found.update((name, (column, 0)) for name, column in addition.columns.items())
        return found


def blocks(
    every: Block, unswept: Block, includes: Sequence[Entry], excludes: Sequence[Entry]
) -> tuple[list[Block], set[Path]]:
    """The combinations of a prompt, and the places of the excludes that matched none of them.

    `unswept` is the prompt without its sweeps, which is what an include makes a new combination of.
    """
    base, axes = every.base, every.axes
    boxes = [(entry, box_of(entry.columns, base, axes)) for entry in excludes]
    idle = {entry.path for entry, box in boxes if box is None or not _matches(axes, box)}
    original = replace(every, excluded=tuple(box for _, box in boxes if box is not None))
    additions: list[Addition] = []
    new: list[Block] = []
    for entry in includes:
        fixed = {name: column for name, column in entry.columns.items() if _is_original(name, base, axes)}
        box = box_of(fixed, base, axes)
        if box is not None and Tree(original.tree.sizes, (*original.excluded, *_outside(box))).count:
            added = {name: column for name, column in entry.columns.items() if name not in fixed}
            additions.append(Addition(box, added))
        elif not _contradicts_a_pin(entry.columns, base):
            new.append(_new_block(entry.columns, unswept))
    return [replace(original, additions=tuple(additions)), *new], idle


def box_of(wanted: Mapping[str, Column], base: Mapping[str, Column], axes: Sequence[Axis]) -> Box | None:
    """The positions of the combinations that have these values; None where none can."""
    box: Box = {}
    for name, column in wanted.items():
        value = column.values[0]
        number = next((number for number, axis in enumerate(axes) if _column(axis, name)), None)
        if number is not None and (on_axis := _column(axes[number], name)):
            found = Positions(frozenset(_positions(on_axis.values, value)))
            known = box.get(number)
            box[number] = Positions(found.named & known.named) if known else found
        elif (base[name].values[0] if name in base else None) != value:
            return None
    return box if all(where.named for where in box.values()) else None


def _column(axis: Axis, name: str) -> Column | None:
    return next((column for column in axis.columns if column.name == name), None)


def _positions(values: Sequence[Value], value: Value) -> list[int]:
    if isinstance(values, list | tuple):
        return [position for position, each in enumerate(values) if each == value]
    try:
        return [values.index(value)]
    except ValueError:
        return []


def _matches(axes: tuple[Axis, ...], box: Box) -> bool:
    return all(any(position in where for position in where.named) for where in box.values()) and all(map(len, axes))


def _outside(box: Box) -> list[Box]:
    """Boxes that together hold every combination outside of `box`."""
    return [{axis: where.complement()} for axis, where in box.items()]


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
