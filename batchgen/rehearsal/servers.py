"""The limits that servers keep, as pure rules: `now` is an argument, in seconds of a clock that never runs backwards.

Each rule answers an arriving request with None (let in) or a Refusal, is told when a request that it let in has been
answered, and knows the shortest time in which it could let n requests in: what a clairvoyant client would need.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429; `retry_after_s` as its Retry-After says: whole seconds, or None without one."""

    retry_after_s: float | None


class ServerLimit(Protocol):
    """Decides about one request at a time."""

    def arrive(self, now: float) -> Refusal | None:
        """Let a request in (None) or refuse it."""
        ...

    def left(self, now: float) -> None:
        """A request that was let in has been answered."""
        ...

    def shortest_s(self, tasks: int, latency_s: float) -> float:
        """The least time from the first of `tasks` requests to the last being let in, each taking `latency_s`."""
        ...


def optimum_s(limit: ServerLimit, tasks: int, latency_s: float) -> float:
    """The least time in which `tasks` requests, each taking `latency_s` on average, can be made under this limit."""
    return limit.shortest_s(tasks, latency_s) + latency_s


class _Saying:
    """What a refusal says of waiting."""

    def __init__(self, *, says_wait: bool) -> None:
        self._says_wait = says_wait

    def left(self, now: float) -> None:
        """Nothing follows from an answer here."""

    def _refuse(self, wait_s: float) -> Refusal:
        return Refusal(max(1.0, float(ceil(wait_s))) if self._says_wait else None)


class SlidingWindow(_Saying):
    """At most `sends` in any `seconds`; what goes beyond is refused, and so is all for `penalty_s` after it.

    `counts_refused`: what is refused fills the window too, so only a client that slows down is let in again.
    """

    def __init__(
        self, sends: int, seconds: float, *, says_wait: bool, penalty_s: float = 0.0, counts_refused: bool = False
    ) -> None:
        super().__init__(says_wait=says_wait)
        self._sends, self._seconds, self._penalty_s = sends, seconds, penalty_s
        self._counts_refused = counts_refused
        self._log: deque[float] = deque()
        self._closed_until = -inf

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        while self._log and now - self._log[0] >= self._seconds:
            self._log.popleft()
        if now < self._closed_until:
            return self._refuse(self._closed_until - now)
        if len(self._log) < self._sends:
            self._log.append(now)
            return None
        if self._counts_refused:
            self._log.append(now)
        self._closed_until = now + self._penalty_s
        opens_at = self._log[-self._sends] + self._seconds
        return self._refuse(max(self._penalty_s, opens_at - now))

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """A whole window's allowance at once, then the next one window later."""
        return (ceil(tasks / self._sends) - 1) * self._seconds


class FixedWindow(_Saying):
    """At most `sends` in each stretch of `seconds`; the first stretch ends at `first_ends_at`."""

    def __init__(self, sends: int, seconds: float, *, says_wait: bool, first_ends_at: float | None = None) -> None:
        super().__init__(says_wait=says_wait)
        self._sends, self._seconds = sends, seconds
        self._first_ends_at = seconds if first_ends_at is None else first_ends_at
        self._ends_at = self._first_ends_at
        self._count = 0

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        if now >= self._ends_at:
            self._ends_at += self._seconds * (floor((now - self._ends_at) / self._seconds) + 1)
            self._count = 0
        if self._count < self._sends:
            self._count += 1
            return None
        return self._refuse(self._ends_at - now)

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """A whole allowance at once, then one at the beginning of each stretch."""
        stretches = ceil(tasks / self._sends) - 1
        return self._first_ends_at + (stretches - 1) * self._seconds if stretches else 0.0


class TokenBucket(_Saying):
    """Holds up to `burst` tokens, full at first; `per_s` come in each second; each request takes one."""

    def __init__(self, per_s: float, burst: float, *, says_wait: bool) -> None:
        super().__init__(says_wait=says_wait)
        self._per_s, self._burst = per_s, burst
        self._tokens, self._at = burst, 0.0

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return self._refuse((1 - self._tokens) / self._per_s)
        self._tokens -= 1
        return None

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """The bucket at once, then one by one as tokens come."""
        return max(0.0, (tasks - self._burst) / self._per_s)


class LeakyBucket(_Saying):
    """nginx `limit_req rate=… burst=… nodelay`: each request adds 1 to an excess that drains at `per_s`.

    One that would bring the excess above `burst` is refused and adds nothing. Counted in whole milliseconds and in
    thousandths of a request, as nginx does (ngx_http_limit_req_lookup). nginx itself never says Retry-After.
    """

    def __init__(self, per_s: float, burst: int, *, says_wait: bool = False) -> None:
        super().__init__(says_wait=says_wait)
        self._per_s, self._burst = per_s, burst
        self._excess: int | None = None  # in thousandths; None before the first request
        self._at_ms = 0

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        now_ms = floor(now * 1000)
        if self._excess is None:
            self._excess, self._at_ms = 0, now_ms
            return None
        excess = max(0, self._excess - floor(self._per_s * (now_ms - self._at_ms)) + 1000)
        if excess > self._burst * 1000:
            return self._refuse((excess / 1000 - self._burst) / self._per_s)
        self._excess, self._at_ms = excess, now_ms
        return None

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """The first and the burst at once, then one by one as the excess drains."""
        return max(0.0, (tasks - 1 - self._burst) / self._per_s)


