"""Is there room for what was asked for? Nothing is sent whose answer could not be stored.

What an answer takes is not known before it comes: it is held to be twice the largest picture so far. Where there is
room for some of what is to be sent, the rest waits until those have come; where there is none for a single one, the run
ends while all that it paid for can still be kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from batchgen.errors import StorageError
from batchgen.store.tree import disk_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from batchgen.store.tree import Tree

LIKELY_BYTES: Final = 4 * 1024 * 1024
"""A picture of which nothing is known yet; those of the API have some 1.5 MB."""
TIMES_LARGER: Final = 2
"""What the next picture may be, against the largest so far."""
BESIDE_BYTES: Final = 64 * 1024
"""What comes with a picture: its sidecar, some pages of the ledger, events."""
RESERVE_BYTES: Final = 2 * 1024 * 1024
"""For the ledger and the run's events, however few pictures there are."""
FILES_EACH: Final = 4
"""A picture, its sidecar, and folders for them."""
RESERVE_FILES: Final = 8
_MIB: Final = 1024 * 1024


class Begins(Protocol):
    """An attempt that is to begin."""

    number: int
    held: bool
    """It has to wait."""
    error: Exception | None
    """Why it can't begin at all."""


B = TypeVar("B", bound=Begins)


class Room(Generic[B]):
    """What the file system of a folder still holds, against what is in flight. All but `note` blocks."""

    def __init__(self, tree: Tree) -> None:
        self._root = tree.root
        self._identity: tuple[int, int] | None = None
        self._largest_bytes = 0
        self._in_flight: set[int] = set()
        self.held: Sequence[B] = ()
        """Those that there was no room for yet, in their order; to be let in again."""

    def note(self, size_bytes: int) -> None:
        """A picture came with so many bytes."""
        self._largest_bytes = max(self._largest_bytes, size_bytes)

    def let_in(self, begins: Iterable[B], ended: Collection[int]) -> None:
        """Say of each whether it begins now, once the attempts of the numbers in `ended` have ended."""
        self._in_flight.difference_update(ended)
        waiting = [*self.held, *(each for each in begins if not each.held)]
        waiting = [each for each in waiting if each.number not in ended]
        self.held = ()
        try:
            places = self._places() - len(self._in_flight) if waiting else 0
        except StorageError as error:
            for each in waiting:
                each.held, each.error = False, error
            return
        for place, each in enumerate(waiting):
            each.held = place >= places
        self.held = [each for each in waiting if each.held]
        self._in_flight.update(each.number for each in waiting if not each.held)

    def _places(self) -> int:
        """For how many pictures there is room, those on their way included; StorageError: for none."""
        with disk_errors(self._root):
            folder, found = self._root.stat(), os.statvfs(self._root)
        self._identity = self._identity or (folder.st_dev, folder.st_ino)
        if self._identity != (folder.st_dev, folder.st_ino):
            raise StorageError(f"{self._root}: is not the folder that this run began in; put that back, then run again")
        places = self._by_bytes(found.f_bavail * found.f_frsize)
        if found.f_files:  # else the file system makes as many as are asked for
            places = min(places, self._by_files(found.f_favail))
        return places

    def _by_bytes(self, free: int) -> int:
        each = (self._largest_bytes * TIMES_LARGER or LIKELY_BYTES) + BESIDE_BYTES
        if free < each + RESERVE_BYTES:
            raise StorageError(
                f"{self._root}: {free / _MIB:.1f} MiB are free, and {(each + RESERVE_BYTES) / _MIB:.1f} MiB are needed "
                "for one more picture and the ledger; free some space, then run again: what is made stays"
            )
        return (free - RESERVE_BYTES) // each

    def _by_files(self, free: int) -> int:
        if free < FILES_EACH + RESERVE_FILES:
            raise StorageError(
                f"{self._root}: {free} more files can be made, and {FILES_EACH + RESERVE_FILES} are needed for one "
                "more picture and the ledger; remove some files, then run again: what is made stays"
            )
        return (free - RESERVE_FILES) // FILES_EACH
