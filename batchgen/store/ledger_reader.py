"""What the ledger of a folder holds, as values: what is made, what failed, what is in doubt, and what all of it costs.

It is read while a run writes to it, and as it is: neither made, nor brought to this version, nor mended.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from batchgen.errors import StorageError, one_line
from batchgen.model import Attempt, Billing, Fault
from batchgen.store.database import DAMAGED, LEDGER, TABLES, DamagedError, connect, faults, sense, tables_of, version_of
from batchgen.store.rows import Asked, AttemptRow, Bill, FailureRow, PictureRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IN_DOUBT: Final = f"(billing IS NULL OR fault = '{Fault.LOST}')"
_BY_PLACE: Final = """
    SELECT task, idx, path, bytes, sha256, sidecar_sha256 FROM pictures
    ORDER BY rtrim(path, replace(path, '/', '')), rtrim(path, replace(path, '.', '')), seq
"""


class LedgerReader:
    """One connection to a folder's ledger."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self._path = path

    @classmethod
    def look(cls, root: Path) -> Self | None:
        """The ledger to read from only, also while a run writes to it; None where there is none.

        Raises:
            DamagedError: What is there is no whole ledger.
            StorageError: It is of a newer batchgen, or the disk fails.
        """
        path = root / LEDGER
        if not path.is_file() or path.stat().st_size == 0:
            return None
        uri = path.absolute().as_uri()
        with faults(path):
            if path.with_name(f"{path.name}-wal").exists():  # a run goes on, or was killed
                with suppress(sqlite3.OperationalError):  # where nothing can be written beside it
                    return cls._made(connect(path, f"{uri}?mode=ro"), path)
            # Else SQLite would make the files in which readers and writers meet, and nobody is there.
            return cls._made(connect(path, f"{uri}?immutable=1"), path)

    @classmethod
    def _made(cls, connection: sqlite3.Connection, path: Path) -> Self | None:
        """None where a run was killed before it had made a single table."""
        if tables_of(connection):
            return cls(connection, path)
        connection.close()
        return None

    def close(self) -> None:
        """All that was committed is in the one file then."""
        with suppress(sqlite3.Error):  # what was committed lasts without it
            self._db.close()

    def check(self) -> str:
        """What SQLite's own check finds wrong, in one line, or nothing."""
        try:
            found = [str(row[0]) for row in self._rows("PRAGMA integrity_check(10)")]
        except DamagedError as error:
            found = [str(error.__cause__)]
        return "" if found == ["ok"] else "; ".join(found)

    # What it holds

    def runs(self) -> list[RunRow]:
        """Every run, the first one first."""
        query = "SELECT * FROM runs ORDER BY seq"  # of a version that is looked at as it is, with fewer columns
        with sense(self._path):
            return [
                RunRow(
                    id=run,
                    started=started,
                    tasks=tasks,
                    orphaned=orphaned,
                    asked=Asked(**json.loads(settings)),
                    job=job[0] if job else None,
                    ended=ended,
                    ending=ending,
                    why=why,
                )
                for _, run, started, tasks, orphaned, settings, ended, ending, why, *job in self._rows(query)
            ]

    def pictures(self) -> Iterator[PictureRow]:
        """Every picture, in the order in which they were kept."""
        query = "SELECT task, idx, path, bytes, sha256, sidecar_sha256 FROM pictures ORDER BY seq"
        return map(PictureRow._make, self._rows(query))

    def made(self) -> Iterator[tuple[str, int]]:
        """Task and index of every picture."""
        return self._rows("SELECT task, idx FROM pictures")

    def paths(self) -> Iterator[str]:
        """The path of every picture."""
        return (path for (path,) in self._rows("SELECT path FROM pictures"))

    def failures(self) -> list[FailureRow]:
        """Every task that ended without a picture."""
        query = "SELECT task, idx, prompt_id, fault, billing, status, words FROM failures ORDER BY idx, task"
        with sense(self._path):
            return [
                FailureRow(task, index, prompt, Fault(fault), Billing(billing), status, words)
                for task, index, prompt, fault, billing, status, words in self._rows(query)
            ]

    def counts(self) -> tuple[int, int]:
        """How many pictures are kept, and how many that the server filtered."""
        query = "SELECT count(*), coalesce(sum(path LIKE 'filtered/%'), 0) FROM pictures"
        total, filtered = next(self._rows(query))
        return total - filtered, filtered

    def failed_attempts(self) -> Iterator[AttemptRow]:
        """Every attempt that is settled and brought no picture, in their order."""
        return (row for _, row in self._attempts("fault IS NOT NULL"))

    def in_doubt(self) -> list[AttemptRow]:
        """Attempts that were begun and of whose end nothing is known; while a run goes on, also what is in flight."""
        return [row for _, row in self._attempts(_IN_DOUBT)]

    def is_settled(self) -> bool:
        """Has every attempt that was begun an end?"""
        return next(self._rows("SELECT 1 FROM attempts WHERE billing IS NULL LIMIT 1"), None) is None

    def bill(self) -> Bill:
        """What all attempts come to; one that is not settled may have been billed."""
        query = "SELECT billing, fault, usd, count(*) FROM attempts GROUP BY billing, fault, usd"
        spent = at_most = Decimal(0)
        attempts = unsettled = in_vain = 0
        unpriced, faults = False, Bill().faults
        with sense(self._path):
            for billing, fault, usd, count in self._rows(query):
                attempts += count
                unsettled += 0 if billing else count
                if fault:
                    faults[Fault(fault)] += count
                billed = Billing(billing or Billing.MAYBE)
                if billed is not Billing.NO:
                    in_vain += count if fault or not billing else 0
                    unpriced = unpriced or usd is None
                    at_most += Decimal(usd or 0) * count
                    spent += Decimal(usd or 0) * count if billed is Billing.YES else 0
        return Bill(
            spent=spent,
            at_most=at_most,
            unpriced=unpriced,
            faults=faults,
            attempts=attempts,
            in_vain=in_vain,
            unsettled=unsettled,
        )

    def next_attempt(self) -> int:
        """The number that the next attempt gets."""
        return int(next(self._rows("SELECT coalesce(max(seq), 0) + 1 FROM attempts"))[0])

    # What verifying asks

    def flaw(self) -> str:
        """What is wrong with it, in one line, or nothing: what `check` finds, its tables, rows that say no sense."""
        try:
            if found := self.check():
                return found
            if not version_of(self._db) or not tables_of(self._db) >= TABLES:
                return "is no ledger of batchgen"
            for read in (self.runs, self.failures, lambda: self._attempts("1"), self.by_place):
                deque(read(), maxlen=0)
            self.bill()
        except (StorageError, ValueError, TypeError, LookupError, ArithmeticError) as error:
            code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code not in {*DAMAGED, sqlite3.SQLITE_ERROR}:  # the disk, not what is on it
                raise
            return f"holds what batchgen never writes ({one_line(str(error), 200)})"
        return ""

    def by_place(self) -> Iterator[PictureRow]:
        """Every picture, by its folder with its last `/` and then by its path up to its last dot, byte by byte."""
        return map(PictureRow._make, self._rows(_BY_PLACE))

    def _attempts(self, where: str, *values: str) -> Iterator[tuple[int, AttemptRow]]:
        query = (
            "SELECT seq, task, idx, number, started, usd, seconds, billing, fault, status, words FROM attempts WHERE "
        )
        for seq, task, index, number, started, usd, seconds, billing, fault, status, words in self._rows(
            query + where, *values
        ):
            with sense(self._path):
                attempt = Attempt(
                    number=number,
                    started=started,
                    seconds=seconds or 0.0,
                    billing=Billing(billing or Billing.MAYBE),
                    fault=Fault(fault) if fault else None,
                    status=status,
                    words=words or "",
                )
                row = AttemptRow(task, index, attempt, None if usd is None else Decimal(usd))
            yield seq, row

    def _rows(self, query: str, *values: str) -> Iterator[Any]:
        with faults(self._path):
            for row in self._db.execute(query, values):  # noqa: UP028 - which would close a cursor that outlives its ledger
                yield row
