"""What can only be seen by looking at all tasks together: equal tasks, and two tasks that want one path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.manifest.paths import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.manifest.manifest import Manifest
    from batchgen.model import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a look at every task found."""

    tasks: int
    """Different tasks."""
    duplicates: int
    """Tasks that are listed again and sent once."""


def distinct(manifest: Manifest) -> Iterator[Task]:
    """Every task once, at its first index."""
    seen: set[str] = set()
    for task in manifest:
        if task.id not in seen:
            seen.add(task.id)
            yield task


def survey(manifest: Manifest) -> Survey:
    """Look at every task; UsageError where two different ones want one path."""
    places: dict[str, int] = {}
    tasks = 0
    for task in distinct(manifest):
        tasks += 1
        first = places.setdefault(folded(task.stem), task.index)
        if first != task.index:
            raise UsageError(
                f"{manifest.file}: output.path: tasks {first} and {task.index} both go to {task.stem}; "
                "name what tells them apart in the path, such as {seed} or {id:12}"
            )
    listed = sum(prompt.listed for prompt in manifest.prompts)
    return Survey(tasks=tasks, duplicates=listed - tasks)
