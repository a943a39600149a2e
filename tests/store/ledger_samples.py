"""Rows as runs write them, for the tests of the ledger."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from batchgen.model import Attempt, Billing, Fault
from batchgen.store.database import LEDGER
from batchgen.store.ledger import Ledger
from batchgen.store.rows import Asked, AttemptRow, Changes, FailureRow, PictureRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USD = Decimal("0.065")
STARTED = "2026-11-22T02:30:11.123Z"
BEGUN = Attempt(number=1, started=STARTED, seconds=0.0, billing=Billing.MAYBE)
MADE = Attempt(number=1, started=STARTED, seconds=0.41, billing=Billing.YES, status=200)
FAILED = Attempt(
    number=1, started=STARTED, seconds=0.2, billing=Billing.NO, fault=Fault.THROTTLED, status=429, words="slow down"
)
UNHEARD = FAILED._replace(billing=Billing.MAYBE, fault=Fault.TIMEOUT, status=None, words="no answer")


@contextmanager
def opened_ledger(root: Path) -> Iterator[Ledger]:
    """A folder's ledger, to write to."""
    ledger = Ledger.open(root)
    try:
        yield ledger
    finally:
        ledger.close()


def begun(task: str = "fox", number: int = 1, usd: Decimal | None = USD) -> AttemptRow:
    """An attempt at a task, as it begins; the second of a task begins later."""
    started = STARTED.replace("11.123", f"{10 + number}.123")
    return AttemptRow(task, 7, BEGUN._replace(number=number, started=started), usd)


def start(ledger: Ledger, *rows: AttemptRow) -> list[int]:
    """Begin these; their numbers in the ledger."""
    first = ledger.next_attempt()
    ledger.commit(Changes(started=list(enumerate(rows, start=first))))
    return list(range(first, first + len(rows)))


def picture(task: str = "fox", path: str = "") -> PictureRow:
    """A picture that is kept."""
    return PictureRow(task, 7, path or f"images/{task}.png", 1234, "ab" * 32, "cd" * 32)


def failure(task: str = "fox", fault: Fault = Fault.INVALID, index: int = 7) -> FailureRow:
    """A task that ended without a picture."""
    return FailureRow(task, index, "p", fault, Billing.NO, 400, "the seed is no number")


def a_run(identity: str = "20261122T023011Z-3f9c") -> RunRow:
    """A run as it begins."""
    asked = Asked(job="/jobs/otters.yaml", provider="sandbox", overrides=["sweep.seeds=1..3"])
    return RunRow(id=identity, started=STARTED, tasks=12, orphaned=3, asked=asked)


def copied_as_killed(root: Path, target: Path) -> Path:
    """The files of an open ledger, as a process that is killed now would leave them."""
    target.mkdir()
    for path in root.glob(f"{LEDGER}*"):
        shutil.copy(path, target)
    return target
