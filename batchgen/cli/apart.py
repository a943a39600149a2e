"""What happens is shown in a thread of its own: a reader who pauses must not hold up answers that are paid for.

A pipe that nobody empties, and a terminal that was stopped, block whoever writes to them.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Final

from batchgen.errors import StorageError
from batchgen.events import RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchgen.events import Event

MOST_UNSAID: Final = 10_000
"""Events that wait to be shown; with more, nobody reads them."""
HEARD_S: Final = 1.0
"""How long to wait to learn whether the first event is heard, while nothing is sent yet."""
SELDOM_S: Final = 0.02
"""Shown so often, all that came meanwhile at once: to wake a thread for each event would cost more than to show it."""


@contextmanager
def apart(show: Callable[[Event], None]) -> Iterator[Callable[[Event], None]]:
    """What tells an event to `show` without waiting for it; what that raised, it raises from then on.

    Raises:
        StorageError: Nobody reads.
    """
    shower = _Shower(show)
    try:
        yield shower.tell
    finally:
        shower.end()
    with suppress(BrokenPipeError, StorageError):  # what stdout did not take, the exit code tells
        shower.check()


class _Shower:
    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show
        self._unsaid: SimpleQueue[Event | None] = SimpleQueue()
        self._began = Flag()
        self._error: Exception | None = None
        self._is_told = False
        self._thread = Thread(target=self._work, name="batchgen-shower", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        if self._unsaid.qsize() >= MOST_UNSAID:
            self._error = self._error or StorageError(
                "stdout and stderr: nobody reads them; read them, or lead them to a file"
            )
        else:
            self._unsaid.put(event)
        if isinstance(event, RunStarted):
            self._began.wait(HEARD_S)
        self.check()

    def check(self) -> None:
        """Raise what went wrong, once."""
        if self._error is not None and not self._is_told:
            self._is_told = True
            raise self._error

    def end(self) -> None:
        """All that was told is shown; waits for whoever reads."""
        self._unsaid.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (event := self._unsaid.get()) is not None:
            try:
                if self._error is None:
                    self._show(event)
            except Exception as error:  # noqa: BLE001 - for whoever told
                self._error = error
            self._began.set()
            if self._unsaid.empty():
                time.sleep(SELDOM_S)
