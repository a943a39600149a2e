"""The ledger of an output folder, in SQLite: every attempt from before it was sent, and what came of each task.

What is made can be rebuilt from the sidecars, never the other way round; only the ledger knows which attempts began and
never ended. Attempts and pictures are added at the end of their tables, so that the millionth costs what the first did.
With WAL and synchronous=FULL a commit lasts. All of it blocks, and a ledger is used by one thread at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from batchgen.errors import StorageError, one_line
from batchgen.model import Attempt, Billing, Fault
from batchgen.store import durable
from batchgen.store.database import (
    DAMAGED,
    TABLES,
    DamagedError,
    check,
    connect,
    faults,
    migrate,
    sense,
    tables_of,
    version_of,
)
from batchgen.store.rows import Asked, AttemptRow, Bill, FailureRow, PictureRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from batchgen.store.rows import Changes

LEDGER: Final = "batchgen.sqlite"


class Ledger:
    """One connection to a folder's ledger."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self._path = path
        self._run: int | None = None

    @classmethod
    def open(cls, root: Path) -> Self:
        """The ledger to write to, made if it is missing and brought to this version.

        Raises:
            DamagedError: What is there is no whole ledger.
            StorageError: It is of a newer batchgen, or the disk fails.
        """
        path = root / LEDGER
        is_new = not path.exists()
        with faults(path):
            connection = connect(path, f"{path.absolute().as_uri()}?mode=rwc")
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                migrate(connection)
                check(connection, path)
            except BaseException:
                connection.close()
                raise
        if is_new:
            durable.fsync_folder(root)
        return cls(connection, path)

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

    def names(self) -> Iterator[tuple[str, str]]:
        """The paths of every picture and of its sidecar."""
        return self._rows(
            "SELECT path, substr(path, 1, length(path) - CASE WHEN path LIKE '%.webp' THEN 5 ELSE 4 END) || '.json' "
            "FROM pictures"
        )

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

    # What a run writes

    def adopt(self, found: Collection[tuple[PictureRow, Sequence[AttemptRow]]]) -> None:
        """Pictures that the disk holds and this ledger did not know, with all attempts at them."""
        if not found:
            return
        tasks = [picture.task_id for picture, _ in found]
        known: dict[tuple[str, int, str], int | None] = {
            (row.task_id, row.attempt.number, row.attempt.started): seq
            for seq, row in self._attempts("task IN (SELECT value FROM json_each(?))", json.dumps(tasks))
        }
        with self._writing() as db:
            db.executemany("INSERT INTO pictures VALUES (NULL, ?, ?, ?, ?, ?, ?)", [picture for picture, _ in found])
            for row in (row for _, attempts in found for row in attempts):
                key = (row.task_id, row.attempt.number, row.attempt.started)
                if key not in known:  # a pair that was copied tells of the same attempts
                    known[key] = db.execute(_BEGIN, _begun(None, None, row)).lastrowid
                db.execute(f"{_SETTLE} AND {_UNKEPT}", _settled(known[key], row.attempt))

    def forget(self, *, pictures: Sequence[str] = (), failures: Sequence[str] = ()) -> None:
        """Drop pictures, by path, that are gone from the disk, and failures, by task, that no longer stand."""
        with self._writing() as db:
            # One look at the table, however many there are.
            db.execute("DELETE FROM pictures WHERE path IN (SELECT value FROM json_each(?))", (json.dumps(pictures),))
            db.execute("DELETE FROM failures WHERE task IN (SELECT value FROM json_each(?))", (json.dumps(failures),))

    def lose(self) -> list[AttemptRow]:
        """Attempts that dead runs left unsettled become LOST, and may have been billed; which they are."""
        lost = [row for _, row in self._attempts("billing IS NULL")]
        with self._writing() as db:
            db.execute(
                "UPDATE attempts SET billing = ?, fault = ?, words = ? WHERE billing IS NULL",
                (Billing.MAYBE, Fault.LOST, "its run ended before its answer was kept"),
            )
        return lost

    def begin(self, run: RunRow) -> None:
        """A run begins."""
        with self._writing() as db:
            self._run = db.execute(
                "INSERT INTO runs (id, started, tasks, orphaned, settings, job) VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, run.started, run.tasks, run.orphaned, json.dumps(asdict(run.asked)), run.job),
            ).lastrowid

    def commit(self, changes: Changes) -> None:
        """One transaction, durable when this returns.

        Raises:
            StorageError: It is not, and nothing of it is written.
        """
        with self._writing() as db:
            db.executemany(_BEGIN, [_begun(seq, self._run, row) for seq, row in changes.started])
            db.executemany(_SETTLE, [_settled(seq, attempt) for seq, attempt in changes.settled])
            db.executemany("DELETE FROM attempts WHERE seq = ?", [(seq,) for seq in changes.withdrawn])
            db.executemany("INSERT INTO pictures VALUES (NULL, ?, ?, ?, ?, ?, ?)", changes.pictures)
            db.executemany("DELETE FROM failures WHERE task = ?", [(row.task_id,) for row in changes.pictures])
            db.executemany(_FAIL, [_failed(failure, self._run) for failure in changes.failures])

    def fail(self, failures: Iterable[FailureRow]) -> None:
        """Tasks that ended without a picture."""
        with self._writing() as db:
            db.executemany(_FAIL, [_failed(failure, self._run) for failure in failures])

    def end(self, *, ended: str, ending: str, why: str) -> None:
        """The run has ended in order."""
        with self._writing() as db:
            db.execute("UPDATE runs SET ended = ?, ending = ?, why = ? WHERE seq = ?", (ended, ending, why, self._run))

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

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with faults(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise


_IN_DOUBT: Final = f"(billing IS NULL OR fault = '{Fault.LOST}')"
_UNKEPT: Final = f"(billing IS NULL OR fault IN ('{Fault.LOST}', '{Fault.DISK}'))"
"""What a sidecar that is found knows better."""
_BEGIN: Final = "INSERT INTO attempts (seq, run, task, idx, number, started, usd) VALUES (?, ?, ?, ?, ?, ?, ?)"
_FAIL: Final = "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SETTLE: Final = "UPDATE attempts SET seconds = ?, billing = ?, fault = ?, status = ?, words = ? WHERE seq = ?"


_BY_PLACE: Final = """
    SELECT task, idx, path, bytes, sha256, sidecar_sha256 FROM pictures
    ORDER BY rtrim(path, replace(path, '/', '')), rtrim(path, replace(path, '.', '')), seq
"""


def _begun(seq: int | None, run: int | None, row: AttemptRow) -> tuple[Any, ...]:
    usd = None if row.usd is None else str(row.usd)
    return seq, run, row.task_id, row.task_index, row.attempt.number, row.attempt.started, usd


def _settled(seq: int | None, attempt: Attempt) -> tuple[Any, ...]:
    return attempt.seconds, attempt.billing, attempt.fault, attempt.status, _text(attempt.words), seq


def _failed(failure: FailureRow, run: int | None) -> tuple[Any, ...]:
    return *failure._replace(words=_text(failure.words)), run


def _text(words: str) -> str:
    """Half a surrogate pair, out of a header or a name that is no UTF-8, is no text to SQLite."""
    return words.encode(errors="backslashreplace").decode()
