"""A plan: what a job would make now, for how much and how long, and how that stands to what is made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from batchgen.comparison import compare
from batchgen.due import count_due, tasks_asked, tasks_due
from batchgen.manifest.survey import survey
from batchgen.pricing import models_due, price, seconds_at_limit

if TYPE_CHECKING:
    from batchgen.comparison import Comparison
    from batchgen.due import Part
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Task
    from batchgen.pricing import Price
    from batchgen.store.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that `plan` shows."""

    manifest: Manifest
    found: Survey
    comparison: Comparison
    price: Price
    """Of the tasks that are asked for and not made."""
    seconds_at_limit: float
    """For the tasks that are asked for and not made."""
    asked: int
    """How many tasks a run of the same part would make."""
    first: tuple[Task, ...]


def make_plan(manifest: Manifest, contents: Contents, part: Part, first: int) -> Plan:
    """The plan of a job against a folder; `first` of its tasks, or the sample that `part` asks for, are listed."""
    found = survey(manifest)
    comparison = compare(manifest, found, contents)
    due = tasks_due(manifest, found, comparison, part)
    listed = islice(due, first) if part.sample is None else tasks_asked(manifest, found, part)
    models = models_due(manifest, found, comparison, part)
    asked = sum(models.values()) if found.duplicates == 0 else count_due(manifest, found, comparison, part)
    return Plan(
        manifest=manifest,
        found=found,
        comparison=comparison,
        price=price(manifest, models, contents.billed_usd),
        seconds_at_limit=seconds_at_limit(asked, manifest.settings.rate_limit.windows),
        asked=asked,
        first=tuple(manifest.task(index) for index in listed),
    )
