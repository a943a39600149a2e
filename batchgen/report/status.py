"""How an output folder stands: what is made, failed and left, and what it cost surely and at most."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.store.folder import contents_of
from batchgen.store.ledger_file import look_at_ledger
from batchgen.store.lock import owner
from batchgen.store.names import AREAS
from batchgen.store.tree import disk_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from batchgen.model import Fault
    from batchgen.store.ledger_reader import LedgerReader
    from batchgen.store.lock import Owner
    from batchgen.store.rows import AttemptRow, FailureRow, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that `status` shows."""

    root: Path
    running: Owner | None
    """The run that goes on in it."""
    last: RunRow | None
    """The last run; None where no ledger tells of one."""
    tasks: int | None
    """Different tasks of the job as last run."""
    made: int
    filtered: int
    failures: Sequence[FailureRow]
    in_doubt: Sequence[AttemptRow]
    """Attempts that were begun, and of whose end nothing is known."""
    in_flight: int
    """Attempts of the run that goes on."""
    spent: Decimal | None
    """US dollars, surely; None where a price is not known."""
    at_most: Decimal | None
    """With all that may have been billed."""
    attempts: int
    faults: Mapping[Fault, int]
    """Failed attempts."""

    @property
    def left(self) -> int | None:
        """Tasks that are neither made nor ended; pictures that the job no longer asks for are none of its."""
        if self.tasks is None or self.last is None:
            return None
        return max(self.tasks - (self.made + self.filtered - self.last.orphaned) - len(self.failures), 0)


def status_of(root: Path) -> Status:
    """How a folder stands; takes and changes nothing, also while a run goes on.

    Raises:
        UsageError: It is no output folder.
        StorageError: As the disk says.
    """
    with disk_errors(root):
        ledger = look_at_ledger(root) if root.is_dir() else None
        if ledger is not None:
            with closing(ledger):
                return _of_ledger(root, ledger)
        if not any((root / area).is_dir() for area in AREAS):
            raise UsageError(f"{root}: is no output folder; give the folder that a run printed, as output/quickstart")
    contents = contents_of(root)
    return Status(
        root=root,
        running=owner(root),
        last=None,
        tasks=None,
        made=len(contents.made) - len(contents.filtered),
        filtered=len(contents.filtered),
        failures=(),
        in_doubt=(),
        in_flight=0,
        spent=None,
        at_most=None,
        attempts=0,
        faults={},
    )


def _of_ledger(root: Path, ledger: LedgerReader) -> Status:
    running = owner(root)
    runs, bill, doubt = ledger.runs(), ledger.bill(), ledger.in_doubt()
    made, filtered = ledger.counts()
    in_flight = bill.unsettled if running else 0
    return Status(
        root=root,
        running=running,
        last=runs[-1] if runs else None,
        tasks=runs[-1].tasks if runs else None,
        made=made,
        filtered=filtered,
        failures=ledger.failures(),
        in_doubt=[row for row in doubt if row.attempt.fault or not running],
        in_flight=in_flight,
        spent=None if bill.unpriced else bill.spent,
        at_most=None if bill.unpriced else bill.at_most,
        attempts=bill.attempts,
        faults=bill.faults,
    )