class StickTable(_Saying):
    """haproxy `http_req_rate(<seconds>) gt <sends>` with deny: two counters, the last stretch's weighed by its rest.

    The request is tracked before it is denied, so what is refused counts too (haproxy's freq_ctr.h, and the example
    of rate limiting in its manual). haproxy itself never says Retry-After.
    """

    def __init__(
        self, sends: int, seconds: float, *, says_wait: bool = False, first_ends_at: float | None = None
    ) -> None:
        super().__init__(says_wait=says_wait)
        self._sends, self._seconds = sends, seconds
        self._first_ends_at = seconds if first_ends_at is None else first_ends_at
        self._ends_at = self._first_ends_at
        self._now, self._last = 0, 0

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        if now >= self._ends_at:
            stretches = floor((now - self._ends_at) / self._seconds) + 1
            self._last, self._now = (self._now if stretches == 1 else 0), 0
            self._ends_at += stretches * self._seconds
        self._now += 1
        rest = (self._ends_at - now) / self._seconds
        over = self._now + floor(self._last * rest) - self._sends
        return self._refuse(over * self._seconds / self._sends) if over > 0 else None

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """All at once in the first stretch, then as its share fades: at the even rate."""
        beyond = max(0, tasks - self._sends)
        return self._first_ends_at + beyond * self._seconds / self._sends if beyond else 0.0


class Concurrency(_Saying):
    """At most `most` requests at a time."""

    def __init__(self, most: int, *, says_wait: bool) -> None:
        super().__init__(says_wait=says_wait)
        self._most = most
        self._inside = 0

    def arrive(self, now: float) -> Refusal | None:  # noqa: ARG002 - the protocol's signature
        """See ServerLimit."""
        if self._inside >= self._most:
            return self._refuse(0.0)
        self._inside += 1
        return None

    def left(self, now: float) -> None:  # noqa: ARG002 - the protocol's signature
        """See ServerLimit."""
        self._inside -= 1

    def shortest_s(self, tasks: int, latency_s: float) -> float:
        """`most` at once, and the next as each is answered."""
        return (ceil(tasks / self._most) - 1) * latency_s


class Both:
    """Two limits at once, such as a concurrency and a window: what one of them refuses is nothing to the other."""

    def __init__(self, first: ServerLimit, second: ServerLimit) -> None:
        self._first, self._second = first, second

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit. The first must forget a request that it let in when told that it left, as Concurrency."""
        if (refusal := self._first.arrive(now)) is not None:
            return refusal
        if (refusal := self._second.arrive(now)) is not None:
            self._first.left(now)
        return refusal

    def left(self, now: float) -> None:
        """See ServerLimit."""
        self._first.left(now)
        self._second.left(now)

    def shortest_s(self, tasks: int, latency_s: float) -> float:
        """The slower of the two."""
        return max(self._first.shortest_s(tasks, latency_s), self._second.shortest_s(tasks, latency_s))


class HalvedBucket(_Saying):
    """A token bucket that gets only half as much between two moments, and then the whole again."""

    def __init__(self, per_s: float, burst: float, between: tuple[float, float], *, says_wait: bool) -> None:
        super().__init__(says_wait=says_wait)
        self._per_s, self._burst = per_s, burst
        self._from_s, self._until_s = between
        self._tokens, self._at = burst, 0.0

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        self._tokens = min(self._burst, self._tokens + self._gained(now) - self._gained(self._at))
        self._at = now
        if self._tokens < 1:
            per_s = self._per_s / 2 if self._from_s <= now < self._until_s else self._per_s
            return self._refuse((1 - self._tokens) / per_s)
        self._tokens -= 1
        return None

    def shortest_s(self, tasks: int, latency_s: float) -> float:  # noqa: ARG002 - the protocol's signature
        """As of the whole bucket, and later by what came in less if that was before the end."""
        whole_s = max(0.0, (tasks - self._burst) / self._per_s)
        if whole_s <= self._from_s:
            return whole_s
        halved_s = self._from_s + 2 * (whole_s - self._from_s)
        return min(halved_s, whole_s + (self._until_s - self._from_s) / 2)

    def _gained(self, now: float) -> float:
        """Tokens that have come in since 0."""
        halved_s = max(0.0, min(now, self._until_s) - self._from_s)
        return self._per_s * (now - halved_s / 2)
