"""The event loop's clock, which never jumps back; a rehearsal has one of its own.

`anyio.current_time()` says the same and looks up first which library runs: in all, a tenth of a picture's time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def now() -> float:
    """Seconds."""
    return asyncio.get_running_loop().time()


class KeptClock:
    """The same of the loop that first asks, for whoever asks often: to look up which loop runs takes longer."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = self._first
        """Seconds."""

    def _first(self) -> float:
        self.now = asyncio.get_running_loop().time
        return self.now()
