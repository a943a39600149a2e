"""Outages: when half of what was sent last failed, nothing goes but, now and then, one task to see whether it is over.

Failures are counted in the order of sending, so what was sent before the breaker opened, and fails later, says nothing
new. The pattern is Nygard's ("Release It!", 2007). Pure: `now` is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from math import inf
from typing import Final

LOOKED_AT: Final = 20
"""So many of the last answers are looked at; half of them failed means an outage."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0


class State(Enum):
    """Whether requests pass."""

    CLOSED = auto()
    """They do."""
    OPEN = auto()
    """None does."""
    PROBING = auto()
    """One is on its way to see."""


class Breaker:
    """Watches one server."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._failed: deque[bool] = deque(maxlen=LOOKED_AT)
        self._pause_s = FIRST_PAUSE_S
        self._since = -inf
        self._until = -inf

    def wait_s(self, now: float) -> float:
        """Seconds until a request may pass; infinite while the answer to a probe is awaited."""
        match self.state:
            case State.CLOSED:
                return 0.0
            case State.OPEN:
                return max(self._until - now, 0.0)
        return inf

    def take(self) -> None:
        """A request is let through; after a pause it is the probe."""
        if self.state is State.OPEN:
            self.state = State.PROBING

    def give_back(self) -> None:
        """A request that was let through was never sent."""
        if self.state is State.PROBING:
            self.state = State.OPEN

    def answered(self, now: float, sent_at: float, *, failed: bool) -> bool:
        """What came of a request sent at `sent_at`; True: this ends an outage."""
        if sent_at < self._since:
            return False
        if self.state is State.PROBING:
            if failed:
                self._open(now, min(self._pause_s * 2, LONGEST_PAUSE_S))
                return False
            self.state, self._since = State.CLOSED, sent_at
            return True
        self._failed.append(failed)
        if sum(self._failed) * 2 >= LOOKED_AT:
            self._open(now, FIRST_PAUSE_S)
        return False

    def _open(self, now: float, pause_s: float) -> None:
        self.state, self._pause_s = State.OPEN, pause_s
        self._since, self._until = now, now + pause_s
        self._failed.clear()
