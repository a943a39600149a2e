"""A ledger that can be believed, or what is wrong with it."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

from batchgen.errors import one_line
from batchgen.store.database import LEDGER, DamagedError, NewerError
from batchgen.store.ledger_reader import LedgerReader
from batchgen.verification.findings import Finding, Wrong
from batchgen.verification.places import place_key

if TYPE_CHECKING:
    from pathlib import Path


def whole_ledger(root: Path) -> LedgerReader | Finding:
    """The ledger to read from, to be closed by the caller, or what is wrong with it.

    Raises:
        StorageError: The disk fails.
    """
    path = root / LEDGER
    if not os.path.lexists(path):
        return _finding(Wrong.LEDGER_MISSING, "is not there")
    if path.is_symlink() or not path.is_file():
        return _finding(Wrong.LEDGER_DAMAGED, "is no file of batchgen")
    try:
        ledger = LedgerReader.look(root)
    except NewerError:
        return _finding(Wrong.LEDGER_NEWER, "is of a newer batchgen")
    except DamagedError as error:
        return _damaged(str(error.__cause__))
    if ledger is None:
        return _finding(Wrong.LEDGER_DAMAGED, "is empty")
    try:
        flaw = ledger.flaw() or _out_of_order(ledger) or _unwritable(path)
    except BaseException:
        ledger.close()
        raise
    if flaw:
        ledger.close()
        return _damaged(flaw)
    return ledger


def _finding(wrong: Wrong, words: str) -> Finding:
    return Finding(path=LEDGER, wrong=wrong, words=words)


def _damaged(flaw: str) -> Finding:
    """SQLite says it in lines of its own."""
    return _finding(Wrong.LEDGER_DAMAGED, f"is damaged ({one_line(' '.join(flaw.split()), 200)})")


def _out_of_order(ledger: LedgerReader) -> str:
    """What is wrong with the ledger's paths, or nothing: such as batchgen writes sort there as they do here."""
    keys = (place_key(row.path) for row in ledger.by_place())
    return "" if all(one <= other for one, other in pairwise(keys)) else "a path in it is none"


def _unwritable(path: Path) -> str:
    """What is wrong with the versions in the ledger's header, or nothing: with others than these SQLite only reads it.

    Source: sqlite.org/fileformat2.html, 1.3.3.
    """
    with path.open("rb") as file:
        header = file.read(20)
    return "" if set(header[18:]) <= {1, 2} else "its header says that it can't be written"
