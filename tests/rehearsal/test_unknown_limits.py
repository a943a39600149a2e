"""A limit that nobody told: learned from refusals, on every kind of server, from one request in 4 s to 100 a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchgen.engine.limiter import Rules
from batchgen.engine.policy import RetryBounds
from batchgen.model import Window
from batchgen.rehearsal.rehearse import Model, rehearse
from batchgen.rehearsal.servers import (
    Both,
    Concurrency,
    FixedWindow,
    HalvedBucket,
    LeakyBucket,
    SlidingWindow,
    StickTable,
    TokenBucket,
    optimum_s,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchgen.rehearsal.servers import ServerLimit

LATENCY_S = (0.2, 0.8)


def _sends(per_s: float) -> tuple[int, float]:
    """So many in so many seconds: two, or the time of one where that is longer."""
    seconds = max(2.0, 1 / per_s)
    return round(per_s * seconds), seconds


KINDS: dict[str, Callable[[float, bool], ServerLimit]] = {
    "token bucket": lambda per_s, says: TokenBucket(per_s, max(per_s, 1), says_wait=says),
    "leaky bucket": lambda per_s, says: LeakyBucket(per_s, max(2, round(per_s / 5)), says_wait=says),
    "nginx, a second's burst": lambda per_s, says: LeakyBucket(per_s, max(1, round(per_s)), says_wait=says),
    "sliding window": lambda per_s, says: SlidingWindow(*_sends(per_s), says_wait=says),
    "fixed window": lambda per_s, says: FixedWindow(*_sends(per_s), says_wait=says, first_ends_at=0.7),
    "counts what it refuses": lambda per_s, says: SlidingWindow(*_sends(per_s), says_wait=says, counts_refused=True),
    "haproxy": lambda per_s, says: StickTable(*_sends(per_s), says_wait=says, first_ends_at=0.7),
    "two at once": lambda per_s, says: Both(
        Concurrency(128, says_wait=says), TokenBucket(per_s, max(per_s, 1), says_wait=says)
    ),
    "halved and restored": lambda per_s, says: HalvedBucket(
        per_s, max(per_s, 1), (500 / per_s, 1000 / per_s), says_wait=says
    ),
}


@pytest.mark.parametrize("says", [True, False], ids=["says how long", "does not"])
@pytest.mark.parametrize("per_s", [0.25, 1, 5, 15, 50, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_is_found_and_kept_to(kind: str, per_s: float, *, says: bool) -> None:
    def limit() -> ServerLimit:
        return KINDS[kind](per_s, says)

    tasks = max(1_000, round(per_s * 66))
    found = rehearse(tasks, Model(limit=limit, latency_s=LATENCY_S), Rules(unknown=True), RetryBounds())
    assert found.failed == 0
    assert found.requests == tasks + found.rejected
    assert found.seconds <= optimum_s(limit(), tasks, 0.5) * (1.35 if kind == "halved and restored" else 1.25)
    assert found.rejected <= max(35, tasks / 100)


@pytest.mark.parametrize("says", [True, False])
def test_a_penalty_that_nobody_told_costs_a_few_of_them(*, says: bool) -> None:
    def limit() -> ServerLimit:
        return SlidingWindow(150, 10, says_wait=says, penalty_s=60)

    found = rehearse(3_000, Model(limit=limit, latency_s=LATENCY_S), Rules(unknown=True), RetryBounds())
    assert found.failed == 0
    assert found.rejected <= 60
    assert found.seconds <= 1_200


@pytest.mark.parametrize("sends", [75, 150])
@pytest.mark.parametrize("latency_s", [LATENCY_S, (4.0, 8.0)])
def test_a_known_limit_is_never_passed_and_one_that_is_lower_is_followed(
    sends: int, latency_s: tuple[float, float]
) -> None:
    def limit() -> ServerLimit:
        return SlidingWindow(sends, 10, says_wait=False, penalty_s=60)

    told = Rules(windows=(Window(sends=150, seconds=10),), penalty_s=60)
    found = rehearse(1_500, Model(limit=limit, latency_s=latency_s), told, RetryBounds())
    assert found.failed == 0
    if sends == 150:
        assert found.rejected == 0
        assert found.seconds <= optimum_s(limit(), 1_500, sum(latency_s) / 2) * 1.1
    else:
        assert found.rejected <= 80 + 10  # half of the first window, and a few more
