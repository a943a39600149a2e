"""What makes a run last: it takes all that waits and brings it to the disk in one go.

Of a batch the ledger has its part first: one transaction begins what is next and settles what has ended, the pictures
of the batch before among it, and their callers are answered. Then this batch's pictures are put on the disk, in their
order of writing (keep.py), while the requests that have begun are on their way. So an attempt is in the ledger,
durably, before a byte of its request leaves, and what a batch costs is shared by all in it.
"""

from __future__ import annotations

import hashlib
import os
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from batchgen.errors import StorageError
from batchgen.store.handed import Answer, Begin, Keep, Settle
from batchgen.store.keep import Parcel
from batchgen.store.rescue import LostError, keep, words_of
from batchgen.store.room import Room
from batchgen.store.rows import AttemptRow, Changes, FailureRow, PictureRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.model import Attempt
    from batchgen.store.handed import Item, Wrapped
    from batchgen.store.ledger import Ledger
    from batchgen.store.run_log import RunLog
    from batchgen.store.slots import Slots
    from batchgen.store.tree import Tree


AT_ONCE_S: Final = 0.0001
"""A flush that takes less costs nothing worth sharing: in memory some microseconds, on a disk half a millisecond."""


@dataclass(slots=True)
class _Begin:
    """An attempt that may be sent once this is in the ledger."""

    number: int
    row: AttemptRow
    held: bool = False
    """There is no room for its answer yet: it comes with each batch until there is."""
    error: Exception | None = None


class _Kept(NamedTuple):
    """A picture that was put on the disk, and the attempt that brought it."""

    number: int
    attempt: Attempt
    row: PictureRow | None = None
    error: Exception | None = None
    """Why it is not kept."""


class Desk:
    """Where all that a run hands in arrives, one batch after another; all of it blocks."""

    def __init__(self, tree: Tree, ledger: Ledger, log: RunLog, slots: Slots) -> None:
        self._tree = tree
        self._ledger = ledger
        self._log = log
        self._slots = slots
        self._room: Room[_Begin] = Room(tree)
        self._kept: list[_Kept] = []
        """Pictures on the disk that the ledger does not know yet."""
        self._broken: StorageError | None = None
        """After this nothing is written to the ledger again: the next start reads what is there."""
        self.unforeseen: Exception | None = None
        """What went wrong that nobody foresaw."""

    @property
    def owes_answers(self) -> bool:
        """Pictures are on the disk whose callers wait: they are told with the next batch, be it an empty one."""
        return bool(self._kept)

    @property
    def flushes_at_once(self) -> bool:
        """Does it take no time worth speaking of to make pictures last?"""
        return self._tree.file_system.took_s < AT_ONCE_S

    def enter(self, items: Sequence[Item]) -> list[Answer]:
        """All of a batch but its pictures, and those of the batch before; what there is to say to those who wait."""
        kept, self._kept = self._kept, []
        begun = [*self._room.held, *(_Begin(*item) for item in items if isinstance(item, Begin))]
        error = None
        for item in items:
            if isinstance(item, Keep):
                self._room.note(item.wrapped.size_bytes)
        try:
            self._enter(items, kept, begun)
            self._log.write([item for item in items if isinstance(item, bytes)])
        except Exception as unforeseen:  # noqa: BLE001 - whoever waits gets it, and is never left waiting
            error = self._noted(unforeseen)
        said = [Answer(item.number, item.error or error) for item in kept]
        said += [Answer(item.number, item.error or error) for item in begun if error or not item.held]
        return said

    def let_none_begin(self) -> None:
        """What waits for room is never answered: nobody is left to send it."""
        self._room.held = ()

    def put(self, items: Sequence[Item]) -> None:
        """The pictures of a batch on the disk."""
        handed = [item for item in items if isinstance(item, Keep)]
        try:
            self._kept = self._put(handed) if handed else []
        except Exception as unforeseen:  # noqa: BLE001 - as above
            error = self._noted(unforeseen)
            self._kept = [_Kept(item.number, item.attempt, error=error) for item in handed]

    def _noted(self, unforeseen: Exception) -> Exception:
        unforeseen.add_note(traceback.format_exc())  # it is raised in another process
        self.unforeseen = unforeseen
        return unforeseen

    def _put(self, items: Sequence[Keep]) -> list[_Kept]:
        parcels = [self._parcel(item.wrapped) for item in items]
        keep(self._tree, [parcel for parcel in parcels if not isinstance(parcel.error, LostError)])
        return [
            _Kept(item.number, item.attempt, parcel.row, parcel.error)
            for item, parcel in zip(items, parcels, strict=True)
        ]

    def _parcel(self, wrapped: Wrapped) -> Parcel:
        parcel = _parcel(wrapped, self._slots)
        if wrapped.streamed is not None:
            try:
                parcel.descriptor = _reopened(wrapped, wrapped.streamed)
            except OSError as error:
                parcel.error = LostError(words_of(error, self._tree.root))
        return parcel

    def _enter(self, items: Sequence[Item], kept: Sequence[_Kept], begun: Sequence[_Begin]) -> None:
        """All of a batch into the ledger."""
        try:
            self._room.let_in(begun, {item.number for item in (*items, *kept) if isinstance(item, Settle | _Kept)})
            self._commit(_changes(items, kept, begun))
        except StorageError as error:
            for each in begun:  # what is kept is kept, whatever the ledger says: the next start adopts it
                each.error = each.error or error

    def _commit(self, changes: Changes) -> None:
        if self._broken is not None:
            raise self._broken
        if changes == Changes():
            return
        try:
            self._ledger.commit(changes)
        except StorageError as error:
            self._broken = error
            raise


