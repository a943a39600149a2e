"""The one thread that makes a run last: it takes all that waits and brings it to the disk in one go.

In a batch the pictures go first, in their order of writing (keep.py); then one transaction of the ledger settles what
has ended and begins what is next; then the callers go on. So an attempt is in the ledger, durably, before a byte of its
request leaves, and what a batch costs is shared by all in it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anyio import CancelScope, to_thread

from batchgen.errors import StorageError
from batchgen.model import Attempt
from batchgen.store.rescue import keep
from batchgen.store.room import Room
from batchgen.store.rows import AttemptRow, Changes, FailureRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from batchgen.store.keep import Parcel
    from batchgen.store.ledger import Ledger
    from batchgen.store.run_log import RunLog
    from batchgen.store.tree import Tree

MOST_AT_ONCE: Final = 256
GATHER_S: Final = 0.002
"""What comes so soon after the first of a batch goes with it: a commit costs the same whatever it brings."""


@dataclass(slots=True)
class _Begin:
    """An attempt that may be sent once this is in the ledger."""

    number: int
    row: AttemptRow
    done: asyncio.Future[None]
    held: bool = False
    """There is no room for its answer yet: it comes with each batch until there is."""
    error: Exception | None = None


@dataclass(slots=True)
class _Keep:
    """A picture, and the attempt that brought it."""

    number: int
    attempt: Attempt
    parcel: Parcel
    done: asyncio.Future[None]
    error: Exception | None = None


@dataclass(slots=True)
class _Settle:
    """An attempt that brought none; None: nothing of it was sent."""

    number: int
    attempt: Attempt | None


if TYPE_CHECKING:
    _Item = _Begin | _Keep | _Settle | FailureRow | bytes | None


class Writer:
    """Its methods are called on the event loop, and return at once or wait there for the disk."""

    def __init__(self, tree: Tree, ledger: Ledger, log: RunLog, first: int) -> None:
        """`first` is the number of its first attempt."""
        self._tree = tree
        self._ledger = ledger
        self._log = log
        self._room: Room[_Begin] = Room(tree)
        self._next = first
        self._unsettled: dict[int, AttemptRow] = {}
        self._broken: StorageError | None = None
        """After this nothing is written to the ledger again: the next start reads what is there."""
        self._unforeseen: Exception | None = None
        self._waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="batchgen-writer", daemon=True)
        self._thread.start()

    @property
    def unsettled(self) -> Collection[AttemptRow]:
        """Attempts that were begun, and of whose end nothing is known."""
        return self._unsettled.values()

    async def begin(self, row: AttemptRow) -> int:
        """The number in the ledger of an attempt that may be sent now: that it was begun lasts.

        Raises:
            StorageError: It is not there, or there is no room for its answer.
        """
        number, self._next = self._next, self._next + 1
        self._unsettled[number] = row
        item = _Begin(number, row, self._loop.create_future())
        self._waiting.put(item)
        try:
            await item.done
        except BaseException:
            self.settle(number, None)
            raise
        return number

    async def keep(self, number: int, attempt: Attempt, parcel: Parcel) -> None:
        """A picture, its sidecar and the attempt that brought it last; a cancellation waits until they do.

        Raises:
            OSError, StorageError: They do not. What can be finished the next start finishes, and the attempt is still
                to be settled.
        """
        item = _Keep(number, attempt, parcel, self._loop.create_future())
        self._waiting.put(item)
        with CancelScope(shield=True):
            await item.done
        del self._unsettled[number]

    def settle(self, number: int, attempt: Attempt | None) -> None:
        """What came of an attempt that brought no picture; None: nothing of it was sent, and it never was."""
        del self._unsettled[number]
        self._waiting.put(_Settle(number, attempt))

    def fail(self, row: FailureRow) -> None:
        """A task has ended without a picture."""
        self._waiting.put(row)

    def note(self, line: bytes) -> None:
        """A line for the run's events."""
        self._waiting.put(line)

    async def close(self) -> None:
        """Everything that was handed in is on the disk, as far as the disk took it; what was not foreseen is raised."""
        self._waiting.put(None)
        await to_thread.run_sync(self._thread.join)
        if self._unforeseen is not None:
            raise self._unforeseen

    def _work(self) -> None:
        going_on = True
        while going_on:
            first = self._waiting.get()
            time.sleep(GATHER_S)
            batch: list[_Item] = [first, *self._room.held]
            while len(batch) < MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get())
            going_on = None not in batch
            callers = [item for item in batch if isinstance(item, _Begin | _Keep)]
            try:
                self._bring(batch)
            except Exception as error:  # noqa: BLE001 - whoever waits gets it, and is never left waiting
                self._unforeseen = error
                for item in callers:
                    item.error = item.error or error
            if callers:
                self._loop.call_soon_threadsafe(_answer, callers)

    def _bring(self, batch: Sequence[_Item]) -> None:
        """One batch to the disk."""
        kept = [item for item in batch if isinstance(item, _Keep)]
        keep(self._tree, [item.parcel for item in kept])
        for item in kept:
            item.error = item.parcel.error
            self._room.note(item.parcel.row.size_bytes)
        begun = [item for item in batch if isinstance(item, _Begin)]
        try:
            self._room.let_in(begun, {item.number for item in batch if isinstance(item, _Keep | _Settle)})
            self._commit(batch)
        except StorageError as error:
            for each in begun:  # what is kept is kept, whatever the ledger says: the next start adopts it
                each.error = each.error or error
        self._log.write([item for item in batch if isinstance(item, bytes)])

    def _commit(self, batch: Sequence[_Item]) -> None:
        if self._broken is not None:
            raise self._broken
        changes = Changes()
        for item in batch:
            match item:
                case _Begin(error=None, held=False):
                    changes.started.append((item.number, item.row))
                case _Keep(error=None):
                    changes.settled.append((item.number, item.attempt))
                    changes.pictures.append(item.parcel.row)
                case _Settle() if item.attempt is None:
                    changes.withdrawn.append(item.number)
                case _Settle(number=number, attempt=Attempt() as attempt):
                    changes.settled.append((number, attempt))
                case FailureRow():
                    changes.failures.append(item)
        if changes == Changes():
            return
        try:
            self._ledger.commit(changes)
        except StorageError as error:
            self._broken = error
            raise


def _answer(callers: Sequence[_Begin | _Keep]) -> None:
    """On the event loop: those who waited go on."""
    for item in callers:
        if not item.done.done() and not (isinstance(item, _Begin) and item.held):
            item.done.set_result(None) if item.error is None else item.done.set_exception(item.error)
