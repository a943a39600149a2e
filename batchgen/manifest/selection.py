"""A part of a job: the tasks with some values (`--only`), or a few that show every value of every axis (`--sample`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchgen.errors import ManifestError, UsageError, nearest
from batchgen.manifest.axes import ColumnReader, Variable
from batchgen.manifest.exclusions import Positions
from batchgen.manifest.reading.problems import Problems
from batchgen.manifest.reading.reader import read
from batchgen.manifest.seeds import DerivedSeed
from batchgen.manifest.sources import PLURALS
from batchgen.manifest.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from batchgen.manifest.axes import Column, Reads, Value
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.prompts import Prompt
    from batchgen.model import Task


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values that tasks must have, by name of a field or variable; None: they do not have it."""

    values: dict[str, Collection[Value]]

    def __contains__(self, task: Task) -> bool:
        image = {"image": task.request.image.path} if task.request.image else {}
        known = {**task.variables, **dict(task.request.fields), **image, "prompt_id": task.prompt_id}
        return all(known.get(name) in values for name, values in self.values.items())


def wanted(manifest: Manifest, settings: Sequence[str]) -> Wanted:
    """What `--only` asks for: `seed=1..4`, `style_preset=anime`; the same name twice means either.

    Raises:
        UsageError: A setting names no field or variable, or no value of it.
    """
    found: dict[str, set[Value]] = {}
    parameters = manifest.settings.provider.capabilities.parameters
    variables = {name for block in manifest.blocks for name in block.names}
    known = {*parameters, *variables, "prompt_id"}
    for setting in settings:
        key, sign, text = setting.partition("=")
        name = PLURALS.get(key.strip(), key.strip())
        if not sign or name not in known:
            accepted = f"{nearest(name, known)} accepted: {', '.join(sorted(known))}".strip()
            raise UsageError(f"--only {setting}: not a field=value; {accepted}")
        found.setdefault(name, set()).update(_values(setting, text, parameters.get(name) or Variable(name=name)))
    return Wanted(dict(found))


def _values(setting: str, text: str, parameter: Reads) -> Sequence[Value]:
    try:
        document = read(f"only: {text}\n".encode(), f"--only {setting}", {})
        problems = Problems(document)
        spec = document.values["only"]
        column = ColumnReader(problems).read(parameter, spec, "--only", ("only",))
        problems.check()
    except ManifestError as error:
        first = error.problems[0]
        raise UsageError(f"--only {setting}: {first.cause}; {first.accepted}") from None
    if any(isinstance(value, DerivedSeed) for value in column.values):
        raise UsageError(f"--only {setting}: names no seeds of the job; give them as they are, such as seed=1..4")
    return column.values


