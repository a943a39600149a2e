"""The server's rule "at most n requests in any t seconds", mirrored exactly: a log of the sends in the window.

A slot is taken when a send is allowed, and comes free one window and a margin after the request's headers really left,
since requests reach the server with jitter. So the full allowance may go out at once, and the next send the moment
the oldest leaves the window. Pure: `now` is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchgen.model import Window


class WindowLog:
    """The sends of one window; `margin` in seconds, None: the default for its length."""

    def __init__(self, window: Window, margin: float | None = None) -> None:
        self._most = window.sends
        self.held_s = window.seconds + (margin_s(window) if margin is None else margin)
        self._free_at: deque[float] = deque()
        self._unsent = 0

    def wait_s(self, now: float) -> float:
        """Seconds until a slot is free: 0 if one is, infinite while all wait for their request to leave."""
        while self._free_at and self._free_at[0] <= now:
            self._free_at.popleft()
        over = len(self._free_at) + self._unsent - self._most
        if over < 0:
            return 0.0
        return self._free_at[over] - now if over < len(self._free_at) else inf

    def take(self) -> None:
        """Take a free slot for a request that is about to leave."""
        self._unsent += 1

    def sent(self, at: float) -> None:
        """The headers of a request that took a slot have left."""
        self._unsent -= 1
        if self._free_at and at + self.held_s < self._free_at[-1]:
            insort(self._free_at, at + self.held_s)
        else:
            self._free_at.append(at + self.held_s)

    def give_back(self) -> None:
        """A request that took a slot was never sent."""
        self._unsent -= 1


def margin_s(window: Window) -> float:
    """How much later than the rule a slot comes free: 2.5% of the window, at least 50 ms."""
    return max(0.05, window.seconds * 0.025)
