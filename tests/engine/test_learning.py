"""The learned pace: one decrease an episode, less after a refusal, more after a while; what was not sent is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.learning import LearnedRate


def send_until(learned: LearnedRate, now: float, until: float) -> list[float]:
    """Send as soon as allowed; everything is admitted half a second later."""
    sent: list[float] = []
    answered = 0
    while (now := now + learned.wait_s(now)) < until:
        while answered < len(sent) and sent[answered] + 0.5 <= now:
            learned.admitted(sent[answered])
            answered += 1
        learned.take(now)
        learned.sent(now)
        sent.append(now)
    return sent


def refused_once() -> LearnedRate:
    """A pace that met its limit at 6 s and may go on at 7.1 s."""
    learned = LearnedRate()
    sent = send_until(learned, 0.0, 6.0)
    learned.throttled(6.1, sent[-1], 1.0)
    return learned


def test_nothing_is_known_before_a_refusal() -> None:
    learned = LearnedRate()
    send_until(learned, 0.0, 5.0)
    assert learned.found_per_s is None


def test_the_slow_start_goes_faster_while_nothing_is_refused() -> None:
    sent = send_until(LearnedRate(), 0.0, 6.0)
    first, last = [each for each in sent if each < 1.0], [each for each in sent if each >= 5.0]
    assert len(last) > 4 * len(first)


def test_a_remembered_rate_is_where_it_begins() -> None:
    sent = send_until(LearnedRate(40.0), 0.0, 10.0)
    assert 0.85 * 400 <= len(sent) <= 1.02 * 400


def test_one_episode_is_one_decrease() -> None:
    learned = LearnedRate()
    sent = send_until(learned, 0.0, 6.0)
    assert learned.throttled(6.1, sent[-3], 2.0) == 2.0
    assert learned.found_per_s is not None
    learned.take(8.2)
    rate = learned.rate_per_s
    assert learned.throttled(8.3, sent[-2], 2.0) is None
    assert learned.throttled(8.4, sent[-1], None) is None
    learned.take(8.5)
    assert learned.rate_per_s == pytest.approx(rate, rel=0.02)


def test_nobody_sends_before_the_server_said_and_slower_after_it() -> None:
    learned = LearnedRate()
    sent = send_until(learned, 0.0, 6.0)
    before = learned.rate_per_s
    learned.throttled(6.1, sent[-1], 3.0)
    assert learned.wait_s(6.1) == pytest.approx(3.0)
    learned.take(9.1)
    assert learned.rate_per_s < before


def test_without_retry_after_each_failed_probe_waits_longer() -> None:
    learned = LearnedRate()
    sent = send_until(learned, 0.0, 6.0)
    now, pauses, refused = 6.1, [], sent[-1]
    for _ in range(5):
        pause_s = learned.throttled(now, refused, None)
        assert pause_s is not None
        pauses.append(pause_s)
        now += pause_s
        learned.take(now)
        learned.sent(now)
        refused, now = now, now + 0.01
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 8 * pauses[0]


def test_a_restored_limit_is_found_again() -> None:
    learned = refused_once()
    send_until(learned, 7.1, 8.0)
    soon = learned.rate_per_s
    send_until(learned, 8.0, 100.0)
    assert learned.rate_per_s > 2 * soon


@given(st.floats(0.25, 200.0), st.floats(0.0, 100.0))
def test_what_was_given_back_costs_no_wait(estimate_per_s: float, now: float) -> None:
    learned = LearnedRate(estimate_per_s)
    for _ in range(6):  # the first ones may make up for being late
        learned.take(now)
    waited_s = learned.wait_s(now)
    assert waited_s > 0.0
    learned.take(now)
    assert learned.wait_s(now) > waited_s
    learned.give_back()
    assert learned.wait_s(now) == pytest.approx(waited_s, abs=1e-6)


def test_time_in_which_nobody_asks_teaches_nothing() -> None:
    learned = refused_once()
    send_until(learned, 7.1, 20.0)
    before = learned.rate_per_s
    send_until(learned, 1_000.0, 1_000.5)
    assert learned.rate_per_s == pytest.approx(before, rel=0.05)


def test_it_is_never_thought_to_be_more_than_is_known() -> None:
    learned = LearnedRate(15.0, 15.0)
    sent = send_until(learned, 0.0, 2_000.0)
    assert learned.rate_per_s <= 15
    learned.throttled(2_000.1, sent[-1], 60.0)
    assert learned.found_per_s is not None
    assert 12 <= learned.found_per_s <= 15


def test_a_quota_that_is_spent_says_nothing_of_the_pace() -> None:
    learned = LearnedRate(15.0)
    sent = send_until(learned, 0.0, 3.0)
    rate = learned.rate_per_s
    assert learned.throttled(3.1, sent[-1], 3_600.0) == 3_600.0
    learned.take(3_603.2)
    assert learned.rate_per_s == pytest.approx(rate, rel=0.1)
