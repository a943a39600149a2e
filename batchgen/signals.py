"""The signals that end a run in order."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from batchgen.events import Ending

if TYPE_CHECKING:
    from batchgen.tally import Tally

GRACE_S = 30.0
"""How long what is in flight may take once the run was asked to stop."""


async def watch_signals(everything: anyio.CancelScope, drain: anyio.Event, tally: Tally) -> None:
    """The first signal stops sending and lets what is in flight end within the grace time; the second ends it now."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            if drain.is_set():
                everything.cancel()
                return
            ending = Ending.INTERRUPTED if number == signal.SIGINT else Ending.TERMINATED
            tally.stop(ending, str(ending), f"waiting up to {GRACE_S:.0f} s for what was sent; again ends it now")
            drain.set()
            everything.deadline = anyio.current_time() + GRACE_S
