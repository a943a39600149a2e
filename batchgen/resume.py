"""The start of every run: its folder set right, compared with its job, and what is to be made in it.

To begin, to resume, to finish a killed run and to try again what failed are one thing: make the tasks that are asked
for and have no sidecar yet.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING, NoReturn

from batchgen.due import compare, count_due, tasks_due
from batchgen.engine.budget import Caps
from batchgen.errors import UsageError
from batchgen.manifest.survey import survey
from batchgen.model import Billing, Fault
from batchgen.pricing import models_due, price
from batchgen.store.rows import FailureRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from batchgen.due import Comparison, Part
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Attempt
    from batchgen.pricing import Price
    from batchgen.store.contents import Contents
    from batchgen.store.folder import OutputFolder, Recovered
    from batchgen.store.rows import AttemptRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What is to be made in a folder, and what is there."""

    folder: OutputFolder
    recovered: Recovered
    found: Survey
    comparison: Comparison
    asked: int
    """How many tasks this run is to make."""
    given_up: int
    """How many ended for good in earlier runs and are not asked for."""
    price: Price
    caps: Caps
    earlier: Mapping[str, Sequence[Attempt]]
    """By task, what earlier runs tried in vain."""

    @property
    def left(self) -> int:
        """What is due, and neither asked for nor given up."""
        return self.comparison.due - self.asked - self.given_up


def resume(manifest: Manifest, folder: OutputFolder, part: Part, replace: bool) -> Resumed:  # noqa: FBT001 - by a thread
    """Set the folder right, and compare it with the job; blocks.

    Raises:
        UsageError: A picture's place is taken, or a cap can't be kept.
        StorageError: As the disk says.
    """
    found = survey(manifest)
    recovered = folder.recover()
    contents = _with_skipped(manifest, recovered)
    comparison = compare(manifest, found, contents)
    bill = folder.ledger.bill()
    in_the_way = _in_the_way(manifest, found, comparison, part)
    if in_the_way and not replace:
        _refuse(folder, in_the_way)
    caps = _caps(manifest, found, spent=bill.at_most, made=len(contents.made) + bill.in_vain)
    _set_right(folder, contents, comparison)
    for path in dict.fromkeys(in_the_way.values()):
        folder.replace(path)
    return Resumed(
        folder=folder,
        recovered=recovered,
        found=found,
        comparison=comparison,
        asked=count_due(manifest, found, comparison, part),
        given_up=0 if part.again is not None else len(comparison.given_up),
        price=price(manifest, models_due(manifest, found, comparison, part), bill.at_most),
        caps=caps,
        earlier=_earlier(folder.ledger.failed_attempts(), contents),
    )


def _with_skipped(manifest: Manifest, recovered: Recovered) -> Contents:
    """The contents, with the tasks of lost attempts failed where the job will not risk to pay for them again."""
    contents = recovered.contents
    if manifest.retry.ambiguous != "skip":
        return contents
    lost = [row for row in recovered.lost if 0 <= row.task_index < len(manifest) and row.task_id not in contents.made]
    tasks = {row.task_id: manifest.task(row.task_index) for row in lost}
    skipped = [
        FailureRow(identity, task.index, task.prompt_id, Fault.LOST, Billing.MAYBE, None, "its answer was not kept")
        for identity, task in tasks.items()
        if task.id == identity
    ]
    indices = {row.task_id: row.task_index for row in skipped}
    return changed(contents, failures=[*contents.failures, *skipped], indices={**contents.indices, **indices})


def _set_right(folder: OutputFolder, contents: Contents, comparison: Comparison) -> None:
    """What no longer stands goes: sidecars of missing pictures, failures of tasks that the job no longer has."""
    for stem in comparison.missing.values():
        folder.forget(stem)
    failed = {row.task_id: row for row in comparison.failed.values()}
    folder.ledger.forget(failures=[row.task_id for row in contents.failures if row.task_id not in failed])
    folder.ledger.fail(failed.values())


def _earlier(attempts: Iterable[AttemptRow], contents: Contents) -> dict[str, list[Attempt]]:
    earlier: dict[str, list[Attempt]] = defaultdict(list)
    for row in attempts:
        if row.task_id not in contents.made:
            earlier[row.task_id].append(row.attempt)
    return earlier


def _in_the_way(manifest: Manifest, found: Survey, comparison: Comparison, part: Part) -> dict[int, str]:
    """What has the place of a task that is asked for, by task."""
    if not comparison.changed:
        return {}
    due = tasks_due(manifest, found, comparison, part)
    return {index: comparison.changed[index] for index in due if index in comparison.changed}


def _refuse(folder: OutputFolder, in_the_way: Mapping[int, str]) -> NoReturn:
    """A task whose place is taken can't be made: nothing is sent."""
    index, path = next(iter(in_the_way.items()))
    raise UsageError(
        f"{folder.path / path}: has the place of task {index}, but is not its picture ({len(in_the_way):,} such); "
        "move it away, have it moved to replaced/ with --replace, or give another folder with --output"
    )


def _caps(manifest: Manifest, found: Survey, *, spent: Decimal, made: int) -> Caps:
    """The caps, for the life of the folder; a cost that can't be known can't be capped."""
    limits, capabilities = manifest.limits, manifest.settings.provider.capabilities
    unknown = [model for model in found.models if capabilities.price_usd(model) is None]
    if limits.max_cost is not None and unknown:
        raise UsageError(
            f"{manifest.file}: limits.max_cost can't be kept: the price of {unknown[0]} is not known; "
            "give it under provider.prices"
        )
    return Caps(max_cost=limits.max_cost, max_images=limits.max_images, spent=spent, made=made)
