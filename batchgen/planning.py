"""A plan: what a job would make now, for how much and how long, and how that stands to what is made."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from batchgen.comparison import compare, compare_as_left
from batchgen.due import count_due, tasks_asked, tasks_due
from batchgen.manifest.survey import survey
from batchgen.pricing import models_due, price, seconds_at_limit
from batchgen.store.as_left import last_run
from batchgen.store.database import DamagedError
from batchgen.store.folder import contents_of
from batchgen.store.ledger_file import look_at_ledger
from batchgen.store.tree import disk_errors

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from batchgen.comparison import Comparison
    from batchgen.due import Part
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Task
    from batchgen.pricing import Price


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


def make_plan(manifest: Manifest, folder: Path, part: Part, first: int) -> Plan:
    """The plan of a job against a folder; `first` of its tasks, or the sample that `part` asks for, are listed.

    Raises:
        StorageError: As the disk says.
    """
    found = survey(manifest)
    comparison, billed_usd = _as_left(manifest, found, folder) or _looked_at(manifest, found, folder)
    due = tasks_due(manifest, found, comparison, part)
    listed = islice(due, first) if part.sample is None else tasks_asked(manifest, found, part)
    models = models_due(manifest, found, comparison, part)
    asked = sum(models.values()) if found.duplicates == 0 else count_due(manifest, found, comparison, part)
    return Plan(
        manifest=manifest,
        found=found,
        comparison=comparison,
        price=price(manifest, models, billed_usd),
        seconds_at_limit=seconds_at_limit(asked, manifest.settings.rate_limit.windows),
        asked=asked,
        first=tuple(manifest.task(index) for index in listed),
    )


def _as_left(manifest: Manifest, found: Survey, folder: Path) -> tuple[Comparison, Decimal] | None:
    """From the ledger alone, where it tells all; and what attempts may have cost so far."""
    with disk_errors(folder), suppress(DamagedError):
        ledger = look_at_ledger(folder) if folder.is_dir() else None
        if ledger is None:
            return None
        with closing(ledger):
            if last := last_run(folder, ledger):
                same = last.job == manifest.digest
                comparison = compare_as_left(manifest, found, ledger.made(), ledger.failures(), same=same)
                return None if comparison is None else (comparison, ledger.bill().at_most)
    return None


def _looked_at(manifest: Manifest, found: Survey, folder: Path) -> tuple[Comparison, Decimal]:
    contents = contents_of(folder)
    return compare(manifest, found, contents), contents.billed_usd
