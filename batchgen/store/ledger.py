"""The ledger of an output folder, in SQLite: every attempt from before it was sent, and what came of each task.

What is made can be rebuilt from the sidecars, never the other way round; only the ledger knows which attempts began and
never ended. Attempts and pictures are added at the end of their tables, so that the millionth costs what the first did.
With WAL and synchronous=FULL a commit lasts. All of it blocks, and a ledger is used by one thread at a time.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

from batchgen.model import Billing, Fault
from batchgen.store import durable
from batchgen.store.database import LEDGER, check, connect, faults, migrate
from batchgen.store.ledger_reader import LedgerReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from batchgen.model import Attempt
    from batchgen.store.rows import AttemptRow, Changes, FailureRow, PictureRow, RunRow


class Ledger(LedgerReader):
    """One connection to a folder's ledger, to write to."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self.run: int | None = None
        """The number of the run that writes to it."""

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
    def go_on(cls, root: Path, run: int | None) -> Self:
        """A second connection to a ledger that is open, for a run that has begun.

        Raises:
            StorageError: As for `open`.
        """
        path = root / LEDGER
        with faults(path):
            connection = connect(path, f"{path.absolute().as_uri()}?mode=rw")
            connection.execute("PRAGMA synchronous = FULL")
        ledger = cls(connection, path)
        ledger.run = run
        return ledger

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
            self.run = db.execute(
                "INSERT INTO runs (id, started, tasks, orphaned, settings, job) VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, run.started, run.tasks, run.orphaned, json.dumps(asdict(run.asked)), run.job),
            ).lastrowid

    def commit(self, changes: Changes) -> None:
        """One transaction, durable when this returns.

        Raises:
            StorageError: It is not, and nothing of it is written.
        """
        with self._writing() as db:
            db.executemany(_BEGIN, [_begun(seq, self.run, row) for seq, row in changes.started])
            db.executemany(_SETTLE, [_settled(seq, attempt) for seq, attempt in changes.settled])
            db.executemany("DELETE FROM attempts WHERE seq = ?", [(seq,) for seq in changes.withdrawn])
            db.executemany("INSERT INTO pictures VALUES (NULL, ?, ?, ?, ?, ?, ?)", changes.pictures)
            db.executemany("DELETE FROM failures WHERE task = ?", [(row.task_id,) for row in changes.pictures])
            db.executemany(_FAIL, [_failed(failure, self.run) for failure in changes.failures])

    def fail(self, failures: Iterable[FailureRow]) -> None:
        """Tasks that ended without a picture."""
        with self._writing() as db:
            db.executemany(_FAIL, [_failed(failure, self.run) for failure in failures])

    def end(self, *, ended: str, ending: str, why: str) -> None:
        """The run has ended in order."""
        with self._writing() as db:
            db.execute("UPDATE runs SET ended = ?, ending = ?, why = ? WHERE seq = ?", (ended, ending, why, self.run))

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


_UNKEPT: Final = f"(billing IS NULL OR fault IN ('{Fault.LOST}', '{Fault.DISK}'))"
"""What a sidecar that is found knows better."""
_BEGIN: Final = "INSERT INTO attempts (seq, run, task, idx, number, started, usd) VALUES (?, ?, ?, ?, ?, ?, ?)"
_FAIL: Final = "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SETTLE: Final = "UPDATE attempts SET seconds = ?, billing = ?, fault = ?, status = ?, words = ? WHERE seq = ?"


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
