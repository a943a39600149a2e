"""Is there room for what was asked for? Nothing is sent whose answer could not be stored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from batchgen.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

LIKELY_BYTES: Final = 4 * 1024 * 1024
"""A picture of which nothing is known yet; those of the API have some 1.5 MB."""
RESERVE_BYTES: Final = 8 * 1024 * 1024
"""For the ledger and the run's events."""
FILES_EACH: Final = 2
RESERVE_FILES: Final = 16


class Room:
    """What the file system of a folder still holds, against what is in flight."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._largest_bytes = 0

    def note(self, size_bytes: int) -> None:
        """A picture came with so many bytes."""
        self._largest_bytes = max(self._largest_bytes, size_bytes)

    def check(self, in_flight: int) -> None:
        """StorageError unless so many pictures fit; OSErrors pass through. Blocks."""
        found = os.statvfs(self._root)
        free = found.f_bavail * found.f_frsize
        need = in_flight * (self._largest_bytes or LIKELY_BYTES) + RESERVE_BYTES
        if free < need:
            raise StorageError(
                f"{self._root}: {free >> 20} MiB free are too little for the {in_flight} pictures on their way "
                f"({need >> 20} MiB); free some space, then run again: what is made stays"
            )
        if found.f_files and found.f_favail < (files := in_flight * FILES_EACH + RESERVE_FILES):
            raise StorageError(
                f"{self._root}: room for {found.f_favail} more files is too little ({files} are on their way); "
                "remove some files, then run again: what is made stays"
            )
