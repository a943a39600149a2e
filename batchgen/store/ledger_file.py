"""A folder's ledger as a file: opened where it is whole, else set aside, since the sidecars rebuild it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from batchgen.store import durable
from batchgen.store.database import LEDGER, DamagedError
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.tree import is_file

if TYPE_CHECKING:
    from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside the file; without it they are nothing, and beside another they would harm it."""


def open_ledger(root: Path) -> tuple[Ledger, Path | None]:
    """The ledger to write to, and where a damaged one went.

    Raises:
        StorageError: It is of a newer batchgen, is no regular file, or the disk fails.
    """
    path = root / LEDGER
    for name in (path, *_beside(path)):
        is_file(name)
    if not path.exists():
        for stray in _beside(path):
            stray.unlink(missing_ok=True)
    try:
        return Ledger.open(root), None
    except DamagedError:
        return begin_anew(root)


def begin_anew(root: Path) -> tuple[Ledger, Path]:
    """A new ledger in place of a damaged one, and where that went."""
    aside = _set_aside(root / LEDGER)
    return Ledger.open(root), aside


def look_at_ledger(root: Path) -> LedgerReader | None:
    """The ledger to read from, or None where there is none that is whole: the sidecars tell what is made all the same.

    Raises:
        StorageError: It is of a newer batchgen, or the disk fails.
    """
    path = root / LEDGER
    if path.is_symlink():
        return None
    with suppress(DamagedError):
        return LedgerReader.look(root)
    return None


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in BESIDE]


def _set_aside(path: Path) -> Path:
    """A damaged ledger is kept: it may be all that tells of attempts in doubt."""
    number, aside = 0, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged.{number}")
    for old, new in zip((path, *_beside(path)), (aside, *_beside(aside)), strict=True):
        if old.exists():
            durable.set_aside(old, new)
    durable.fsync_folder(path.parent)
    return aside