def sample(manifest: Manifest, size: int) -> list[int]:
    """The indices of `size` tasks, in order: those that show every value of every axis, then others evenly spread."""
    total = len(manifest)
    if size >= total:
        return list(range(total))
    picked: dict[int, None] = {}
    units = enumerate(_units(manifest, size))
    shows = [_shows(manifest, prompt, row, size, turn) for turn, (prompt, row) in units]
    while shows and len(picked) < size:
        for each in list(shows):
            index = next(each, None)
            if index is None:
                shows.remove(each)
            elif len(picked) < size:
                picked[index] = None
    for number in range(total):
        if len(picked) == size:
            break
        picked[number * total // size if number < size else number - size] = None
    return sorted(picked)


def spread(manifest: Manifest, indices: Sequence[int], size: int) -> list[int]:
    """Of these tasks `size`, in order: as they come those that show a value not seen yet, then others evenly spread."""
    if size >= len(indices):
        return list(indices)
    picked: dict[int, None] = {}
    seen: set[tuple[str, str]] = set()
    for index in indices:
        task = manifest.task(index)
        values = {*task.request.fields, *task.variables.items()}
        if not values <= seen and len(picked) < size:
            seen |= values
            picked[index] = None
    for number in range(len(indices)):
        if len(picked) < size:
            picked[indices[number * len(indices) // size if number < size else number - size]] = None
    return sorted(picked)


def _units(manifest: Manifest, most: int) -> Iterator[tuple[Prompt, int]]:
    """Every prompt; of a data file's rows so many, evenly spread."""
    for prompt in manifest.prompts:
        rows = len(prompt.rows)
        yield from ((prompt, number * rows // min(rows, most)) for number in range(min(rows, most)))


def _shows(manifest: Manifest, prompt: Prompt, row: int, most: int, turn: int) -> Iterator[int]:
    """Tasks of one row that together show every value of its axes, each task as many new ones as it can.

    Each prompt begins at another value, its `turn`, so that a few tasks of many prompts show many values.
    """
    start = manifest.start(prompt) + (prompt.rows.ends[row - 1] if row else 0) * prompt.repeat
    for block in prompt.rows.case(row).blocks:
        for positions in _cover(block, most, turn):
            rank = block.tree.rank(positions)
            if rank is not None:
                yield start + rank * prompt.repeat
        start += block.tree.count * prompt.repeat


def _cover(block: Block, most: int, turn: int) -> Iterator[list[int]]:
    """Combinations until every position that stands in any has been seen; of a long axis, `most` of its positions."""
    unseen = [
        {number * len(axis) // min(len(axis), most) for number in range(min(len(axis), most))} for axis in block.axes
    ]
    if not any(unseen):
        yield []
    while any(unseen):
        first = max(range(len(unseen)), key=lambda axis: len(unseen[axis]))
        box: dict[int, Positions] = {}
        found: Tree | None = None
        for axis in sorted(range(len(unseen)), key=lambda each: each != first):
            fresh = {sorted(unseen[axis])[turn % len(unseen[axis])]} if axis == first else unseen[axis]
            if not fresh:
                continue
            tree = _within(block, {**box, axis: Positions(frozenset(fresh))})
            if tree.count:
                box[axis], found = Positions(frozenset(fresh)), tree
            elif axis == first:
                unseen[axis] -= fresh  # no combination holds it
                break
        if found is None:
            continue
        positions = found.nth(turn % found.count)
        for axis, position in enumerate(positions):
            unseen[axis].discard(position)
        yield positions


def _within(block: Block, box: dict[int, Positions]) -> Tree:
    outside = [{axis: where.complement()} for axis, where in box.items()]
    return Tree(block.tree.sizes, (*block.excluded, *outside))


def select(manifest: Manifest, part: Wanted) -> Iterator[int]:
    """The indices of the tasks that have the wanted values, in order.

    The axes rule out most of what does not fit without looking at it; what is left is looked at task by task.
    """
    allowed: dict[Block, list[Sequence[int]]] = {}
    start = 0
    for prompt in manifest.prompts:
        for row in range(len(prompt.rows)):
            case, pins = prompt.rows.row(row)
            for block in case.blocks:
                if block not in allowed:
                    allowed[block] = [_allowed(axis.columns, _decided(block, part)) for axis in block.axes]
                if _may_fit({**block.constants, **pins.values}, _decided(block, part)):
                    ranks = (block.tree.rank(positions) for positions in _product(allowed[block]))
                    for rank in ranks:
                        if rank is not None:
                            first = start + rank * prompt.repeat
                            yield from (i for i in range(first, first + prompt.repeat) if manifest.task(i) in part)
                start += block.tree.count * prompt.repeat


def _decided(block: Block, part: Wanted) -> dict[str, Collection[Value]]:
    """What is wanted of the names whose values stand as they are: no template is filled in, no include adds to them."""
    added = {name for addition in block.additions for name in addition.columns}
    return {name: values for name, values in part.values.items() if name not in {*added, "prompt", "negative_prompt"}}


def _may_fit(values: Mapping[str, Value], decided: Mapping[str, Collection[Value]]) -> bool:
    return all(
        name not in values or isinstance(values[name], DerivedSeed) or values[name] in wanted
        for name, wanted in decided.items()
    )


def _allowed(columns: Iterable[Column], decided: Mapping[str, Collection[Value]]) -> Sequence[int]:
    """The positions of an axis that may fit: all, where nothing is wanted of it."""
    read = [(column.values, decided[column.name]) for column in columns if column.name in decided]
    everything = range(max(len(column.values) for column in columns))
    if not read:
        return everything
    return [
        position
        for position in everything
        if all(isinstance(values[position], DerivedSeed) or values[position] in wanted for values, wanted in read)
    ]


def _product(axes: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """itertools.product, without first holding every axis."""
    if not axes:
        yield ()
        return
    for position in axes[0]:
        yield from ((position, *others) for others in _product(axes[1:]))
