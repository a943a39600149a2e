"""How many requests may be on their way at once: as many as the limit and the latency ask for, and no more.

By Little's law a rate r (a second) at a latency of t seconds keeps r t requests in flight; half as many again leaves
room for spread, so that the rate limit stays the only bound. Pure: times are arguments, in seconds.
"""

from __future__ import annotations

from math import ceil
from typing import Final

FEWEST: Final = 64
MOST: Final = 256
ROOM: Final = 1.5
SMOOTHING: Final = 0.1
"""The weight of the newest latency in their moving average."""


class InFlight:
    """The requests on their way to one server; `fixed` is the job's own hard bound, `most` what the system bears."""

    def __init__(self, *, fixed: int | None = None, burst: int = 0, most: int = MOST) -> None:
        self._fixed = fixed
        self._fewest = max(FEWEST, burst)
        self._most = most
        self._latency_s = 0.0
        self._slow_start: int | None = None
        self.count = 0

    def has_room(self, rate_per_s: float | None) -> bool:
        """May one more be sent at this rate, if one is known?"""
        return self.count < self.bound(rate_per_s)

    def bound(self, rate_per_s: float | None) -> int:
        """How many may be in flight."""
        need = 0 if rate_per_s is None else ceil(rate_per_s * self._latency_s * ROOM)
        bound = min(max(self._fewest, need), MOST) if self._fixed is None else self._fixed
        slow_start = bound if self._slow_start is None else self._slow_start
        return max(min(bound, self._most, slow_start), 1)

    def answered(self, seconds: float) -> None:
        """A picture came after so long; after an outage each lets one more go."""
        weight = SMOOTHING if self._latency_s else 1.0
        self._latency_s += (seconds - self._latency_s) * weight
        if self._slow_start is not None:
            self._slow_start = self._slow_start + 1 if self._slow_start < MOST else None

    def start_slowly(self) -> None:
        """The server is back after an outage: begin with two, and let each answer bring two more in its place."""
        self._slow_start = 2
