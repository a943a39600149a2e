"""A server that is gone for a while: few requests are wasted on it, no task is lost, and the pace is soon back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, attempt, failure, task
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.engine.breaker import LOOKED_AT
from batchgen.engine.budget import Budget, Caps
from batchgen.engine.frontier import Frontier, Work
from batchgen.engine.limiter import Limiter, Rules
from batchgen.engine.policy import RetryBounds
from batchgen.engine.pool import Gates, Pool
from batchgen.model import Attempt, Failure, Fault, Window
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchgen.model import Outcome, Success

TEN_A_SECOND = Window(sends=100, seconds=10)
HELD_S = 10.25
"""How long a slot of that is held."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that left."""

    at: float
    index: int
    number: int
    """Of the attempt, from 1."""
    failed: bool


@dataclass(slots=True)
class Stage:
    """A pool before a server that is down from time to time, and all that happens to it."""

    tasks: int
    is_down: Callable[[float], bool]
    rules: Rules = field(default_factory=lambda: Rules(windows=(TEN_A_SECOND,)))
    takes_s: tuple[float, float] = (1.0, 2.0)
    fails_in_s: float = 0.1
    connects_in_s: tuple[float, float] = (0.0, 0.0)
    failure: Failure = field(default_factory=lambda: failure(Fault.OVERLOADED))
    chance: Random = field(default_factory=lambda: Random(5))  # noqa: S311 - guards nothing
    sent: list[Sent] = field(default_factory=list)
    gone_at: list[float] = field(default_factory=list)
    """When it was said that the server fails."""
    made_: list[int] = field(default_factory=list)
    failed_: list[int] = field(default_factory=list)
    stopped_: list[float] = field(default_factory=list)
    """When the run was stopped."""

    def run(self, stopped_at: float = 0.0, for_s: float = 0.0) -> float:
        """Run it to its end, its process being stopped once meanwhile; the time at which it ended."""

        async def main() -> float:
            limiter = Limiter(self.rules, on_wait=self.waited, chance=self.chance.random)
            gates = Gates(limiter, Budget(Caps()), lambda _task: Decimal(0), self.chance.random)
            pool = Pool(Frontier(map(task, range(self.tasks))), gates, self, self, RetryBounds())
            async with anyio.create_task_group() as group:
                group.start_soon(pool.run)
                await anyio.sleep(stopped_at)
                vars(asyncio.get_running_loop())["_clock"].slept_s += for_s
            return anyio.current_time()

        return in_virtual_time(main)

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try: a server that is down fails what comes in, and what it was at."""
        await anyio.sleep(self.chance.uniform(*self.connects_in_s))
        on_sent()
        at, number = anyio.current_time(), len(work.attempts) + 1
        outcome: Outcome = self.failure
        if self.fails(work):
            await anyio.sleep(self.fails_in_s)
        else:
            await anyio.sleep(self.chance.uniform(*self.takes_s))
            if not self.fails(work):
                outcome = SUCCESS
        self.sent.append(Sent(at, work.task.index, number, failed=outcome is not SUCCESS))
        return attempt(number, outcome), outcome

    def fails(self, work: Work) -> bool:  # noqa: ARG002 - it does not matter which
        """Would it fail now?"""
        return self.is_down(anyio.current_time())

    def waited(self, seconds: float, why: str) -> None:
        """Nothing is sent for a while."""
        assert seconds > 0
        if "fails" in why:
            self.gone_at.append(anyio.current_time())

    def made(self, work: Work, success: Success) -> None:
        """See Listener."""
        assert success is SUCCESS
        self.made_.append(work.task.index)

    def failed(self, work: Work, failure: Failure) -> None:
        """See Listener."""
        assert failure is self.failure
        self.failed_.append(work.task.index)

    def retried(self, work: Work, failure: Failure, after_s: float) -> None:
        """See Listener."""

    def stopped(self, work: Work, failure: Failure) -> None:
        """See Listener."""
        assert failure is self.failure
        assert work.attempts[-1].fault is failure.fault
        self.stopped_.append(anyio.current_time())

    def capped(self, cap: str) -> None:
        """See Listener."""

    def assert_all_made(self) -> None:
        """No task is lost, and none is made twice."""
        assert (self.failed_, self.stopped_) == ([], [])
        assert sorted(self.made_) == list(range(self.tasks))

    def sent_between(self, begin: float, end: float) -> int:
        """How many requests left then."""
        return sum(begin <= each.at < end for each in self.sent)


def between(begin: float, end: float) -> Callable[[float], bool]:
    """Down once."""
    return lambda now: begin <= now < end


NEVER, ALWAYS = between(0.0, 0.0), between(0.0, 1e9)


@pytest.mark.parametrize("takes_s", [(1.0, 2.0), (4.0, 8.0)])
@pytest.mark.parametrize("fails_in_s", [0.05, 1.0])
@pytest.mark.parametrize("outage_s", [330.0, 400.0, 600.0, 640.0, 700.0, 900.0])
def test_a_minute_after_an_outage_of_any_length_the_pace_is_what_it_was(
    outage_s: float, fails_in_s: float, takes_s: tuple[float, float]
) -> None:
    back_at = 60 + outage_s
    stage = Stage(2500, between(60.0, back_at), takes_s=takes_s, fails_in_s=fails_in_s)
    stage.run()
    stage.assert_all_made()
    for window in range(8):
        begin = back_at + 60 + window * HELD_S
        assert stage.sent_between(begin, begin + HELD_S) >= 95
    assert stage.sent_between(60 - HELD_S, 60) >= 95


def test_an_outage_costs_what_was_in_flight_and_one_probe_a_step() -> None:
    stage = Stage(3000, between(60.0, 660.0), rules=Rules(concurrency=40), fails_in_s=0.5)
    stage.run()
    opened_at = stage.gone_at[0]
    wasted = [each.at for each in stage.sent if each.failed]
    probes = [at for at in wasted if at > opened_at]
    assert 60 < opened_at < 63
    assert len(wasted) - len(probes) <= 40 + LOOKED_AT // 2
    answered_at = [opened_at, *(at + 0.5 for at in probes)]
    gaps = [probe - since for since, probe in zip(answered_at, probes, strict=False)]
    pauses = [5, 10, 20, *[30] * (len(gaps) - 3)]
    assert len(gaps) >= 4 + (600 - 80) // 46
    assert all(0.75 * pause <= gap + 1e-6 and gap <= pause + 1e-6 for gap, pause in zip(gaps, pauses, strict=True))
    assert stage.sent_between(opened_at + 0.001, 660) == len(probes)


def test_after_an_outage_the_server_is_not_met_with_all_at_once() -> None:
    stage = Stage(3000, between(60.0, 660.0), rules=Rules(concurrency=40), takes_s=(1.0, 1.0), fails_in_s=0.5)
    stage.run()
    back_at = min(each.at for each in stage.sent if each.at > 660) + 1
    steps = [stage.sent_between(back_at + step - 0.01, back_at + step + 0.99) for step in range(7)]
    assert steps == [2, 4, 8, 16, 32, 40, 40]


@pytest.mark.parametrize("fails_in_s", [0.02, 3.0])
def test_an_hour_of_503_loses_no_task(fails_in_s: float) -> None:
    stage = Stage(500, between(0.0, 3600.0), fails_in_s=fails_in_s)
    assert stage.run() < 3600 + 30 + 120
    stage.assert_all_made()
    probes = stage.sent_between(stage.gone_at[0] + 0.001, 3600)
    assert sum(each.failed for each in stage.sent) - probes <= 100 + LOOKED_AT
    assert probes <= 4 + 3600 / (30 * 0.75)


def test_what_never_answered_is_waited_for_almost_five_minutes() -> None:
    stage = Stage(100, between(0.0, 250.0), failure=failure(Fault.UNREACHABLE))
    stage.run()
    stage.assert_all_made()


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.CUT_OFF, Fault.UNREACHABLE])
def test_nor_does_one_of_another_kind(fault: Fault) -> None:
    stage = Stage(500, between(20.0, 1000.0), failure=failure(fault))
    stage.run()
    stage.assert_all_made()


def test_a_task_that_fails_by_itself_is_no_outage() -> None:
    stage = Stage(300, ALWAYS, failure=failure(Fault.REFUSED))
    stage.run()
    assert stage.gone_at == []
    assert sorted(stage.failed_) == list(range(300))


def test_retries_that_can_not_be_paid_for_wait_until_nothing_new_is_left() -> None:
    class Flawed(Stage):
        """Every third task fails at first."""

        def fails(self, work: Work) -> bool:
            """Would it fail now?"""
            return work.task.index % 3 == 0 and not work.attempts

    stage = Flawed(900, NEVER, rules=Rules(concurrency=1))
    stage.run()
    stage.assert_all_made()
    assert stage.gone_at == []
    firsts = [place for place, each in enumerate(stage.sent) if each.number == 1]
    during, after = stage.sent[: firsts[-1]], stage.sent[firsts[-1] + 1 :]
    retries = sum(each.number > 1 for each in during)
    assert 10 + 900 // 10 - 2 <= retries <= 10 + 900 // 10
    assert retries + len(after) == 300


@settings(max_examples=40, deadline=None)
@given(
    turns=st.lists(st.floats(0.5, 90), max_size=8),
    tasks=st.integers(0, 60),
    fault=st.sampled_from([Fault.OVERLOADED, Fault.TIMEOUT, Fault.UNREACHABLE]),
    concurrency=st.none() | st.integers(1, 8),
)
def test_every_task_settles_exactly_once(turns: list[float], tasks: int, fault: Fault, concurrency: int | None) -> None:
    rules = Rules(windows=(Window(sends=5, seconds=1),), concurrency=concurrency)
    stage = Stage(tasks, _turns(turns), rules=rules, failure=failure(fault))
    stage.run()
    assert sorted(stage.made_ + stage.failed_) == list(range(tasks))
    assert sum(not each.failed for each in stage.sent) == len(stage.made_)


def _turns(turns: Sequence[float]) -> Callable[[float], bool]:
    """Up for so long, down for so long, and so on; up in the end."""

    def is_down(now: float) -> bool:
        for number, length in enumerate(turns):
            now -= length
            if now < 0:
                return number % 2 == 1
        return False

    return is_down


@given(st.floats(0, 30), st.floats(0, 1000), st.integers(1, 20))
def test_a_process_that_was_stopped_makes_no_burst(stopped_at: float, for_s: float, most: int) -> None:
    rules = Rules(windows=(Window(sends=most, seconds=2),))
    stage = Stage(most * 12, NEVER, rules, connects_in_s=(0.0, 1.0))
    stage.run(stopped_at, for_s)
    times = sorted(each.at for each in stage.sent)
    assert len(times) == most * 12
    assert all(over - first >= 2 for first, over in zip(times, times[most:], strict=False))
