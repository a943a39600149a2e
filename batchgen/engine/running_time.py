"""Time in which this process runs: what is bounded by it does not end because the process was stopped.

A process that was stopped (SIGSTOP, Ctrl-Z, a frozen container) finds every deadline of the clock behind it when it
goes on, while answers that came meanwhile, and are paid for, wait to be read. So a beat of the event loop counts the
time here, and one that comes far too late counts as one beat. The sleep of the whole machine needs none of this: the
monotonic clock stands still then (Linux, clock_gettime(2)).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, Self

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

BEAT_S: Final = 0.25
"""A bound ends what it bounds at most so much too late."""
LATE_S: Final = 1.0
"""What passes between two beats of a busy machine; after more the process was stopped."""
CATCH_UP_S: Final = 5.0
"""So much longer everything may take after a stop, to read what came during it."""


class Cancellable(Protocol):
    """A scope, or a task."""

    def cancel(self) -> object:
        """End what it does."""


@dataclass(slots=True, eq=False)
class Deadline:
    """When something is cancelled."""

    what: Cancellable
    at_s: float
    """In running time; it can be moved, and is `inf` while nothing is to be interrupted."""
    is_over: bool = False


class RunningTime:
    """Counts, while it is open, the time in which this process runs, and ends by it what is bounded."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._beat_at = self._loop.time()
        self._counted_s = 0.0
        self._caught_up_s = -inf
        self._deadlines: set[Deadline] = set()

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
    def move_on_after(self, seconds: float) -> Iterator[Deadline]:
        """Leave the block once the process ran for so long in it, as anyio's does; the deadline can be moved."""
        with anyio.CancelScope() as scope:
            deadline = self.cancel_after(seconds, scope)
            try:
                yield deadline
            finally:
                self.call_off(deadline)

    def cancel_after(self, seconds: float, what: Cancellable) -> Deadline:
        """Cancel a scope or a task once the process ran for so long from now on, unless that is called off."""
        deadline = Deadline(what, self.seconds + seconds)
        self._deadlines.add(deadline)
        return deadline

    def call_off(self, deadline: Deadline) -> None:
        """It is met, or of no more interest."""
        self._deadlines.discard(deadline)

    def _beat(self) -> None:
        now, self._counted_s = self._loop.time(), self.seconds
        if now - self._beat_at > LATE_S:
            self._caught_up_s = self._counted_s + CATCH_UP_S
        self._beat_at = now
        self._timer = self._loop.call_later(BEAT_S, self._beat)
        over_by_s = CATCH_UP_S if self._counted_s < self._caught_up_s else 0.0
        for deadline in self._deadlines:
            if deadline.at_s + over_by_s <= self._counted_s and not deadline.is_over:
                deadline.is_over = True
                deadline.what.cancel()
