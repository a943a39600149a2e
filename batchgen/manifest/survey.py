"""What can only be seen by looking at all tasks together: how many, for how much, equal tasks, two tasks on one path.

Counts and prices come from the axes by arithmetic. Equal tasks and shared paths are ruled out from the axes where
they can be (different prompts, different values, enough of the id in the path), looked for one by one up to a million
tasks, and left to the run beyond that.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise, product
from typing import TYPE_CHECKING

from batchgen.manifest.collisions import check_paths
from batchgen.manifest.seeds import DerivedSeed, DerivedSeeds
from batchgen.manifest.sequences import DECIMALS, Chain, Even, Steps
from batchgen.manifest.template import fill, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchgen.manifest.axes import Axis, Column, Value
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.prompts import Prompt

MOST_LOOKED_AT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a look at every task found."""

    tasks: int
    """Different tasks; where duplicates are not known, tasks that may hold some."""
    duplicates: int | None
    """Tasks that are listed again and sent once; None: found as they come."""
    skipped: int
    """Combinations that no model takes and that the job leaves out."""
    models: dict[str, int]
    """Different tasks by model."""


def survey(manifest: Manifest) -> Survey:
    """Look at all tasks; ManifestError where two different ones want one path."""
    total = len(manifest)
    repeated = sum(_repeated(block) * times for block, times in manifest.blocks.items())
    duplicates = 0 if _all_different(manifest) else _count_equal(manifest)
    models = _models(manifest) if not duplicates else _different_models(manifest)
    check_paths(manifest)
    return Survey(
        tasks=total - (duplicates or 0),
        duplicates=None if duplicates is None else duplicates + repeated,
        skipped=sum(block.skipped * times for block, times in manifest.blocks.items()),
        models=models,
    )


def distinct(manifest: Manifest, found: Survey) -> Iterable[int]:
    """The index of every different task, at its first place."""
    return range(len(manifest)) if found.duplicates == 0 else _first_places(manifest)


def _first_places(manifest: Manifest) -> Iterator[int]:
    seen: set[int] = set()
    for task in manifest:
        number = hash(task.id)
        if number not in seen:
            seen.add(number)
            yield task.index


def _repeated(block: Block) -> int:
    """How many combinations are left out because an axis lists a value twice."""
    if block.excluded:
        return 0
    return block.listed - block.tree.count


def _models(manifest: Manifest) -> dict[str, int]:
    found: Counter[str] = Counter()
    for block, times in manifest.blocks.items():
        for model, count in block.counts("model").items():
            found[str(model)] += count * times
    return {model: count for model, count in found.items() if count}


def _different_models(manifest: Manifest) -> dict[str, int]:
    return dict(Counter(dict(manifest.task(index).request.fields)["model"] for index in _first_places(manifest)))


def _all_different(manifest: Manifest) -> bool:
    """Can the axes alone rule out equal tasks? Where every block's points differ and no two prompts are equal."""
    cases = {case for prompt in manifest.prompts for case in prompt.rows.cases()}
    if any(len(case.blocks) > 1 or case.blocks[0].additions for case in cases):
        return False
    if not all(_points_differ(case.blocks[0], manifest) for case in cases):
        return False
    hashes: set[int] = set()
    for prompt in manifest.prompts:
        found = _text_hashes(prompt)
        known = len(hashes)
        hashes.update(found or ())
        if found is None or len(hashes) < known + len(found):
            return False
    return True


def _points_differ(block: Block, manifest: Manifest) -> bool:
    """Does each axis that the prompt does not name send something else at each of its points?"""
    wanted = names(str(block.base["prompt"].values[0]))
    others = [axis for axis in block.axes if not any(column.name in wanted for column in axis.columns)]
    return all(_tells_apart(axis, manifest) for axis in others)


def _tells_apart(axis: Axis, manifest: Manifest) -> bool:
    sent = [column for column in axis.columns if column.name in manifest.settings.provider.capabilities.parameters]
    if len(axis) == 1 or any(_differ(column) for column in sent):
        return True
    if not all(isinstance(column.values, list | tuple) and _as_written(column) for column in sent):
        return False
    read = [[_content(value, column.name, manifest) for value in column.values] for column in sent]
    points = list(zip(*read, strict=True))
    return len(set(points)) == len(axis)


def _differ(column: Column) -> bool:
    """Is this a row of derived seeds, or one range, or ranges that lie apart, whose values are all different?"""
    values = column.values
    if isinstance(values, Chain) and not values.listed:
        return _lie_apart([piece for _, piece in values.lazy])
    if isinstance(values, Even):
        return abs(values.last - values.first) / (len(values) - 1) > Decimal(1).scaleb(-DECIMALS)
    return isinstance(values, Steps | DerivedSeeds)


def _lie_apart(ranges: Sequence[Sequence[str]]) -> bool:
    if not all(isinstance(piece, Steps) for piece in ranges):
        return False
    spans = sorted(sorted((Decimal(piece[0]), Decimal(piece[-1]))) for piece in ranges)
    return all(high < low for (_, high), (low, _) in pairwise(spans))


def _as_written(column: Column) -> bool:
    """Are different values different requests? A template may be filled in alike, a derived seed be one listed too."""
    kinds = {type(value) for value in column.values}
    if DerivedSeed in kinds and len(kinds) > 1:
        return False
    if column.name == "mode" and None in column.values:
        return False  # it follows from the image
    return not any("{{" in value for value in column.values if isinstance(value, str))


def _content(value: Value, name: str, manifest: Manifest) -> Value:
    return manifest.images[str(value)].sha256 if name == "image" and value is not None else value


def _text_hashes(prompt: Prompt) -> Sequence[int] | None:
    """The hash of every text that the prompt sends, one for each value of its variables; None: too much to look at."""
    if not prompt.rows.templates():
        return prompt.rows.text_hashes
    hashes = array("q")
    for row in range(len(prompt.rows)):
        for text in _filled(prompt, row, prompt.rows.text(row)):
            if text is None or len(hashes) > MOST_LOOKED_AT:
                return None
            hashes.append(hash(text))
    return hashes


def _filled(prompt: Prompt, row: int, text: str) -> Iterator[str | None]:
    case, pins = prompt.rows.row(row)
    block = case.blocks[0]
    wanted = names(text)
    axes = [axis for axis in block.axes if any(column.name in wanted for column in axis.columns)]
    if sum(len(axis) for axis in axes) > MOST_LOOKED_AT:
        yield None
        return
    fixed = {name: str(column.values[0]) for name, column in block.base.items()} | {
        name: str(value) for name, value in pins.values.items()
    }
    for positions in product(*(range(len(axis)) for axis in axes)):
        chosen = {
            column.name: str(column.values[position])
            for axis, position in zip(axes, positions, strict=True)
            for column in axis.columns
        }
        yield fill(text, {**fixed, **chosen})


def _count_equal(manifest: Manifest) -> int | None:
    if len(manifest) > MOST_LOOKED_AT:
        return None
    return _equal(array("q", (hash(task.id) for task in manifest)))


def _equal(numbers: array[int]) -> int:
    """How many of these 64-bit hashes stand there already; different tasks share one by chance once in 10^7 jobs."""
    return len(numbers) - len(set(numbers))
