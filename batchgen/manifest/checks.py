"""Does every combination make a request that the model can take? Looked at by kinds of combinations, not one by one.

Whether fields go together depends on the model, the mode and which fields are sent, never on which of a million seeds
it is. So the positions of the axes that have a say fall into a few classes, and one combination of each meeting of
classes is looked at, if any is left there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from batchgen.manifest.exclusions import Entangled, Positions
from batchgen.manifest.sequences import Chain, Lazy
from batchgen.manifest.template import fill, names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from batchgen.manifest.axes import Axis, Column, Value
    from batchgen.manifest.exclusions import Box
    from batchgen.manifest.matrix import Addition, Block
    from batchgen.manifest.reading.document import Where
    from batchgen.manifest.reading.problems import Problems
    from batchgen.providers.capabilities import Capabilities

DECIDING = ("model", "mode")
"""Fields whose very value decides what goes with them; of all others it matters only whether they are sent."""
TEXTS = ("prompt", "negative_prompt")
"""Fields in which variables are named."""


MOST_MEETINGS = 20_000
"""Classes that meet in more ways than this are not looked at."""


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
        """The block without what can't be sent, where that is skipped; otherwise what can't be sent is noted.

        Raises:
            ManifestError: Its combinations are beyond counting, so nothing more can be said of the job.
        """
        try:
            invalid = self._invalid(block)
            if not self._problems.found:  # what can't be read stands as an empty text
                self._check_lengths(block)
            left = replace(block, excluded=(*block.excluded, *invalid)) if invalid else block
            return replace(left, skipped=block.tree.count - left.tree.count) if invalid else block
        except Entangled:
            cause = "excludes and includes that overlap in too many ways to be counted"
            self._problems.add(_entangled_at(block), cause, "write fewer, on fewer axes")
            self._problems.check()
            raise

    def _invalid(self, block: Block) -> list[Box]:
        """The combinations that can't be sent and are to be skipped, as boxes."""
        additions = self._telling(block)
        classes = {
            number: found for number, axis in enumerate(block.axes) if (found := _classes(axis, number, additions))
        }
        if prod(len(each) for each in classes.values()) > MOST_MEETINGS:
            raise Entangled
        several = [number for number, each in classes.items() if len(each) > 1]
        invalid: list[Box] = []
        for meeting in product(*classes.values()):
            box = dict(zip(classes, meeting, strict=True))
            positions = block.tree.first_in(box)
            if positions is not None and not self._fits(block.chosen(positions)):
                invalid.append({number: box[number] for number in several})
        return invalid

    def _telling(self, block: Block) -> list[Addition]:
        """The additions that can change what goes together: those of a name that some of them make of another kind."""
        base = {name: column.values[0] for name, column in block.base.items()}
        added = [(name, column.values[0]) for addition in block.additions for name, column in addition.columns.items()]
        changed = {name for name, value in added if _kind(name, value) != _kind(name, base.get(name))}
        if changed:
            named = {name for each in _texts(block) for value in each.values for name in names(str(value))}
            changed &= {*self._capabilities.parameters, *named}
        return [addition for addition in block.additions if not changed.isdisjoint(addition.columns)]

    def _fits(self, chosen: Mapping[str, tuple[Column, int]]) -> bool:
        texts = {name: column.values[position] for name, (column, position) in chosen.items()}
        for name in TEXTS:
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

    def _check_lengths(self, block: Block) -> None:
        """A template may be too long or empty once it is filled in: its longest and its shortest filling are tried."""
        for field in (each for each in TEXTS if each in block.base):
            template = str(block.base[field].values[0] or "")
            wanted = names(template)
            for pick in (max, min) if wanted else ():
                values = _filling(block, wanted, pick)
                if values is None or not set(wanted) <= values.keys():
                    continue
                text = fill(template, values)
                try:
                    self._capabilities.parameters[field].text(text)
                except ValueError as error:
                    cause = f"once its variables are filled in, {field} has {len(text):,} characters"
                    self._problems.add(block.base[field].place(), cause, str(error))

    def _check_template(self, field: str, texts: Mapping[str, Value], chosen: Mapping[str, tuple[Column, int]]) -> None:
        for name in names(str(texts.get(field) or "")):
            if texts.get(name) is None or name in self._capabilities.parameters:
                column, position = chosen[field]
                here = [each for each in texts if each not in self._capabilities.parameters]
                self._problems.unknown_variable(column.place(position), name, {*here, *self._variables})


