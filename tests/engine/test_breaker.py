"""Outages: half of the last 20 answers opens the breaker, one probe a step sees whether it is over, steps double."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.breaker import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    LOOKED_AT,
    RELAPSE_S,
    VARIES,
    Breaker,
    State,
)

TOO_MANY = LOOKED_AT // 2
chances = st.floats(0, 1)


def answer(breaker: Breaker, now: float, let_through_at: float, *, failed: bool, chance: float = 0.0) -> None:
    """What came of a request that is no probe."""
    breaker.answered(now, let_through_at, failed=failed, chance=chance)


def opened(now: float, chance: float = 0.0) -> Breaker:
    """A breaker that opened at `now`."""
    breaker = Breaker()
    for _ in range(TOO_MANY):
        answer(breaker, now, now - 1, failed=True, chance=chance)
    return breaker


def probe(breaker: Breaker, now: float, *, takes_s: float = 1.0, failed: bool, chance: float = 0.0) -> bool:
    """Send the probe at `now`; True: its answer ends the outage."""
    assert breaker.wait_s(now) == 0
    assert breaker.take()
    breaker.probed(now + takes_s, failed=failed, chance=chance)
    return breaker.state is State.CLOSED


def test_the_numbers() -> None:
    assert (LOOKED_AT, FIRST_PAUSE_S, LONGEST_PAUSE_S, RELAPSE_S, VARIES) == (20, 5.0, 30.0, 60.0, 0.25)


def test_ten_failures_open_it_and_nine_do_not() -> None:
    breaker = Breaker()
    for _ in range(9):
        answer(breaker, 1.0, 0.0, failed=True)
    assert (breaker.state, breaker.wait_s(1.0)) == (State.CLOSED, 0)
    answer(breaker, 1.0, 0.0, failed=True)
    assert (breaker.state, breaker.wait_s(1.0)) == (State.OPEN, 5)


@given(st.lists(st.booleans(), max_size=80), chances)
def test_it_opens_at_the_first_answer_that_makes_half_of_the_last_twenty_failures(
    answers: list[bool], chance: float
) -> None:
    breaker = Breaker()
    for number, failed in enumerate(answers, 1):
        answer(breaker, float(number), number - 0.5, failed=failed, chance=chance)
        if sum(answers[max(0, number - 20) : number]) >= 10:
            assert breaker.state is State.OPEN
            return
        assert breaker.wait_s(number) == 0
        assert not breaker.take()
        assert breaker.state is State.CLOSED


def test_failures_long_past_are_forgotten() -> None:
    breaker = Breaker()
    for _ in range(100):
        for failed in [True] * 9 + [False] * 11:
            answer(breaker, 1.0, 0.0, failed=failed)
    assert breaker.state is State.CLOSED


def test_nothing_passes_before_the_pause_is_over_and_then_one_does() -> None:
    breaker = opened(100.0)
    assert [breaker.wait_s(now) for now in (100, 102, 104.5, 105, 200)] == [5, 3, 0.5, 0, 0]
    assert breaker.take()
    assert breaker.state is State.PROBING
    assert [breaker.wait_s(now) for now in (105, 200, 10_000)] == [inf] * 3


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_pauses_double_from_five_seconds_to_three_quarters_of_a_minute(chance: float) -> None:
    breaker, now, pauses = opened(0.0, chance), 0.0, []
    for _ in range(8):
        pauses.append(breaker.wait_s(now))
        now += breaker.wait_s(now)
        assert not probe(breaker, now, failed=True, chance=chance)
        now += 1.0
    assert pauses == pytest.approx([each * (1 - 0.25 * chance) for each in (5, 10, 20, 30, 30, 30, 30, 30)])


def test_a_pause_begins_with_the_answer_to_its_probe() -> None:
    breaker = opened(0.0)
    probe(breaker, 5.0, takes_s=30.0, failed=True)
    assert breaker.wait_s(35.0) == 10


def test_a_probe_that_succeeds_ends_the_outage_and_the_next_begins_small() -> None:
    breaker = opened(0.0)
    probe(breaker, 5.0, failed=True)
    assert probe(breaker, 16.0, failed=False)
    assert (breaker.state, breaker.wait_s(17.0)) == (State.CLOSED, 0)
    for _ in range(TOO_MANY):
        answer(breaker, 18.0, 17.5, failed=True)
    assert breaker.wait_s(18.0) == 5


def test_an_outage_that_is_over_leaves_no_failures_behind() -> None:
    breaker = opened(0.0)
    probe(breaker, 5.0, failed=False)
    for _ in range(TOO_MANY - 1):
        answer(breaker, 7.0, 6.5, failed=True)
    assert breaker.state is State.CLOSED


@given(st.lists(st.tuples(st.floats(0, 99), st.booleans(), chances), max_size=40), st.sampled_from([0, 1, 2]))
def test_answers_to_what_was_let_through_before_an_opening_say_nothing(
    late: list[tuple[float, bool, float]], stage: int
) -> None:
    breaker = opened(100.0)
    if stage:
        assert breaker.wait_s(105.0) == 0
        assert breaker.take()
    if stage == 2:
        breaker.probed(106.0, failed=False, chance=0.0)
    before = breaker.state, breaker.wait_s(110.0)
    for let_through_at, failed, chance in late:
        answer(breaker, 110.0, let_through_at, failed=failed, chance=chance)
        assert (breaker.state, breaker.wait_s(110.0)) == before


@pytest.mark.parametrize("failed", [True, False])
def test_a_probe_that_was_never_sent_makes_way_for_the_next_at_once(*, failed: bool) -> None:
    breaker = opened(0.0)
    assert breaker.take()
    breaker.give_back_probe()
    assert (breaker.state, breaker.wait_s(5.0)) == (State.OPEN, 0)
    assert probe(breaker, 6.0, failed=failed) is not failed


def test_nothing_is_a_probe_while_all_is_well() -> None:
    breaker = Breaker()
    assert [breaker.take() for _ in range(100)] == [False] * 100
    assert (breaker.state, breaker.wait_s(0.0)) == (State.CLOSED, 0)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0.01, 60), st.booleans(), chances), max_size=60))
def test_one_at_a_time_passes_while_an_outage_lasts(steps: list[tuple[float, float, bool, float]]) -> None:
    breaker, now, sent, pause_s = opened(0.0), 0.0, [0.0], 5.0
    for idle_s, takes_s, failed, chance in steps:
        now += breaker.wait_s(now) + idle_s
        assert breaker.take()
        sent.append(now)
        assert breaker.wait_s(now) == inf
        now += takes_s
        breaker.probed(now, failed=failed, chance=chance)
        if not failed:
            assert breaker.state is State.CLOSED
            break
        pause_s = min(pause_s * 2, 30)
        assert breaker.wait_s(now) == pytest.approx(pause_s * (1 - 0.25 * chance))
    assert all(b - a >= 5 for a, b in pairwise(sent))


# How long an outage lasts, and what is a part of it.


def test_without_an_outage_a_failure_is_a_part_of_none() -> None:
    breaker = Breaker()
    for _ in range(TOO_MANY - 1):
        answer(breaker, 1.0, 0.0, failed=True)
        assert breaker.outage_s(1.0, 0.0) is None


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0.01, 60)), max_size=20), st.floats(0, 2000))
def test_an_outage_lasts_from_its_first_opening_however_often_it_was_probed(
    steps: list[tuple[float, float]], let_through_at: float
) -> None:
    breaker, now = opened(100.0), 100.0
    assert breaker.outage_s(now, let_through_at) == 0
    for idle_s, takes_s in steps:
        now += breaker.wait_s(now) + idle_s
        assert breaker.take()
        assert breaker.outage_s(now, let_through_at) == now - 100
        now += takes_s
        breaker.probed(now, failed=True, chance=0.0)
        assert breaker.outage_s(now, let_through_at) == now - 100


def test_what_fails_within_a_minute_after_an_outage_still_counts_to_it() -> None:
    breaker = opened(0.0)
    assert probe(breaker, 5.0, failed=False)  # answered at 6
    times = (0.0, 5.5, 6.0, 65.9, 66.0, 100.0)
    assert [breaker.outage_s(200.0, at) for at in times] == [0, 0, 0, 0, None, None]


def test_a_second_outage_is_counted_from_its_own_beginning() -> None:
    breaker = opened(0.0)
    probe(breaker, 5.0, failed=False)
    for _ in range(TOO_MANY):
        answer(breaker, 500.0, 499.0, failed=True)
    assert breaker.outage_s(510.0, 499.0) == 10
