"""What can only be seen by looking at all tasks together: how many, for how much, equal tasks, two tasks on one path.

Counts and prices come from the axes by arithmetic. Equal tasks and shared paths are ruled out from the axes where
they can be (different prompts, different values, enough of the id in the path), looked for one by one up to a million
tasks, and left to the run beyond that.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.manifest.paths import folded
from batchgen.manifest.template import fill, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """Look at all tasks; UsageError where two different ones want one path."""
    total = len(manifest)
    repeated = sum(_repeated(block) * times for prompt in manifest.prompts for block, times in prompt.blocks())
    duplicates = 0 if _all_different(manifest) else _count_equal(manifest)
    models = _models(manifest) if not duplicates else _different_models(manifest)
    if not all(prompt.path.tells_apart for prompt in manifest.prompts) and total <= MOST_LOOKED_AT:
        _check_paths(manifest)
    return Survey(
        tasks=total - (duplicates or 0),
        duplicates=None if duplicates is None else duplicates + repeated,
        skipped=sum(block.skipped * times for prompt in manifest.prompts for block, times in prompt.blocks()),
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
    for prompt in manifest.prompts:
        for block, times in prompt.blocks():
            for model, count in block.counts("model").items():
                found[str(model)] += count * times
    return {model: count for model, count in found.items() if count}


def _different_models(manifest: Manifest) -> dict[str, int]:
    return dict(Counter(dict(manifest.task(index).request.fields)["model"] for index in _first_places(manifest)))


def _all_different(manifest: Manifest) -> bool:
    """Can the axes alone rule out equal tasks? Where every block's points differ and no two prompts are equal."""
    blocks = [block for prompt in manifest.prompts for case in prompt.rows.cases() for block in case.blocks]
    if any(block.additions for block in blocks) or any(
        len(case.blocks) > 1 for prompt in manifest.prompts for case in prompt.rows.cases()
    ):
        return False
    if not all(_points_differ(block) for block in blocks):
        return False
    texts = array("q")
    for prompt in manifest.prompts:
        for text in _texts(prompt):
            if text is None or len(texts) > 2 * MOST_LOOKED_AT:
                return False
            texts.append(hash(text))
    return _equal(texts) == 0


def _points_differ(block: Block) -> bool:
    """A sweep's axis keeps each value once; a zip group may hold a point twice."""
    for axis in block.axes:
        if axis.kind == "zip":
            points = list(zip(*(column.values for column in axis.columns), strict=True))
            if len(set(points)) < len(points):
                return False
    return True


def _texts(prompt: Prompt) -> Iterator[str | None]:
    """Every text that the prompt sends, once for each value of its variables; None where that is too much to say."""
    for row in range(len(prompt.rows)):
        text = prompt.rows.text(row)
        if "{{" not in text:
            yield text
        else:
            yield from _filled(prompt, row, text)


def _filled(prompt: Prompt, row: int, text: str) -> Iterator[str | None]:
    case, pins = prompt.rows.row(row)
    block = case.blocks[0]
    wanted = names(text)
    axes = [axis for axis in block.axes if any(column.name in wanted for column in axis.columns)]
    if sum(len(axis) for axis in axes) > MOST_LOOKED_AT or any(
        column.name not in wanted and axis.kind == "vars" for axis in block.axes for column in axis.columns
    ):
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
    """How many of these numbers stand there already; numbers are 64-bit hashes, equal by chance once in 10^7 jobs."""
    return sum(first == second for first, second in pairwise(sorted(numbers)))


def _check_paths(manifest: Manifest) -> None:
    hashes = array("q", (hash(folded(task.stem)) for task in manifest))
    twice = {first for first, second in pairwise(sorted(hashes)) if first == second}
    if not twice:
        return
    places: dict[str, tuple[str, int]] = {}
    for index, number in enumerate(hashes):
        if number not in twice:
            continue
        task = manifest.task(index)
        identity, first = places.setdefault(folded(task.stem), (task.id, index))
        if identity != task.id:
            raise UsageError(
                f"{manifest.file}: output.path: tasks {first} and {index} both go to {task.stem}; "
                "name what tells them apart in the path, such as {seed} or {id:12}"
            )
