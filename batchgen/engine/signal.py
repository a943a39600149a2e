"""Something changed: whoever waits for that looks again."""

from __future__ import annotations

from math import inf

import anyio


class Signal:
    """Wakes all who wait; costs next to nothing where nobody does."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def fire(self) -> None:
        """Wake those who wait now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self, seconds: float = inf) -> None:
        """Wait for the next change, but no longer than `seconds`."""
        event = self._event = self._event or anyio.Event()
        with anyio.move_on_after(seconds):
            await event.wait()
