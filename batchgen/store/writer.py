"""The run's side of the line to what makes it last: it hands over, and waits for the answer."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from batchgen.errors import StorageError
from batchgen.store.handed import Begin, Close, Keep, Messages, Settle, framed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection
    from pathlib import Path

    from batchgen.model import Attempt
    from batchgen.store.handed import Answer, Item, Opening, Wrapped
    from batchgen.store.rows import AttemptRow, FailureRow

    Elsewhere = Callable[[Wrapped, StorageError], StorageError]

_OPENING = 0
"""The number of what no attempt waits for: the beginning and the end."""


class GoneError(StorageError):
    """Nobody is at the other end of the line any more."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"{root}: the process that keeps its pictures was ended; run again: what is made stays")


class Writer(asyncio.Protocol):
    """Its methods are called on the event loop, and return at once or wait there for the disk."""

    def __init__(self, root: Path, first: int, elsewhere: Elsewhere) -> None:
        """`first` is the number of its first attempt."""
        self._root = root
        self._elsewhere = elsewhere
        self._next = first
        self._unsettled: dict[int, AttemptRow] = {}
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._waiting: list[Item] = []
        self._came = Messages()
        self._line: asyncio.Transport | None = None

    @classmethod
    async def opened(cls, line: socket.socket, opening: Opening, first: int, elsewhere: Elsewhere) -> Writer:
        """The writer at the end of a line, once the other end is ready.

        Pictures that can't be handed over any more are kept `elsewhere`, which blocks and gives the error to raise.

        Raises:
            OSError, StorageError: It can't keep anything in that place.
        """
        writer = cls(opening.root, first, elsewhere)
        writer._line, _ = await writer._loop.create_unix_connection(lambda: writer, sock=line)
        writer._line.writelines(framed(opening))
        try:
            await writer._answer_to(_OPENING, writer._loop.create_future())
        except BaseException:
            if writer._line is not None:  # else the loop would still watch what whoever gave it closes
                writer._line.abort()
            raise
        return writer

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
        self._hand(Begin(number, row))
        try:
            await self._answer_to(number, self._loop.create_future())
        except BaseException:
            self.settle(number, None)
            raise
        return number

    async def keep(self, number: int, attempt: Attempt, wrapped: Wrapped) -> None:
        """A picture, its sidecar and the attempt that brought it last; a cancellation waits until they do.

        Raises:
            OSError, StorageError: They do not. What can be finished the next start finishes, and the attempt is still
                to be settled.
        """
        self._hand(Keep(number, attempt, wrapped))
        answer = _Awaited(loop=self._loop)
        try:
            await self._answer_to(number, answer)
        except GoneError as gone:
            raise await to_thread.run_sync(self._elsewhere, wrapped, gone) from gone
        except asyncio.CancelledError:
            if anyio.current_effective_deadline() > -inf:
                raise  # asyncio's own; a scope's comes again at the next wait
            answer.result()
        del self._unsettled[number]

    def settle(self, number: int, attempt: Attempt | None) -> None:
        """What came of an attempt that brought no picture; None: nothing of it was sent, and it never was."""
        del self._unsettled[number]
        self._hand(Settle(number, attempt))

    def fail(self, row: FailureRow) -> None:
        """A task has ended without a picture."""
        self._hand(row)

    def note(self, line: bytes) -> None:
        """A line for the run's events."""
        self._hand(line)

    async def close(self) -> None:
        """Everything that was handed in is on the disk, as far as the disk took it; what was not foreseen is raised."""
        self._hand(Close())
        try:
            await self._answer_to(_OPENING, self._loop.create_future())
        finally:
            if self._line is not None:
                self._line.close()

    def _hand(self, item: Item) -> None:
        """What is handed over in one turn of the loop travels together."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(item)

    def _send(self) -> None:
        items, self._waiting = self._waiting, []
        if self._line is not None and not self._line.is_closing():
            self._line.writelines(framed(items))

    def _answer_to(self, number: int, answer: asyncio.Future[None]) -> asyncio.Future[None]:
        """That future, which is done once the other end has answered."""
        if self._line is None or self._line.is_closing():
            raise GoneError(self._root)
        self._pending[number] = answer
        return answer

    # What the line says

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        for answers in self._came.read(data):
            for answer in answers:
                self._take(answer)

    def _take(self, answer: Answer) -> None:
        waiting = self._pending.pop(answer.number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None) if answer.error is None else waiting.set_exception(answer.error)

    def connection_lost(self, _error: Any) -> None:
        """See asyncio.Protocol."""
        self._line = None
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(GoneError(self._root))


class _Awaited(asyncio.Future[None]):
    """Whoever waits for it is cancelled once it is done: a shielded scope does the same at ten times the cost."""

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002
        """Not now."""
        return False
