"""What of a job is due: asked for, and not made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import filterfalse, islice
from typing import TYPE_CHECKING

from batchgen.manifest.selection import sample, select, spread, wanted
from batchgen.manifest.survey import distinct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from batchgen.comparison import Comparison
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of a job that is asked for; all of it where nothing is said."""

    only: Sequence[str] = ()
    """`field=values`; see `manifest.selection`."""
    sample: int | None = None
    limit: int | None = None
    again: Collection[Fault] | None = None
    """Only tasks that failed so in earlier runs."""


def tasks_asked(manifest: Manifest, found: Survey, part: Part) -> Iterator[int]:
    """The indices of the tasks that are asked for, made or not; a limit counts only those that are not."""
    if not part.only:
        return iter(distinct(manifest, found)) if part.sample is None else _sampled(manifest, found, part.sample)
    fitting = wanted(manifest, part.only)
    asked = select(manifest, fitting)
    if found.duplicates != 0:
        asked = (index for index in distinct(manifest, found) if manifest.task(index) in fitting)
    return asked if part.sample is None else iter(spread(manifest, list(asked), part.sample))


def tasks_due(manifest: Manifest, found: Survey, comparison: Comparison, part: Part) -> Iterator[int]:
    """The indices of the tasks that are asked for and not made."""
    asked = tasks_asked(manifest, found, part)
    left = comparison.kept.leave_out(asked)
    if part.again is None:
        left = filterfalse(comparison.given_up.__contains__, left)
    else:
        left = (index for index in left if index in comparison.failed and comparison.failed[index].fault in part.again)
    return left if part.limit is None else islice(left, part.limit)


def count_due(manifest: Manifest, found: Survey, comparison: Comparison, part: Part) -> int:
    """How many tasks `tasks_due` gives."""
    if part.only or part.sample is not None or part.again is not None:
        return sum(1 for _ in tasks_due(manifest, found, comparison, part))
    due = comparison.due - len(comparison.given_up)
    return due if part.limit is None else min(due, part.limit)


def _sampled(manifest: Manifest, found: Survey, size: int) -> Iterator[int]:
    """A sample of the different tasks, each at its first place."""
    picked = sample(manifest, size)
    if found.duplicates == 0:
        yield from picked
        return
    left = {manifest.task(index).id for index in picked}
    for index in distinct(manifest, found):
        if not left:
            return
        if (identity := manifest.task(index).id) in left:
            left.remove(identity)
            yield index
