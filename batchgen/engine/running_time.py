"""Time in which this process runs: what is bounded by it does not end because the process was stopped.

A process that was stopped (SIGSTOP, Ctrl-Z, a frozen container) finds every deadline of the clock behind it when it
goes on, while answers that came meanwhile, and are paid for, wait to be read. So a beat of the event loop counts the
time here, and one that comes far too late counts as one beat. The sleep of the whole machine needs none of this: the
monotonic clock stands still then (Linux, clock_gettime(2)).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Final, Self

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

BEAT_S: Final = 0.25
"""A bound ends what it bounds at most so much too late."""
LATE_S: Final = 1.0
"""What passes between two beats of a busy machine; after more the process was stopped."""
CATCH_UP_S: Final = 5.0
"""So much longer everything may take after a stop, to read what came during it."""


class RunningTime:
    """Counts, while it is open, the time in which this process runs, and ends by it what is bounded."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._beat_at = self._loop.time()
        self._counted_s = 0.0
        self._caught_up_s = -inf
        self._ends: dict[anyio.CancelScope, float] = {}

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(BEAT_S, self._beat)
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()

    @property
    def seconds(self) -> float:
        """So far."""
        since_s = self._loop.time() - self._beat_at
        return self._counted_s + (since_s if since_s <= LATE_S else BEAT_S)

    @contextmanager
    def move_on_after(self, seconds: float) -> Iterator[None]:
        """Leave the block once the process ran for so long in it, as anyio's does."""
        with anyio.CancelScope() as scope:
            self.cancel_after(seconds, scope)
            try:
                yield
            finally:
                del self._ends[scope]

    def cancel_after(self, seconds: float, scope: anyio.CancelScope) -> None:
        """Cancel a scope once the process ran for so long from now on."""
        self._ends[scope] = self.seconds + seconds

    def _beat(self) -> None:
        now, self._counted_s = self._loop.time(), self.seconds
        if now - self._beat_at > LATE_S:
            self._caught_up_s = self._counted_s + CATCH_UP_S
        self._beat_at = now
        self._timer = self._loop.call_later(BEAT_S, self._beat)
        over_by_s = CATCH_UP_S if self._counted_s < self._caught_up_s else 0.0
        for scope, end_s in self._ends.items():
            if end_s + over_by_s <= self._counted_s:
                scope.cancel()
