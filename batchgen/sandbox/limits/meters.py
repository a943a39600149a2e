"""How each rule counts. A meter decides by `now` alone: a monotonic clock in seconds that never runs backwards.

A meter is asked (`wait_s`), and later told what became of the request (`note`): with several limits a request counts
once all of them admit it. What is refused counts nowhere, unless the rule says so.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol, assert_never

from batchgen.sandbox.limits.rules import Bucket, Concurrency, Fixed, Limit, Sliding

# When a place comes free depends on what is being answered, so this is only a suggestion.
_CONCURRENCY_WAIT_S = 1.0
# Clocks of 10,000 s and more are good to about a picosecond; a request that is due this soon is due.
_NOW_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How one limit stands, for the headers that tell of it."""

    name: str
    limit: int
    remaining: int
    reset_s: float
    """Until `remaining` grows by itself; 0 when nothing is used."""
    per_s: float | None
    """The time that `limit` requests take to come back; None: whenever answers end."""


class Meter(Protocol):
    """One limit and what it has counted."""

    def wait_s(self, now: float, in_flight: int) -> float | None:
        """None: it would admit a request now. Else the seconds, over 0, until it might. `in_flight`: being answered."""
        ...

    def note(self, now: float, *, admitted: bool) -> None:
        """A request was admitted by all limits together, or refused."""
        ...

    def quota(self, now: float, in_flight: int) -> Quota:
        """How it stands."""
        ...


class SlidingMeter:
    """A log of the requests in the window; going beyond it starts the penalty, if there is one.

    As documented: 150 requests in any 10 seconds; the one that goes beyond gets 429, and for 60 seconds everything is
    refused. What is refused meanwhile does not lengthen the penalty.
    """

    def __init__(self, rule: Sliding, penalty_s: float = 0.0) -> None:
        self.rule = rule
        self.penalty_s = penalty_s
        self._counted: deque[float] = deque()
        self._penalty_ends = float("-inf")

    def wait_s(self, now: float, in_flight: int = 0) -> float | None:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        full = self._is_full(now)
        if not full and now >= self._penalty_ends:
            return None
        leaves = self._counted[-self.rule.requests] + self.rule.window_s if full else now
        return max(_NOW_S, leaves - now, self._penalty_ends - now)

    def note(self, now: float, *, admitted: bool) -> None:
        """See Meter."""
        if not admitted and now >= self._penalty_ends and self._is_full(now):
            self._penalty_ends = now + self.penalty_s
        if admitted or self.rule.rejections:
            self._counted.append(now)

    def quota(self, now: float, in_flight: int = 0) -> Quota:
        """See Meter."""
        wait_s = self.wait_s(now, in_flight)
        oldest_leaves_s = self._counted[0] + self.rule.window_s - now if self._counted else 0.0
        return Quota(
            name="rejections" if self.rule.rejections else "sliding",
            limit=self.rule.requests,
            remaining=0 if wait_s else self.rule.requests - len(self._counted),
            reset_s=wait_s or max(0.0, oldest_leaves_s),
            per_s=self.rule.window_s,
        )

    def _is_full(self, now: float) -> bool:
        while self._counted and now - self._counted[0] >= self.rule.window_s:
            self._counted.popleft()
        return len(self._counted) >= self.rule.requests


class FixedMeter:
    """A count that begins again at every whole multiple of the window."""

    def __init__(self, rule: Fixed) -> None:
        self.rule = rule
        self._window = -1
        self._count = 0

    def wait_s(self, now: float, in_flight: int = 0) -> float | None:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        self._turn_page(now)
        return None if self._count < self.rule.requests else self._left_s(now)

    def note(self, now: float, *, admitted: bool) -> None:
        """See Meter."""
        self._turn_page(now)
        self._count += admitted

    def quota(self, now: float, in_flight: int = 0) -> Quota:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        self._turn_page(now)
        return Quota(
            name="fixed",
            limit=self.rule.requests,
            remaining=max(0, self.rule.requests - self._count),
            reset_s=self._left_s(now) if self._count else 0.0,
            per_s=self.rule.window_s,
        )

    def _turn_page(self, now: float) -> None:
        window = math.floor(now / self.rule.window_s)
        if window != self._window:
            self._window, self._count = window, 0

    def _left_s(self, now: float) -> float:
        return max(_NOW_S, (self._window + 1) * self.rule.window_s - now)


class BucketMeter:
    """The generic cell rate algorithm: the time at which the bucket would be full again stands for its tokens."""

    def __init__(self, rule: Bucket) -> None:
        self.rule = rule
        self._full_at = float("-inf")

    def wait_s(self, now: float, in_flight: int = 0) -> float | None:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        wait_s = self._full_at - (self.rule.burst - 1) / self.rule.rate_per_s - now
        return None if wait_s <= _NOW_S else wait_s

    def note(self, now: float, *, admitted: bool) -> None:
        """See Meter."""
        if admitted:
            self._full_at = max(self._full_at, now) + 1 / self.rule.rate_per_s

    def quota(self, now: float, in_flight: int = 0) -> Quota:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        lacking = max(0.0, self._full_at - now) * self.rule.rate_per_s
        missing = math.ceil(lacking - _NOW_S)
        return Quota(
            name="bucket",
            limit=self.rule.burst,
            remaining=max(0, self.rule.burst - missing),
            reset_s=(lacking - min(missing, self.rule.burst) + 1) / self.rule.rate_per_s if missing else 0.0,
            per_s=self.rule.burst / self.rule.rate_per_s,
        )


class ConcurrencyMeter:
    """Counts nothing itself: whoever answers requests knows how many are being answered."""

    def __init__(self, rule: Concurrency) -> None:
        self.rule = rule

    def wait_s(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - the protocol's signature
        """See Meter."""
        return None if in_flight < self.rule.requests else _CONCURRENCY_WAIT_S

    def note(self, now: float, *, admitted: bool) -> None:
        """See Meter."""

    def quota(self, now: float, in_flight: int) -> Quota:
        """See Meter."""
        return Quota(
            name="concurrency",
            limit=self.rule.requests,
            remaining=max(0, self.rule.requests - in_flight),
            reset_s=self.wait_s(now, in_flight) or 0.0,
            per_s=None,
        )


def meter_of(rule: Limit, penalty_s: float, before: Meter | None = None) -> Meter:
    """A meter of this rule; one of the same kind goes on with what it has counted."""
    match rule, before:
        case Sliding(), SlidingMeter():
            before.rule, before.penalty_s = rule, 0.0 if rule.rejections else penalty_s
        case Fixed(), FixedMeter():
            before.rule = rule
        case Bucket(), BucketMeter():
            before.rule = rule
        case Concurrency(), ConcurrencyMeter():
            before.rule = rule
        case _:
            return _new_meter(rule, penalty_s)
    return before


def _new_meter(rule: Limit, penalty_s: float) -> Meter:
    match rule:
        case Sliding():
            return SlidingMeter(rule, 0.0 if rule.rejections else penalty_s)
        case Fixed():
            return FixedMeter(rule)
        case Bucket():
            return BucketMeter(rule)
        case Concurrency():
            return ConcurrencyMeter(rule)
        case _:
            assert_never(rule)
