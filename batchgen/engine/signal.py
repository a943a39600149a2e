"""Something changed: whoever waits for that looks again."""

from __future__ import annotations

import asyncio
from math import inf


class Signal:
    """Wakes all who wait; costs next to nothing where nobody does."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def fire(self) -> None:
        """Wake those who wait now."""
        if self._waiting:
            for each in self._waiting:
                _wake(each)
            self._waiting.clear()

    async def wait(self, seconds: float = inf) -> None:
        """Wait for the next change, but no longer than `seconds`."""
        loop = asyncio.get_running_loop()
        change = loop.create_future()
        self._waiting.append(change)
        timer = loop.call_later(seconds, _wake, change) if seconds < inf else None
        try:
            await change
        finally:
            if timer is not None:
                timer.cancel()
            if change in self._waiting:
                self._waiting.remove(change)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
