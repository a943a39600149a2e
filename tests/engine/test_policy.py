"""The table from fault to reaction, and the bounds on trying again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from engine_samples import failure, tried
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.policy import REACTIONS, Reaction, RetryBounds, verdict
from batchgen.model import Attempt, Billing, Failure, Fault, GiveUp, Retry, Stop, Verdict

BOUNDS = RetryBounds()
PASSING = [fault for fault, reaction in REACTIONS.items() if reaction is Reaction.RETRY]
COUNTED = [fault for fault in PASSING if fault is not Fault.THROTTLED]
chances = st.floats(0, 1)


def _judge(
    found: Failure, before: list[Attempt] | None = None, *, chance: float = 0.5, waited_s: float = 0.0
) -> Verdict:
    return verdict(found, before or [], waited_s=waited_s, bounds=BOUNDS, chance=chance)


def _before(count: int, fault: Fault = Fault.OVERLOADED, billing: Billing = Billing.NO) -> list[Attempt]:
    return [tried(number, fault, billing) for number in range(1, count + 1)]


def test_the_table_knows_every_fault() -> None:
    assert REACTIONS.keys() == set(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_has_its_reaction_from_the_first_attempt_on(fault: Fault) -> None:
    kinds = {Reaction.RETRY: Retry, Reaction.GIVE_UP: GiveUp, Reaction.STOP: Stop}
    assert isinstance(_judge(failure(fault)), kinds[REACTIONS[fault]])


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in PASSING])
@given(chance=chances, count=st.integers(0, 5))
def test_no_other_fault_is_ever_tried_again(fault: Fault, chance: float, count: int) -> None:
    assert not isinstance(_judge(failure(fault), _before(count), chance=chance), Retry)


@pytest.mark.parametrize("fault", [Fault.UNAUTHORISED, Fault.OUT_OF_CREDIT, Fault.MISDIRECTED, Fault.DISK])
def test_what_every_task_would_meet_stops_the_run(fault: Fault) -> None:
    assert _judge(failure(fault)) == Stop()


@pytest.mark.parametrize("fault", [Fault.INVALID, Fault.REFUSED, Fault.FILTERED])
def test_what_this_task_would_always_meet_ends_it(fault: Fault) -> None:
    assert _judge(failure(fault)) == GiveUp()


@pytest.mark.parametrize("fault", COUNTED)
def test_a_passing_fault_is_tried_six_times(fault: Fault) -> None:
    verdicts = [_judge(failure(fault), _before(count, fault)) for count in range(8)]
    assert [isinstance(each, Retry) for each in verdicts] == [True] * 5 + [False] * 3


@given(before=st.integers(0, 1000), chance=chances, asked=st.none() | st.floats(0, 3600))
def test_being_throttled_never_ends_a_task(before: int, chance: float, asked: float | None) -> None:
    found = failure(Fault.THROTTLED, retry_after_s=asked)
    assert _judge(found, _before(before, Fault.THROTTLED), chance=chance, waited_s=1e6) == Retry(after_s=0.0)


def test_being_throttled_uses_up_no_attempt_and_no_time() -> None:
    throttled = [tried(number, Fault.THROTTLED, seconds=1000) for number in range(1, 50)]
    assert isinstance(_judge(failure(Fault.OVERLOADED), throttled + _before(4)), Retry)
    assert _judge(failure(Fault.OVERLOADED), throttled + _before(5)) == GiveUp()


@given(count=st.integers(0, 4), chance=chances)
def test_a_back_off_doubles_and_half_of_it_is_chance(count: int, chance: float) -> None:
    found = _judge(failure(Fault.OVERLOADED), _before(count), chance=chance)
    assert isinstance(found, Retry)
    assert 0.5 * 2**count <= found.after_s <= 2**count


def test_chance_reaches_both_ends_of_a_back_off() -> None:
    assert _judge(failure(Fault.OVERLOADED), chance=0.0) == Retry(after_s=0.5, back_off_s=0.5)
    assert _judge(failure(Fault.OVERLOADED), chance=1.0) == Retry(after_s=1.0, back_off_s=1.0)


@given(count=st.integers(0, 200), chance=chances)
def test_a_back_off_is_a_minute_at_most(count: int, chance: float) -> None:
    bounds = RetryBounds(attempts=1000, within_s=1e9)
    found = verdict(failure(Fault.TIMEOUT), _before(count), waited_s=0, bounds=bounds, chance=chance)
    assert isinstance(found, Retry)
    assert found.after_s <= 60


@given(chance=chances, asked=st.floats(0, 800))
def test_the_server_may_ask_for_longer_and_not_for_less(chance: float, asked: float) -> None:
    plain = _judge(failure(Fault.OVERLOADED), chance=chance)
    found = _judge(failure(Fault.OVERLOADED, retry_after_s=asked), chance=chance)
    assert isinstance(plain, Retry)
    assert found == Retry(after_s=max(plain.after_s, asked), back_off_s=plain.after_s)


def test_a_task_is_given_up_rather_than_tried_after_its_time() -> None:
    assert isinstance(_judge(failure(Fault.OVERLOADED), waited_s=898.5, chance=1), Retry)
    assert _judge(failure(Fault.OVERLOADED), waited_s=899.5, chance=1) == GiveUp()
    assert isinstance(_judge(failure(Fault.OVERLOADED, retry_after_s=901)), Retry)
    slow = [tried(1, Fault.TIMEOUT, Billing.MAYBE, seconds=899)]
    assert _judge(failure(Fault.TIMEOUT), slow) == GiveUp()


@pytest.mark.parametrize("fault", [Fault.NOT_A_PICTURE, Fault.CUT_OFF, Fault.TIMEOUT])
def test_a_paid_answer_that_was_lost_is_paid_for_once_more(fault: Fault) -> None:
    paid = failure(fault, Billing.YES)
    assert isinstance(_judge(paid), Retry)
    assert _judge(paid, _before(1, fault, Billing.YES)) == GiveUp()


def test_unpaid_attempts_leave_the_paid_budget_alone() -> None:
    paid = failure(Fault.NOT_A_PICTURE, Billing.YES)
    assert isinstance(_judge(paid, _before(3, Fault.TIMEOUT, Billing.MAYBE)), Retry)
    once = _before(1, Fault.NOT_A_PICTURE, Billing.YES)
    assert isinstance(_judge(failure(Fault.OVERLOADED), once), Retry)


@pytest.mark.parametrize("paid", [0, 1, 3])
def test_the_paid_budget_is_what_it_is_set_to(paid: int) -> None:
    bounds = RetryBounds(paid=paid)
    found = failure(Fault.CUT_OFF, Billing.YES)
    verdicts = [
        verdict(found, _before(count, Fault.CUT_OFF, Billing.YES), waited_s=0, bounds=bounds, chance=0)
        for count in range(5)
    ]
    assert sum(isinstance(each, Retry) for each in verdicts) == paid


@given(chance=chances)
def test_later_waits_are_no_shorter_at_equal_chance(chance: float) -> None:
    waits = [_judge(failure(Fault.UNREACHABLE), _before(count), chance=chance) for count in range(5)]
    assert all(isinstance(each, Retry) for each in waits)
    assert all(a.after_s <= b.after_s for a, b in pairwise(waits) if isinstance(a, Retry) and isinstance(b, Retry))
