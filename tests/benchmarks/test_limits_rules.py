"""The optimum that the benchmark of limits divides by is what the server's rule allows, and no client does better."""

from __future__ import annotations

import pytest

from batchgen.sandbox.limits import Account, parse_limits
from benchmarks.rules import Kind, Rule
from benchmarks.servers import Sandbox

LATENCY_S = 0.5


@pytest.mark.parametrize(
    ("rule", "tasks", "optimum_s"),
    [
        # Three windows begin, the last of them 20 s after the first.
        (Rule(Kind.WINDOW, 150, 10), 450, 20 + LATENCY_S),
        (Rule(Kind.WINDOW, 150, 10), 451, 30 + LATENCY_S),
        (Rule(Kind.WINDOW, 150, 10), 150, LATENCY_S),
        # 15 at once, 285 more at 15 a second.
        (Rule(Kind.BUCKET, 15, 1), 300, 19 + LATENCY_S),
        # The first request adds nothing to nginx's excess, so 101 go at once and 900 follow at 50 a second.
        (Rule(Kind.LEAKY, 100, 2), 1001, 18 + LATENCY_S),
        # haproxy: 1,000 in the first 10 s; then they fade, and 2,000 follow at 100 a second.
        (Rule(Kind.STICK, 1000, 10), 3000, 30 + LATENCY_S),
    ],
)
def test_the_optimum_follows_from_the_rule(rule: Rule, tasks: int, optimum_s: float) -> None:
    assert rule.optimum_s(tasks, LATENCY_S) == pytest.approx(optimum_s)


@pytest.mark.parametrize(
    "rule", [Rule(Kind.WINDOW, 7, 3), Rule(Kind.BUCKET, 15, 1), Rule(Kind.BUCKET, 100, 10)], ids=str
)
@pytest.mark.parametrize("tasks", [1, 7, 8, 100, 300])
def test_the_sandbox_is_told_the_rule_whose_optimum_is_reckoned(rule: Rule, tasks: int) -> None:
    """A client that knows how long to wait, and asks at that moment, is let in throughout and ends at the optimum."""
    sandbox = Sandbox(rule=rule, latency_s=LATENCY_S, spread_s=0)
    account = Account(parse_limits([sandbox.limit]))
    now = 0.0
    for _ in range(tasks):
        [quota] = account.quotas(now)
        now += quota.reset_s if quota.remaining == 0 else 0.0
        assert account.refusal_s(now) is None
    assert rule.optimum_s(tasks, LATENCY_S) == pytest.approx(now + LATENCY_S)


def test_the_sandbox_is_not_asked_for_a_rule_that_it_lacks() -> None:
    with pytest.raises(ValueError, match="keeps no leaky rule"):
        _ = Sandbox(rule=Rule(Kind.LEAKY, 100, 2), latency_s=0, spread_s=0).limit


def test_a_rate_that_limit_req_cannot_spell_is_refused() -> None:
    with pytest.raises(ValueError, match="100 in 3 s is not a whole number a second"):
        _ = Rule(Kind.LEAKY, 100, 3).per_s
