"""Outages: when half of what was sent last failed, nothing goes but, now and then, one task to see whether it is over.

Failures are counted by when their requests were let through: what was let through before the breaker opened, and fails
later, says nothing new. The pattern is Nygard's ("Release It!", 2007). Pauses double, and vary, since a server that is
up and down at even times would otherwise always be met while it is down. Pure: `now`, in seconds of a clock that never
jumps, and `chance`, from 0 to 1, are arguments.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from math import inf
from typing import Final

LOOKED_AT: Final = 20
"""So many of the last answers are looked at; half of them failed means an outage."""
RELAPSE_S: Final = 60.0
"""What fails so soon after an outage is still a part of it."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 30.0
"""So that a server that is back is used fully within a minute, however long it was away."""
VARIES: Final = 0.25


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
        self._began = -inf  # the outage

    def wait_s(self, now: float) -> float:
        """Seconds until a request may pass; infinite while the answer to a probe is awaited."""
        if self.state is State.CLOSED:
            return 0.0
        return max(self._until - now, 0.0) if self.state is State.OPEN else inf

    def outage_s(self, now: float, let_through_at: float) -> float | None:
        """How long the outage has lasted that a failed request was a part of; None: it was of none.

        0 where the outage is just over.
        """
        if self.state is not State.CLOSED:
            return now - self._began
        return 0.0 if let_through_at < self._since + RELAPSE_S else None

    def take(self) -> bool:
        """A request is let through; is it a probe?"""
        if self.state is State.CLOSED:
            return False
        self.state = State.PROBING
        return True

    def give_back_probe(self) -> None:
        """The probe was never sent, and nothing is known of the server."""
        self.state = State.OPEN

    def probed(self, now: float, *, failed: bool, chance: float) -> None:
        """What came of the probe."""
        if failed:
            self._open(now, min(self._pause_s * 2, LONGEST_PAUSE_S), chance)
        else:
            self.state, self._since = State.CLOSED, now

    def answered(self, now: float, let_through_at: float, *, failed: bool, chance: float) -> None:
        """What came of any other request."""
        if self.state is not State.CLOSED or let_through_at < self._since:
            return
        self._failed.append(failed)
        if failed and sum(self._failed) * 2 >= LOOKED_AT:
            self._began = now
            self._open(now, FIRST_PAUSE_S, chance)

    def _open(self, now: float, pause_s: float, chance: float) -> None:
        self.state, self._pause_s = State.OPEN, pause_s
        self._since, self._until = now, now + pause_s * (1 - VARIES * chance)
        self._failed.clear()
