"""What headers say of how much is left may hold a send back, and never lets one go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, failure
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.limiter import Limiter, Rules
from batchgen.engine.told import LONGEST_S, Told
from batchgen.model import Allowance, Fault, Window
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from batchgen.model import Outcome


def left(remaining: int, reset_s: float = 30.0) -> Allowance:
    """So many requests until then."""
    return Allowance(remaining=remaining, reset_s=reset_s)


def test_a_server_that_says_nothing_holds_nobody_back() -> None:
    told = Told()
    for _ in range(1000):
        told.take(0.0)
    assert told.wait_s(0.0) == 0


@given(st.integers(0, 50), st.floats(0, 1000))
def test_so_many_more_as_are_left_and_then_none_until_they_are_renewed(remaining: int, reset_s: float) -> None:
    told = Told()
    told.heed(10.0, 1, 1, left(remaining, reset_s))
    for _ in range(remaining):
        assert told.wait_s(10.0) == 0
        told.take(10.0)
    heeded_s = min(reset_s, LONGEST_S)
    assert told.wait_s(10.0) == pytest.approx(heeded_s, abs=1e-9)
    assert told.wait_s(10.0 + heeded_s + 1e-6) == 0


def test_it_is_heeded_for_a_minute_at_most() -> None:
    assert LONGEST_S == 60
    told = Told()
    told.heed(10.0, 1, 1, left(0, 1e9))
    assert [told.wait_s(now) for now in (10, 40, 69.5, 70, 1e6)] == [60, 30, 0.5, 0, 0]


def test_what_was_let_through_after_the_request_that_was_answered_is_taken_off() -> None:
    told = Told()
    told.heed(0.0, 3, 7, left(5))
    assert told.wait_s(0.0) == 0
    told.take(0.0)
    assert told.wait_s(0.0) == 30


@pytest.mark.parametrize("remaining", [0, -5])
def test_none_left_or_fewer_wait(remaining: int) -> None:
    told = Told()
    told.heed(0.0, 1, 1, left(remaining))
    assert told.wait_s(0.0) == 30


def test_the_answer_to_the_newest_request_counts_whenever_it_comes() -> None:
    told = Told()
    told.heed(0.0, 2, 2, left(0))
    told.heed(1.0, 1, 2, left(100))
    assert told.wait_s(1.0) == 29
    told.heed(2.0, 3, 3, left(100))
    assert told.wait_s(2.0) == 0


def test_one_that_was_not_sent_leaves_its_place() -> None:
    told = Told()
    told.heed(0.0, 1, 1, left(1))
    told.take(0.0)
    told.give_back()
    assert told.wait_s(0.0) == 0


def sends(rules: Rules, answers: list[Outcome], more: int) -> list[float]:
    """When requests left, one after another: first those with these answers, then more."""

    async def main() -> list[float]:
        limiter, found = Limiter(rules, on_wait=lambda *_: None), []
        for answer in [*answers, *[SUCCESS] * more]:
            permit = await limiter.turn()
            permit.sent()
            found.append(round(anyio.current_time(), 2))
            permit.answered(answer)
            permit.release()
        return found

    return in_virtual_time(main)


def with_allowance(remaining: int, reset_s: float) -> Outcome:
    """An answer that says what is left."""
    return replace(failure(Fault.REFUSED), allowance=left(remaining, reset_s))


def test_headers_lower_the_rate() -> None:
    assert sends(Rules(), [with_allowance(2, 30.0)], 4) == [0, 0, 0, 30, 30]


@pytest.mark.parametrize(("reset_s", "after"), [(90.0, [60, 120, 120]), (1e9, [60, 120, 180]), (30.0, [30, 30, 30])])
def test_after_a_minute_one_sees_and_all_go_when_it_is_renewed(reset_s: float, after: list[float]) -> None:
    assert sends(Rules(), [with_allowance(0, reset_s)], 3) == [0, *after]


def test_a_server_that_says_nonsense_is_asked_again_each_minute() -> None:
    assert sends(Rules(), [with_allowance(0, 1e9)] * 3, 3) == [0, 60, 120, 180, 240, 300]


@given(st.integers(0, 10_000), st.floats(0, 20))
def test_headers_never_raise_it(remaining: int, reset_s: float) -> None:
    rules = Rules(windows=(Window(sends=2, seconds=10),))
    heeding = sends(rules, [with_allowance(remaining, reset_s)], 5)
    plain = sends(rules, [], 6)
    assert all(told >= alone for told, alone in zip(heeding, plain, strict=True))
    assert all(over - first >= 10 for first, over in zip(heeding, heeding[2:], strict=False))
