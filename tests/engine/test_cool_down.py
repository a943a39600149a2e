"""After a 429: as long as the server asks or its penalty lasts, one episode at a time, and never shortened."""

from __future__ import annotations

from functools import partial

import anyio
import pytest
from engine_samples import SUCCESS, failure
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.cool_down import LONGEST_AGAIN_S, SHORTEST_AGAIN_S, CoolDown
from batchgen.engine.limiter import Limiter, Rules
from batchgen.model import Fault
from batchgen.rehearsal.clock import in_virtual_time

waits = st.floats(0, 1000)
asked = st.none() | waits


@given(waits, asked)
def test_the_wait_is_what_was_asked_for_or_else_the_penalty(penalty_s: float, asked_s: float | None) -> None:
    cool = CoolDown(penalty_s)
    assert cool.throttled(10.0, 9.0, asked_s)
    wait_s = penalty_s if asked_s is None else asked_s
    assert cool.wait_s(10.0) == pytest.approx(wait_s, abs=1e-9)
    assert cool.length_s == wait_s
    assert cool.wait_s(10.0 + wait_s) == pytest.approx(0, abs=1e-9)


def test_before_any_429_nobody_waits() -> None:
    assert CoolDown(60.0).wait_s(0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 200), st.sampled_from("teta"), asked), max_size=40))
def test_a_penalty_never_shortens_a_wait(moments: list[tuple[float, float, str, float | None]]) -> None:
    cool, now = CoolDown(60.0), 0.0
    for later_s, age_s, what, asked_s in moments:
        now += later_s
        ends = now + cool.wait_s(now)
        match what:
            case "t":
                cool.throttled(now, now - age_s, asked_s)
            case "e":
                cool.extend(now, asked_s or 0.0)
            case _:
                cool.admitted()
        assert now + cool.wait_s(now) >= ends - 1e-9


def test_a_longer_wait_met_elsewhere_holds_and_a_shorter_one_changes_nothing() -> None:
    cool = CoolDown(60.0)
    cool.throttled(0.0, 0.0, 10.0)
    cool.extend(1.0, 3.0)
    assert (cool.wait_s(1.0), cool.length_s) == (9, 10)
    cool.extend(1.0, 30.0)
    assert (cool.wait_s(1.0), cool.length_s) == (30, 30)


@given(st.lists(st.tuples(st.floats(-100, 59.9), st.floats(0, 200), asked), max_size=20))
def test_answers_to_what_was_sent_before_its_end_change_nothing(late: list[tuple[float, float, float | None]]) -> None:
    cool = CoolDown(60.0)
    assert cool.throttled(0.0, -1.0, None)
    for sent_at, now, asked_s in late:
        assert not cool.throttled(now, sent_at, asked_s)
        assert cool.wait_s(0.0) == 60


def test_an_answer_to_what_was_sent_after_its_end_begins_another() -> None:
    cool = CoolDown(60.0)
    cool.throttled(0.0, -1.0, 5.0)
    assert cool.throttled(6.0, 5.0, None)
    assert cool.wait_s(6.0) == 60


def refusals(cool: CoolDown, asked_s: float | None, times: int) -> list[float]:
    """The waits after so many 429s in a row, each to a request that was sent as soon as it was allowed."""
    now, found = 0.0, []
    for _ in range(times):
        cool.throttled(now + 1, now, asked_s)
        found.append(cool.wait_s(now + 1))
        now += 1 + found[-1]
    return found


@pytest.mark.parametrize("asked_s", [0.0, 0.05])
def test_who_is_refused_again_and_again_without_a_wait_asks_less_and_less_often(asked_s: float) -> None:
    found = refusals(CoolDown(60.0), asked_s, 15)
    doubled = [SHORTEST_AGAIN_S * 2**number for number in range(14)]
    assert found == pytest.approx([asked_s, *(min(each, LONGEST_AGAIN_S) for each in doubled)])
    assert found[-1] == 60


def test_so_does_one_whose_penalty_is_none() -> None:
    assert refusals(CoolDown(0.0), None, 4) == pytest.approx([0, 0.1, 0.2, 0.4])


def test_a_wait_that_is_asked_for_is_kept_as_it_is() -> None:
    assert refusals(CoolDown(60.0), 2.0, 10) == pytest.approx([2.0] * 10)


def test_a_request_that_was_admitted_begins_the_count_anew() -> None:
    cool = CoolDown(60.0)
    assert refusals(cool, 0.0, 4)[-1] == pytest.approx(0.4)
    cool.admitted()
    cool.throttled(1000.0, 999.0, 0.0)
    assert cool.wait_s(1000.0) == 0


worth_saying = st.none() | st.floats(SHORTEST_AGAIN_S, 1000)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20), st.booleans(), worth_saying), max_size=25))
def test_nobody_sends_inside_a_cool_down(requests: list[tuple[float, float, bool, float | None]]) -> None:
    limiter = Limiter(Rules(penalty_s=60.0), on_wait=lambda *_: None)
    sent: list[float] = []
    closed: list[tuple[float, float]] = [(0.0, 0.0)]

    async def one(at: float, takes_s: float, asked_s: float | None, *, refused: bool) -> None:
        await anyio.sleep_until(at)
        permit = await limiter.turn()
        permit.sent()
        sent.append(sent_at := anyio.current_time())
        await anyio.sleep(takes_s)
        now = anyio.current_time()
        if refused and sent_at >= closed[-1][1]:
            closed.append((now, now + (60.0 if asked_s is None else asked_s)))
        permit.answered(failure(Fault.THROTTLED, retry_after_s=asked_s) if refused else SUCCESS)
        permit.release()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for at, takes_s, refused, asked_s in requests:
                group.start_soon(partial(one, at, takes_s, asked_s, refused=refused))

    in_virtual_time(main)
    assert len(sent) == len(requests)
    assert not [at for at in sent for begin, end in closed if begin < at < end - 1e-6]
