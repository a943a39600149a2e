"""The start of every run: its folder set right, compared with its job, and what is to be made in it.

To begin, to resume, to finish a killed run and to try again what failed are one thing: make the tasks that are asked
for and have no sidecar yet.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from batchgen.comparison import compare, compare_as_left
from batchgen.due import tasks_asked, tasks_due
from batchgen.engine.budget import Caps
from batchgen.engine.policy import is_final
from batchgen.errors import UsageError
from batchgen.manifest.survey import survey
from batchgen.model import Billing, Fault
from batchgen.pricing import models_due, price
from batchgen.store.database import DamagedError
from batchgen.store.rows import FailureRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from batchgen.comparison import Comparison
    from batchgen.due import Part
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Attempt
    from batchgen.pricing import Price
    from batchgen.store.folder import OutputFolder
    from batchgen.store.rows import AttemptRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What is to be made in a folder, and what is there."""

    folder: OutputFolder
    finished: int
    """Pictures that an earlier run left unfinished or kept elsewhere, and that were whole."""
    lost: Sequence[AttemptRow]
    """Attempts that it began, and of whose end nothing is known."""
    found: Survey
    comparison: Comparison
    due: Sequence[int]
    """The indices of the tasks that this run is to make; 8 bytes each, found here since it can take long."""
    given_up: int
    """How many ended for good in earlier runs and are not asked for."""
    price: Price
    caps: Caps
    earlier: Mapping[str, Sequence[Attempt]]
    """By task, what earlier runs tried in vain."""

    @property
    def asked(self) -> int:
        """How many tasks this run is to make."""
        return len(self.due)

    @property
    def left(self) -> int:
        """What is due, and neither asked for nor given up."""
        ended = self.comparison.given_up
        return self.comparison.due - self.asked - (len(ended) - sum(index in ended for index in self.due if ended))


def resume(manifest: Manifest, folder: OutputFolder, part: Part, replace: bool) -> Resumed:  # noqa: FBT001 - by a thread
    """Set the folder right, and compare it with the job; blocks.

    Raises:
        UsageError: A picture's place is taken, or a cap can't be kept.
        StorageError: As the disk says.
    """
    found = survey(manifest)
    standing = _as_left(manifest, found, folder) or _looked_at(manifest, found, folder)
    _refuse_unknown(manifest, folder)
    comparison = standing.comparison
    due = array("q", tasks_due(manifest, found, comparison, part))
    if in_the_way := {index: comparison.changed[index] for index in due if index in comparison.changed}:
        if not replace:
            _refuse(folder, in_the_way)
        folder.replace(in_the_way.values())
        again = resume(manifest, folder, part, replace)  # what waited for these places is finished now, not paid again
        doubt = {(row.task_id, row.attempt.number) for row in folder.ledger.in_doubt()}
        lost = [row for row in (*standing.lost, *again.lost) if (row.task_id, row.attempt.number) in doubt]
        return changed(again, finished=standing.finished + again.finished, lost=lost)
    bill = folder.ledger.bill()
    caps = _caps(manifest, found, spent=bill.at_most, made=standing.made + bill.in_vain)
    _set_right(manifest, folder, standing.known, comparison)
    return Resumed(
        folder=folder,
        finished=standing.finished,
        lost=standing.lost,
        found=found,
        comparison=comparison,
        due=due,
        given_up=_given_up(manifest, found, comparison, part),
        price=price(manifest, models_due(manifest, found, comparison, part), bill.at_most),
        caps=caps,
        earlier={identity: [row.attempt for row in rows] for identity, rows in standing.earlier.items()},
    )


class _Standing(NamedTuple):
    """How a folder stands against its job."""

    comparison: Comparison
    known: Sequence[FailureRow]
    """The failures that the ledger holds."""
    earlier: Mapping[str, Sequence[AttemptRow]]
    """By task that is not made, what was tried in vain."""
    made: int
    finished: int = 0
    lost: Sequence[AttemptRow] = ()


