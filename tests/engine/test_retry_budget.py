"""Retries cost: a tenth of one is earned with each first attempt, beside a reserve of ten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.retry_budget import FIRSTS_FOR_ONE, RESERVE, RetryBudget


def affordable(budget: RetryBudget) -> int:
    """How many retries can be paid for now; pays for them."""
    found = 0
    while budget.spend():
        found += 1
    return found


def test_the_numbers() -> None:
    assert (FIRSTS_FOR_ONE, RESERVE) == (10, 10)


def test_the_reserve_is_there_from_the_start() -> None:
    assert affordable(RetryBudget()) == 10


@pytest.mark.parametrize(("first_attempts", "retries"), [(9, 0), (10, 1), (1000, 100), (5005, 500)])
def test_a_tenth_is_earned_with_each_first_attempt(first_attempts: int, retries: int) -> None:
    budget = RetryBudget()
    affordable(budget)
    for _ in range(first_attempts):
        budget.earn()
    assert affordable(budget) == retries


@given(st.lists(st.booleans(), max_size=300))
def test_there_are_never_more_retries_than_a_tenth_and_ten(firsts: list[bool]) -> None:
    budget, earned, spent = RetryBudget(), 0, 0
    for is_first in firsts:
        if is_first:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
        assert spent <= 10 + earned / 10


@given(st.integers(1, 50))
def test_what_can_not_be_paid_for_costs_nothing(refusals: int) -> None:
    budget = RetryBudget()
    affordable(budget)
    assert [budget.spend() for _ in range(refusals)] == [False] * refusals
    for _ in range(10):
        budget.earn()
    assert budget.spend()
