"""Does every combination make a request that the model can take? Looked at by kinds of combinations, not one by one.

Whether fields go together depends on the model, the mode and which fields are sent, never on which of a million seeds
it is. So the positions of each axis fall into a few classes, and one combination of each meeting of classes is looked
at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from batchgen.manifest.template import names
from batchgen.manifest.tree import Box, Positions

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from batchgen.manifest.axes import Axis, Column, Value
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.problems import Problems
    from batchgen.providers.capabilities import Capabilities

DECIDING = ("model", "mode")
"""Fields whose very value decides what goes with them; of all others it matters only whether they are sent."""


@dataclass(frozen=True, slots=True)
class _Class:
    """Positions of one axis that are alike for every check, and one of them."""

    position: int
    positions: Positions


class CombinationCheck:
    """Checks the blocks of one job."""

    def __init__(
        self, capabilities: Capabilities, problems: Problems, variables: Iterable[str], *, skip_invalid: bool
    ) -> None:
        self._capabilities = capabilities
        self._problems = problems
        self._skip_invalid = skip_invalid
        self._variables = variables

    def checked(self, block: Block) -> Block:
        """The block without what can't be sent, where that is skipped; otherwise what can't be sent is noted."""
        classes = [_classes(axis, number, block) for number, axis in enumerate(block.axes)]
        invalid: list[Box] = []
        for meeting in product(*classes):
            positions = [each.position for each in meeting]
            if any(all(positions[axis] in where for axis, where in box.items()) for box in block.excluded):
                continue
            if not self._fits(block.chosen(positions)):
                several = [number for number, each in enumerate(classes) if len(each) > 1]
                invalid.append({number: meeting[number].positions for number in several})
        if not invalid:
            return block
        left = replace(block, excluded=(*block.excluded, *invalid))
        return replace(left, skipped=block.tree.count - left.tree.count)

    def _fits(self, chosen: Mapping[str, tuple[Column, int]]) -> bool:
        texts = {name: column.values[position] for name, (column, position) in chosen.items()}
        for name in ("prompt", "negative_prompt"):
            self._check_template(name, texts, chosen)
        fields = {
            name: str(texts[name])
            for name in self._capabilities.parameters
            if name != "prompt" and texts.get(name) is not None
        }
        misfits = self._capabilities.misfits(fields)
        if not self._skip_invalid:
            for misfit in misfits:
                column, position = chosen[misfit.field]
                self._problems.add(column.place(position), misfit.cause, misfit.accepted)
        return not (misfits and self._skip_invalid)

    def _check_template(self, field: str, texts: Mapping[str, Value], chosen: Mapping[str, tuple[Column, int]]) -> None:
        for name in names(str(texts.get(field) or "")):
            if texts.get(name) is None or name in self._capabilities.parameters:
                column, position = chosen[field]
                here = [each for each in texts if each not in self._capabilities.parameters]
                self._problems.unknown_variable(column.place(position), name, {*here, *self._variables})


def _classes(axis: Axis, number: int, block: Block) -> list[_Class]:
    boxes = [box[number] for box in (*block.excluded, *(each.box for each in block.additions)) if number in box]
    named = frozenset(position for where in boxes for position in where.named if position < len(axis))
    deciding = [column for column in axis.columns if _decides(column)]
    looked_at: Iterable[int] = range(len(axis)) if deciding else sorted(named)
    alike: dict[Hashable, list[int]] = {}
    for position in looked_at:
        kind = (tuple(position in where for where in boxes), tuple(_kind(column, position) for column in deciding))
        alike.setdefault(kind, []).append(position)
    classes = [_Class(positions[0], Positions(frozenset(positions))) for positions in alike.values()]
    if not deciding and (other := _first_outside(named, len(axis))) is not None:
        classes.append(_Class(other, Positions(named, all_but=True)))
    return classes


def _decides(column: Column) -> bool:
    """Can the value at a position of this column change what goes together?"""
    if column.name in DECIDING:
        return True
    if not isinstance(column.values, list | tuple):
        return False  # a range or derived seeds: always sent, and without a template
    return any(value is None or (isinstance(value, str) and "{{" in value) for value in column.values)


def _kind(column: Column, position: int) -> Hashable:
    value = column.values[position]
    if column.name in DECIDING:
        return value
    return tuple(names(value)) if isinstance(value, str) else value is None


def _first_outside(named: frozenset[int], size: int) -> int | None:
    return next((position for position in range(min(size, len(named) + 1)) if position not in named), None)