def keep_elsewhere(tree: Tree, slots: Slots, wrapped: Wrapped, why: StorageError) -> StorageError:
    """A picture that no desk can take any more goes to the rescue place; where it is, and why; blocks."""
    parcel = _parcel(wrapped, slots)
    parcel.error = why
    if wrapped.streamed is not None:
        parcel.descriptor = os.dup(wrapped.descriptor)
    keep(tree, [parcel])
    return StorageError(why) if parcel.error is None else parcel.error


def _changes(items: Sequence[Item], kept: Sequence[_Kept], begun: Sequence[_Begin]) -> Changes:
    whole = [(item.number, item.attempt, item.row) for item in kept if item.error is None and item.row is not None]
    settled = [item for item in items if isinstance(item, Settle)]
    return Changes(
        started=[(item.number, item.row) for item in begun if item.error is None and not item.held],
        settled=[
            *((number, attempt) for number, attempt, _ in whole),
            *((item.number, item.attempt) for item in settled if item.attempt is not None),
        ],
        withdrawn=[item.number for item in settled if item.attempt is None],
        pictures=[row for *_, row in whole],
        failures=[item for item in items if isinstance(item, FailureRow)],
    )


def _parcel(wrapped: Wrapped, slots: Slots) -> Parcel:
    """What is handed over, but for an open file; its digest worked out and named in its sidecar."""
    content = memoryview(wrapped.content) if wrapped.slot is None else slots.at(wrapped.slot, wrapped.size_bytes)
    sha256 = wrapped.sha256 or hashlib.sha256(content).hexdigest()
    sidecar = wrapped.sidecar.naming(sha256)
    return Parcel(
        place=wrapped.place,
        file=wrapped.file,
        sidecar=sidecar,
        row=PictureRow(
            task_id=wrapped.task_id,
            task_index=wrapped.task_index,
            path=wrapped.path,
            size_bytes=wrapped.size_bytes,
            sha256=sha256,
            sidecar_sha256=hashlib.sha256(sidecar).hexdigest(),
        ),
        content=content,
        streamed=wrapped.streamed,
        error=StorageError(wrapped.why) if wrapped.why else None,
    )


def _reopened(wrapped: Wrapped, path: str) -> int:
    """The file that a picture streamed to: the very one that the other process has open, where the system tells."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        return os.open(f"/proc/{wrapped.process}/fd/{wrapped.descriptor}", flags ^ os.O_NOFOLLOW)
    return os.open(path, flags)
