"""A folder's SQLite file: opened, brought to this version, checked; its errors in our words."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from batchgen.errors import StorageError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LEDGER: Final = "batchgen.sqlite"
"""Its name."""
MIGRATIONS: Final[Sequence[str]] = (
    """
    CREATE TABLE runs (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started TEXT NOT NULL, tasks INTEGER NOT NULL,
        orphaned INTEGER NOT NULL, settings TEXT NOT NULL, ended TEXT, ending TEXT, why TEXT
    ) STRICT;
    CREATE TABLE attempts (
        seq INTEGER PRIMARY KEY, run INTEGER, task TEXT NOT NULL, idx INTEGER NOT NULL, number INTEGER NOT NULL,
        started TEXT NOT NULL, usd TEXT, seconds REAL, billing TEXT, fault TEXT, status INTEGER, words TEXT
    ) STRICT;
    CREATE TABLE pictures (
        seq INTEGER PRIMARY KEY, task TEXT NOT NULL, idx INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL, sidecar_sha256 TEXT NOT NULL
    ) STRICT;
    CREATE TABLE failures (
        task TEXT PRIMARY KEY, idx INTEGER NOT NULL, prompt_id TEXT NOT NULL, fault TEXT NOT NULL,
        billing TEXT NOT NULL, status INTEGER, words TEXT NOT NULL, run INTEGER
    ) STRICT
    """,
    "ALTER TABLE runs ADD COLUMN job TEXT",
)
"""The script that brings a ledger of version n, its user_version, to version n + 1."""

TABLES: Final = {"runs", "attempts", "pictures", "failures"}
_NO_CODE: Final = 0
DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, _NO_CODE}
"""The last two are of tables that are not as we made them, and of text that is none: what we ask is always the same."""
_BUSY_MS: Final = 10_000
"""How long to wait for a reader that has just opened the ledger."""


class DamagedError(StorageError):
    """The file is no whole ledger."""


class NewerError(StorageError):
    """The ledger is of a newer batchgen."""


def connect(path: Path, uri: str) -> sqlite3.Connection:
    """A connection to a file of this version or an older one, or to an empty one; sqlite3's errors pass through.

    Raises:
        DamagedError: It is another program's.
        NewerError: It is of a newer batchgen.
    """
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version > len(MIGRATIONS):
        raise NewerError(
            f"{path}: is the ledger of a newer batchgen (version {version}, this one knows {len(MIGRATIONS)}); "
            "run that batchgen, or choose another folder with --output"
        )
    if version < 0 or (version == 0 and tables_of(connection)):
        raise DamagedError(f"{path}: is no ledger of batchgen")


def version_of(connection: sqlite3.Connection) -> int:
    """How many of the scripts it went through."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring it to this version, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    version = version_of(connection)
    for script in MIGRATIONS[version:]:
        for statement in script.split(";"):
            connection.execute(statement)
    if version < len(MIGRATIONS):
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Is all there? After a run that did not end in order, page by page."""
    if not tables_of(connection) >= TABLES:
        raise DamagedError(f"{path}: is no ledger of batchgen")
    if connection.execute("SELECT 1 FROM runs WHERE ended IS NULL").fetchone():
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise DamagedError(f"{path}: {found}")


def tables_of(connection: sqlite3.Connection) -> set[str]:
    """The names of its tables."""
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """SQLite's errors in our words."""
    try:
        yield
    except UnicodeDecodeError as error:  # in the name of a table, or in SQLite's words on it
        raise DamagedError(f"{path}: {error}") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED:
            raise DamagedError(f"{path}: {error}") from error
        raise StorageError(f"{path}: {error}; {_REMEDIES.get(code, _LOOK)}") from error


@contextmanager
def sense(path: Path) -> Iterator[None]:
    """A flipped bit in a value is no damage to SQLite: what batchgen never writes is."""
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise DamagedError(f"{path}: holds what batchgen never writes ({one_line(str(error), 200)})") from error


_LOOK: Final = "look at the disk, or choose another folder with --output: what is made stays"
_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "free some space, then run again: what is made stays",
    sqlite3.SQLITE_READONLY: "choose a folder of yours with --output, or allow writing there",
    sqlite3.SQLITE_CANTOPEN: "choose a folder of yours with --output, or allow writing there",
    sqlite3.SQLITE_BUSY: "another program has it open: end that, then run again",
}
