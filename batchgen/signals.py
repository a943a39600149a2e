"""The signals that end a run in order."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from batchgen.engine.running_time import RunningTime
from batchgen.events import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from batchgen.tally import Tally

GRACE_S: Final = 30.0
"""How long what is in flight may take once the run was asked to stop."""
ONE_ORDER_S: Final = 0.25
"""Signals so close are one order: a program between terminal and run passes on what the terminal sent already."""
ENDINGS: Final = {
    signal.SIGINT: (Ending.INTERRUPTED, "interrupted"),
    signal.SIGTERM: (Ending.TERMINATED, "terminated"),
    signal.SIGHUP: (Ending.TERMINATED, "terminated (its terminal was closed)"),
}


class HeardSignals:
    """The signals of one run, kept until it looks at them."""

    def __init__(self, received: AsyncIterator[signal.Signals]) -> None:
        self._received = received
        self.drain = anyio.Event()
        """Nothing more is to be sent."""

    async def watch(self, everything: anyio.CancelScope, tally: Tally) -> None:
        """The first stops sending and lets what is in flight end within the grace time; the second ends it now.

        SIGHUP never hastens: a terminal that closes sends it more than once.
        """
        with RunningTime() as running:
            ending, why = ENDINGS[await anext(self._received)]
            self.drain.set()
            asked_at = anyio.current_time()
            running.cancel_after(GRACE_S, everything)
            tally.stop(ending, why, f"waiting up to {GRACE_S:.0f} s for what was sent; again ends it now")
            async for number in self._received:
                if number != signal.SIGHUP and anyio.current_time() - asked_at > ONE_ORDER_S:
                    everything.cancel()
                    return


@contextmanager
def heard_signals() -> Iterator[HeardSignals]:
    """From before a run writes down that it began until all of it is written down, so that no signal cuts that off.

    SIGHUP stays ignored under nohup; in the end each signal is what it was.
    """
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    try:
        with anyio.open_signal_receiver(*before) as received:
            yield HeardSignals(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