def _entangled_at(block: Block) -> Where:
    """The place of the first include, or else of the prompt."""
    columns = [column for addition in block.additions for column in addition.columns.values()]
    return (columns or [block.base["prompt"]])[0].place()


def _filling(block: Block, wanted: Collection[str], pick: Callable[..., int]) -> dict[str, str] | None:
    """The values of a combination that fills a template in to its longest (max) or shortest (min); None: there is none.

    Variables that includes add or that rows give are not looked at.
    """
    box = {
        number: Positions(frozenset({pick(_telling_positions(axis), key=partial(_length, axis, wanted))}))
        for number, axis in enumerate(block.axes)
        if len(axis) and any(column.name in wanted for column in axis.columns)
    }
    positions = block.tree.first_in(box)
    if positions is None:
        return None
    chosen = {name: column.values[at] for name, (column, at) in block.chosen(positions).items()}
    return {name: str(value) for name, value in chosen.items() if value is not None}


def _telling_positions(axis: Axis) -> Sequence[int]:
    """Positions that hold the longest and the shortest value: of a range, its ends, near enough."""
    ends = {0, len(axis) - 1}
    for column in axis.columns:
        if isinstance(column.values, Chain):
            ends.update(column.values.told_apart)
        elif not isinstance(column.values, Lazy):
            return range(len(axis))
    return sorted(ends)


def _length(axis: Axis, wanted: Collection[str], position: int) -> int:
    """How many characters the wanted values at a position have."""
    return sum(len(str(column.values[position])) for column in axis.columns if column.name in wanted)


def _texts(block: Block) -> Iterator[Column]:
    """Everything in which a variable can be named."""
    columns = [column for axis in block.axes for column in axis.columns]
    columns += [column for addition in block.additions for column in addition.columns.values()]
    yield from (column for column in (*block.base.values(), *columns) if column.name in TEXTS)


def _classes(axis: Axis, number: int, additions: Iterable[Addition]) -> list[Positions]:
    """Positions of an axis that are alike for every check; none where all of them are."""
    held: dict[int, list[int]] = {}
    for which, addition in enumerate(additions):
        for position in addition.box[number].named if number in addition.box else ():
            held.setdefault(position, []).append(which)
    deciding = [column for column in axis.columns if _decides(column)]
    alike: dict[Hashable, list[int]] = {}
    for position in range(len(axis)) if deciding else sorted(held):
        kinds = tuple(_kind(column.name, column.values[position]) for column in deciding)
        alike.setdefault((tuple(held.get(position, ())), kinds), []).append(position)
    classes = [Positions(frozenset(positions)) for positions in alike.values()]
    if held and not deciding and len(held) < len(axis):
        classes.append(Positions(frozenset(held), all_but=True))
    return classes


def _decides(column: Column) -> bool:
    """Can the value at a position of this column change what goes together?"""
    if column.name in DECIDING:
        return True
    if isinstance(column.values, Lazy) and not isinstance(column.values, Chain):
        return False  # a range or derived seeds: always sent, and without a template
    listed = column.values.listed if isinstance(column.values, Chain) else column.values
    return any(value is None or (isinstance(value, str) and "{{" in value) for value in listed)


def _kind(name: str, value: Value) -> Hashable:
    """What of a value decides what goes together."""
    if name in DECIDING or value is None:
        return value
    return tuple(names(value)) if isinstance(value, str) else ()
