"""Permission to send: the only thing that delays a send.

A send is allowed when every window has a free slot and no cool-down runs. Senders are served in the order in which
they ask. A permit has moments: given, sent, answered; it is given back where nothing was sent.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import anyio

from batchgen.engine.rate import WindowLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchgen.model import Window

WORTH_SAYING_S = 1.0
"""A shorter wait is not announced."""


class Permit:
    """Permission for one request."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self.sent_at: float | None = None

    def sent(self) -> None:
        """The request's headers have left."""
        if self.sent_at is None:
            self.sent_at = anyio.current_time()
            self._limiter.note_sent(self.sent_at)

    def throttled(self, retry_after_s: float | None) -> None:
        """The answer was 429: nobody sends for `retry_after_s`, or else for the provider's documented penalty."""
        if self.sent_at is not None:
            self._limiter.cool_down(self.sent_at, retry_after_s)

    def release(self) -> None:
        """The attempt is over; a slot that nothing was sent with is free again."""
        if self.sent_at is None:
            self._limiter.give_back()


class Limiter:
    """One for each provider, url and key."""

    def __init__(self, windows: Sequence[Window], *, penalty_s: float, on_wait: Callable[[float, str], None]) -> None:
        self._logs = [WindowLog(window) for window in windows]
        self._why_window = " and ".join(f"the limit of {window} is used up" for window in windows)
        self._penalty_s = penalty_s
        self._on_wait = on_wait
        self._turn = anyio.Lock()
        self._changed = anyio.Event()
        self._cool_until = -inf
        self._announced_until = -inf

    async def turn(self) -> Permit:
        """Wait until a request may be sent; whoever gets the permit releases it."""
        async with self._turn:
            while (wait_s := self._wait_s()) > 0:
                with anyio.move_on_after(wait_s):
                    await self._changed.wait()
            for log in self._logs:
                log.take()
        return Permit(self)

    def note_sent(self, now: float) -> None:
        """A request left at `now`."""
        for log in self._logs:
            log.sent(now)
        self._wake()

    def give_back(self) -> None:
        """A permit was not used."""
        for log in self._logs:
            log.give_back()
        self._wake()

    def cool_down(self, sent_at: float, retry_after_s: float | None) -> None:
        """Hold everybody back; an answer to a request that left before the cool-down's end changes nothing."""
        if sent_at < self._cool_until:
            return
        wait_s = self._penalty_s if retry_after_s is None else retry_after_s
        self._cool_until = anyio.current_time() + wait_s
        self._wake()

    def _wait_s(self) -> float:
        now = anyio.current_time()
        window_s = max((log.wait_s(now) for log in self._logs), default=0.0)
        cool_s = self._cool_until - now
        wait_s = max(window_s, cool_s, 0.0)
        if WORTH_SAYING_S <= wait_s < inf and now + wait_s > self._announced_until + WORTH_SAYING_S:
            self._announced_until = now + wait_s
            self._on_wait(wait_s, "the server's time-out" if cool_s >= window_s else self._why_window)
        return wait_s

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
