"""What can only be seen by looking at all tasks together: equal tasks, and two tasks that want one path."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
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
    cost_usd: float | None
    """By the price list, if every picture comes at the first try; None where a price is unknown."""
    seconds_at_limit: float
    """The least time that the rate limit leaves for so many requests."""


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
    usd: Decimal | None = Decimal(0)
    for task in distinct(manifest):
        tasks += 1
        price = manifest.settings.provider.capabilities.price_usd(dict(task.request.fields)["model"])
        usd = None if price is None or usd is None else usd + price
        first = places.setdefault(folded(task.stem), task.index)
        if first != task.index:
            raise UsageError(
                f"{manifest.file}: output.path: tasks {first} and {task.index} both go to {task.stem}; "
                "name what tells them apart in the path, such as {seed} or {id:12}"
            )
    listed = sum(prompt.listed for prompt in manifest.prompts)
    windows = manifest.settings.windows
    return Survey(
        tasks=tasks,
        duplicates=listed - tasks,
        cost_usd=None if usd is None else float(usd),
        seconds_at_limit=max((max(tasks - 1, 0) // each.sends * each.seconds for each in windows), default=0.0),
    )
