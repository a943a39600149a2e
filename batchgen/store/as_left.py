"""Is a folder as its ledger says? One number for each side tells, so that a million pictures take no memory.

Only names are compared: a picture that was changed in place is found by `verify`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchgen.store.names import AREAS, sidecar_of
from batchgen.store.tree import is_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchgen.store.ledger_reader import LedgerReader
    from batchgen.store.rows import RunRow

_BITS = 2**64 - 1


def last_run(root: Path, ledger: LedgerReader) -> RunRow | None:
    """The last run, where it ended in order and the folder is as it left it: then the ledger tells all."""
    last = next(reversed(ledger.runs()), None)
    if last is None or last.ended is None or not ledger.is_settled():
        return None
    return last if is_as_left(root, ledger) else None


def is_as_left(root: Path, ledger: LedgerReader) -> bool:
    """Do `images/` and `filtered/` hold the pictures of the ledger and their sidecars, and nothing else?

    The sum of all names' hashes is compared, which the order in which a disk tells them does not change. Python's
    hashes of text have 64 bits and differ from process to process, so that no two names are equal by chance or design.
    OSErrors pass through.
    """
    there = count = 0
    for name in _names(root):
        there += hash(name)
        count += 1
    told = 0
    for picture in ledger.paths():
        told += hash(picture) + hash(sidecar_of(picture))
        count -= 2
    return count == 0 and there & _BITS == told & _BITS


def _names(root: Path) -> Iterator[str]:
    """The path of everything below the areas that is no folder, relative to `root`."""
    waiting = [area for area in AREAS if is_folder(root / area)]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield path