def _as_left(manifest: Manifest, found: Survey, folder: OutputFolder) -> _Standing | None:
    """From the ledger alone, where the folder holds what that says: a million pictures in seconds and few bytes."""
    last = folder.as_left()
    if last is None:
        return None
    ledger = folder.ledger
    with suppress(DamagedError):  # which a look mends
        earlier = _by_task(ledger.failed_attempts())
        for identity, _ in ledger.made() if earlier else ():
            earlier.pop(identity, None)
        known = ledger.failures()
        failures = [*known, *_skipped(manifest, known, earlier)]
        comparison = compare_as_left(manifest, found, ledger.made(), failures, same=last.job == manifest.digest)
        if comparison is not None:
            return _Standing(comparison, known, earlier, len(comparison.kept) + comparison.orphaned)
    return None


def _looked_at(manifest: Manifest, found: Survey, folder: OutputFolder) -> _Standing:
    """From a look at everything in the folder, which is set right first."""
    recovered = folder.recover()
    contents = recovered.contents
    earlier = _by_task(row for row in folder.ledger.failed_attempts() if row.task_id not in contents.made)
    skipped = _skipped(manifest, contents.failures, earlier)
    indices = {row.task_id: row.task_index for row in skipped}
    contents = changed(contents, failures=[*contents.failures, *skipped], indices={**contents.indices, **indices})
    comparison = compare(manifest, found, contents)
    known = recovered.contents.failures
    return _Standing(comparison, known, earlier, len(contents.made), recovered.finished, recovered.lost)


def _given_up(manifest: Manifest, found: Survey, comparison: Comparison, part: Part) -> int:
    """How many of the tasks that the part names are not asked for, since they ended for good."""
    if part.again is not None or not comparison.given_up:
        return 0
    if not part.only and part.sample is None:
        return len(comparison.given_up)
    return sum(index in comparison.given_up for index in tasks_asked(manifest, found, part))


def _skipped(
    manifest: Manifest, failures: Iterable[FailureRow], earlier: Mapping[str, Sequence[AttemptRow]]
) -> list[FailureRow]:
    """The tasks that may have been paid for, as failures, where the job will not risk to pay again.

    Told from the ledger's attempts alone, so that it does not matter which run lost them and where it was interrupted.
    """
    if manifest.retry.ambiguous != "skip":
        return []
    failed = {row.task_id for row in failures if is_final(row.fault, row.billing, row.status, ambiguous=False)}
    doubtful = (_last_doubtful(rows) for identity, rows in earlier.items() if identity not in failed)
    return [_as_failure(row) for row in doubtful if row is not None]


def _last_doubtful(rows: Sequence[AttemptRow]) -> AttemptRow | None:
    return next((row for row in reversed(rows) if row.attempt.billing is Billing.MAYBE), None)


def _as_failure(row: AttemptRow) -> FailureRow:
    tried = row.attempt
    words = tried.words or "its answer was not kept"
    return FailureRow(row.task_id, row.task_index, "", tried.fault or Fault.LOST, Billing.MAYBE, tried.status, words)


def _set_right(manifest: Manifest, folder: OutputFolder, known: Iterable[FailureRow], comparison: Comparison) -> None:
    """What no longer stands goes: sidecars of missing pictures, failures of tasks that are made or not in the job."""
    for stem in comparison.missing.values():
        folder.forget(stem)
    failures = {row.task_id: row for row in known}
    standing = [
        row._replace(task_index=index, prompt_id=manifest.task(index).prompt_id)
        for index, row in comparison.failed.items()
    ]
    folder.ledger.forget(failures=list(failures.keys() - {row.task_id for row in standing}))
    folder.ledger.fail([row for row in standing if row != failures.get(row.task_id)])


def _by_task(attempts: Iterable[AttemptRow]) -> dict[str, list[AttemptRow]]:
    found: dict[str, list[AttemptRow]] = defaultdict(list)
    for row in attempts:
        found[row.task_id].append(row)
    return found


def _refuse_unknown(manifest: Manifest, folder: OutputFolder) -> None:
    """What a damaged ledger knew to be in doubt is not known any more: where that must count, nothing is sent."""
    if folder.set_aside and (manifest.retry.ambiguous == "skip" or manifest.limits.max_cost is not None):
        raise UsageError(
            f"{folder.set_aside}: was damaged, so what was paid for in vain is not known, and neither max_cost nor "
            "ambiguous: skip can be kept; nothing was sent; run again to go on without that knowledge"
        )


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
