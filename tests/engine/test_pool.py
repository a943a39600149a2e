"""The one loop: so many at a time and no more, nothing pulled early, nobody asleep, each task settled once."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, attempt, failure, task
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.engine.budget import Budget, Caps
from batchgen.engine.frontier import Frontier, Work
from batchgen.engine.limiter import OUTAGES, Limiter, Rules
from batchgen.engine.policy import REACTIONS, Reaction, RetryBounds
from batchgen.engine.pool import Gates, Pool
from batchgen.model import Attempt, Billing, Failure, Fault, Success, Window
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchgen.model import Outcome, Task

OVERLOADED, THROTTLED = failure(Fault.OVERLOADED), failure(Fault.THROTTLED, retry_after_s=2.0)
INVALID, UNAUTHORISED = failure(Fault.INVALID), failure(Fault.UNAUTHORISED)
UNREACHABLE = failure(Fault.UNREACHABLE)
LONGEST_PAUSE_S = 30.0
"""Between two looks at a server that is having an outage."""


@dataclass(slots=True)
class Stage:
    """A pool with everything around it faked: what each task meets, and what was seen."""

    tasks: int
    meets: Mapping[int, Sequence[Outcome]] = field(default_factory=dict)
    """By task, what its attempts bring; good pictures after that."""
    at_once: int = 3
    takes_s: float = 1.0
    windows: Sequence[Window] = ()
    caps: Caps = field(default_factory=Caps)
    price: Decimal = Decimal("0.04")
    """US dollars an attempt."""
    capped: list[str] = field(default_factory=list)
    pulled: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    most_ahead: int = 0
    tries: list[tuple[int, float]] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    gave_up: list[int] = field(default_factory=list)
    put_back: list[tuple[int, float]] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    last: dict[int, Work] = field(default_factory=dict)
    pool: Pool = field(init=False)

    def __post_init__(self) -> None:
        """Put the pool together."""
        rules = Rules(windows=self.windows, concurrency=self.at_once)
        gates = Gates(Limiter(rules, on_wait=lambda *_: None), Budget(self.caps), lambda _task: self.price)
        self.pool = Pool(Frontier(self._tasks()), gates, self, Ear(self), RetryBounds())

    def _tasks(self) -> Iterator[Task]:
        for index in range(self.tasks):
            self.pulled += 1
            self.most_ahead = max(self.most_ahead, self.pulled - len(self.made) - len(self.gave_up))
            yield task(index)

    def run(self, meanwhile: Callable[[Stage], None] | None = None, at: float = 0.0) -> float:
        """Run it to its end, with something else happening at a time; the time at which it ended."""

        async def happen() -> None:
            await anyio.sleep(at)
            if meanwhile is not None:
                meanwhile(self)

        async def main() -> float:
            async with anyio.create_task_group() as group:
                group.start_soon(happen)
                await self.pool.run()
                ended = anyio.current_time()
                group.cancel_scope.cancel()
            return ended

        return in_virtual_time(main)

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try: the next of what the task meets."""
        index = work.task.index
        self.tries.append((index, anyio.current_time()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        outcomes = self.meets.get(index, ())
        outcome = outcomes[len(work.attempts)] if len(work.attempts) < len(outcomes) else SUCCESS
        on_sent()
        await anyio.sleep(self.takes_s)
        self.in_flight -= 1
        return attempt(len(work.attempts) + 1, outcome), outcome


@dataclass(slots=True)
class Ear:
    """Notes what becomes of each task."""

    stage: Stage

    def made(self, work: Work, success: Success) -> None:
        """See Listener."""
        assert success is SUCCESS
        self.stage.made.append(work.task.index)
        self.stage.last[work.task.index] = work

    def retried(self, work: Work, failure: Failure, after_s: float) -> None:
        """See Listener."""
        assert REACTIONS[failure.fault] is Reaction.RETRY
        self.stage.put_back.append((work.task.index, after_s))

    def failed(self, work: Work, failure: Failure) -> None:
        """See Listener."""
        assert work.attempts[-1].fault is failure.fault
        self.stage.gave_up.append(work.task.index)
        self.stage.last[work.task.index] = work

    def capped(self, cap: str) -> None:
        """Write down which cap was reached."""
        self.stage.capped.append(cap)

    def stopped(self, work: Work, failure: Failure) -> None:
        """See Listener."""
        assert REACTIONS[failure.fault] is Reaction.STOP or failure.fault in OUTAGES
        self.stage.stops.append(work.task.index)


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_so_many_at_a_time_and_no_more(workers: int) -> None:
    stage = Stage(30, at_once=workers)
    ended = stage.run()
    assert stage.most_in_flight == workers
    assert sorted(stage.made) == list(range(30))
    assert ended == pytest.approx(30 / workers)


def test_more_workers_than_tasks_end_with_the_tasks() -> None:
    stage = Stage(2, at_once=50)
    assert stage.run() == pytest.approx(1)
    assert sorted(stage.made) == [0, 1]


def test_no_tasks_end_at_once() -> None:
    assert Stage(0, at_once=5).run() == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_no_task_is_pulled_before_a_worker_wants_it(workers: int) -> None:
    stage = Stage(40, windows=(Window(sends=2, seconds=1),), at_once=workers)
    stage.run()
    assert stage.most_ahead <= workers + 1
    assert len(stage.made) == 40


def test_a_task_that_waits_for_its_next_try_holds_no_worker() -> None:
    stage = Stage(4, {0: [OVERLOADED]}, takes_s=0.1, at_once=1)
    stage.run()
    assert [index for index, _ in stage.tries] == [0, 1, 2, 3, 0]
    again_at = stage.tries[-1][1]
    ((_, after_s),) = stage.put_back
    assert again_at == pytest.approx(0.1 + after_s)
    assert len(stage.last[0].attempts) == 2
    assert stage.last[0].waited_s == after_s


def test_workers_that_find_nothing_due_are_there_when_it_is() -> None:
    stage = Stage(3, {index: [OVERLOADED] for index in range(3)}, takes_s=0.1, at_once=3)
    assert stage.run() < 1.3
    assert sorted(stage.made) == [0, 1, 2]


class Connecting(Stage):
    """Tries whose headers leave so many seconds after they were allowed to; `left` says when they did."""

    def __post_init__(self) -> None:
        """See Stage."""
        Stage.__post_init__(self)
        self.left: list[tuple[int, float]] = []

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """See Tries."""
        await anyio.sleep(1.5 * work.task.index)
        on_sent()
        self.left.append((work.task.index, anyio.current_time()))
        return await Stage.__call__(self, work, lambda: None)


def test_what_was_still_connecting_when_a_cool_down_began_does_not_leave_inside_it() -> None:
    stage = Connecting(3, {0: [failure(Fault.THROTTLED, retry_after_s=60.0)]}, at_once=3)
    stage.run()
    began = 1.0
    assert [index for index, at in stage.left if at < began] == [0]
    assert not [at for _, at in stage.left if began <= at < began + 60]
    assert sorted(stage.made) == [0, 1, 2]
    assert [len(stage.last[index].attempts) for index in range(3)] == [2, 1, 1]


def test_what_was_still_connecting_when_the_run_was_to_end_does_not_leave() -> None:
    stage = Connecting(3, at_once=3)
    stage.run(meanwhile=lambda stage: stage.pool.drain(), at=2.0)
    assert [index for index, _ in stage.left] == [0, 1]
    assert stage.made == [0, 1]


def test_what_was_throttled_goes_first_after_the_cool_down_and_lost_no_attempt() -> None:
    stage = Stage(3, {0: [THROTTLED] * 20 + [OVERLOADED] * 5}, at_once=1)
    stage.run()
    assert [index for index, _ in stage.tries[:21]] == [0] * 21
    times = [at for _, at in stage.tries[:20]]
    assert all(b - a == pytest.approx(3) for a, b in pairwise(times))
    assert sorted(stage.made) == [0, 1, 2]
    assert len(stage.last[0].attempts) == 26


def test_a_task_that_can_never_work_is_tried_once() -> None:
    stage = Stage(5, {2: [INVALID]}, at_once=2)
    stage.run()
    assert stage.gave_up == [2]
    assert sorted(stage.made) == [0, 1, 3, 4]
    assert len(stage.tries) == 5


def test_a_task_that_never_works_is_given_up_after_six_attempts() -> None:
    stage = Stage(1, {0: [OVERLOADED] * 10}, at_once=3)
    stage.run()
    assert (len(stage.tries), stage.gave_up) == (6, [0])


@pytest.mark.parametrize("which", [0, 25, 49])
def test_so_is_a_lone_one_among_others_that_work(which: int) -> None:
    stage = Stage(50, {which: [OVERLOADED] * 100}, at_once=3)
    stage.run()
    assert (stage.gave_up, stage.stops) == ([which], [])
    assert [index for index, _ in stage.tries].count(which) == 6
    assert sorted(stage.made) == [index for index in range(50) if index != which]


def test_what_an_outage_cost_uses_up_no_attempt_and_is_put_back_for_a_second() -> None:
    stage = Stage(3, {index: [OVERLOADED] * 15 for index in range(3)}, at_once=3)
    stage.run()
    assert (sorted(stage.made), stage.gave_up, stage.stops) == ([0, 1, 2], [], [])
    counted = 0
    for work in stage.last.values():
        assert len(work.attempts) == 16
        assert all(each in work.attempts for each in work.counted)
        counted += sum(each.fault is not None for each in work.counted)
    assert counted == 9  # until the tenth failure it was no outage
    assert [after_s for _, after_s in stage.put_back].count(1.0) == 3 * 15 - counted


def test_what_an_outage_cost_and_may_have_been_billed_does() -> None:
    timeout = failure(Fault.TIMEOUT, Billing.MAYBE)
    stage = Stage(3, {index: [timeout] * 30 for index in range(3)}, at_once=3)
    stage.run()
    assert (sorted(stage.gave_up), stage.stops) == ([0, 1, 2], [])
    assert [len(work.attempts) for work in stage.last.values()] == [6] * 3


def test_a_server_that_never_answers_stops_the_run_after_five_minutes() -> None:
    class Nobody(Stage):
        """A server that refuses connections: no headers ever leave."""

        async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:  # noqa: ARG002
            """See Tries."""
            return await Stage.__call__(self, work, lambda: None)

    stage = Nobody(100, {index: [UNREACHABLE] * 1000 for index in range(100)}, at_once=3)
    assert 300 < stage.run() < 300 + LONGEST_PAUSE_S + 15
    assert (len(stage.stops), stage.made, stage.gave_up) == (1, [], [])
    assert stage.pulled < 20


@pytest.mark.parametrize(("good", "fault"), [(20, UNREACHABLE), (1, UNREACHABLE), (0, OVERLOADED)])
def test_an_outage_that_never_ends_stops_the_run_after_seventy_minutes(good: int, fault: Failure) -> None:
    stage = Stage(100, {index: [fault] * 1000 for index in range(good, 100)}, at_once=3)
    assert 4200 < stage.run() < 4200 + LONGEST_PAUSE_S + 30
    assert (len(stage.stops), sorted(stage.made), stage.gave_up) == (1, list(range(good)), [])
    assert stage.pulled < good + 20


def test_what_every_task_would_meet_stops_the_sending_and_keeps_what_is_in_flight() -> None:
    stage = Stage(100, {0: [UNAUTHORISED]}, at_once=4)
    ended = stage.run()
    assert len(stage.tries) == 4
    assert (sorted(stage.made), stage.stops, stage.gave_up) == ([1, 2, 3], [0], [])
    assert ended == pytest.approx(1)


def test_several_in_flight_may_meet_it() -> None:
    stage = Stage(100, {index: [UNAUTHORISED] for index in range(100)}, at_once=4)
    stage.run()
    assert len(stage.tries) == 4
    assert sorted(stage.stops) == [0, 1, 2, 3]


def test_draining_ends_what_is_in_flight_and_sends_no_more() -> None:
    stage = Stage(100, takes_s=5, at_once=3)
    ended = stage.run(lambda each: each.pool.drain(), at=1)
    assert (len(stage.tries), sorted(stage.made)) == (3, [0, 1, 2])
    assert ended == pytest.approx(5)


def test_draining_waits_for_no_permission() -> None:
    stage = Stage(100, takes_s=5, windows=(Window(sends=1, seconds=1000),), at_once=3)
    ended = stage.run(lambda each: each.pool.drain(), at=1)
    assert stage.made == [0]
    assert ended == pytest.approx(5)


def test_draining_waits_for_no_retry() -> None:
    stage = Stage(1, {0: [OVERLOADED] * 9}, takes_s=0.01, at_once=2)
    stage.run(lambda each: each.pool.drain(), at=0.05)
    assert (len(stage.tries), stage.made, stage.gave_up) == (1, [], [])


def test_draining_before_the_start_sends_nothing() -> None:
    stage = Stage(5, at_once=3)
    stage.pool.drain()
    assert stage.run() == 0
    assert stage.tries == []


def test_what_was_not_sent_takes_no_slot() -> None:
    class Unsent(Stage):
        """Tries that end before anything is sent."""

        async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
            """See Tries."""
            return await Stage.__call__(self, work, lambda: on_sent() if work.task.index == 9 else None)

    stage = Unsent(10, {index: [INVALID] for index in range(9)}, windows=(Window(sends=1, seconds=1000),), at_once=1)
    assert stage.run() == pytest.approx(10)
    assert stage.made == [9]


def test_a_bug_in_a_try_ends_the_run_loudly() -> None:
    class Broken(Stage):
        """Tries that break."""

        async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
            """See Tries."""
            on_sent()
            raise KeyError(work.task.index)

    with pytest.raises(ExceptionGroup) as caught:
        Broken(3, at_once=1).run()
    assert caught.group_contains(KeyError)


def _outcomes() -> st.SearchStrategy[Success | Failure]:
    faults = st.sampled_from([fault for fault in Fault if REACTIONS[fault] is not Reaction.STOP])
    broken = st.builds(failure, faults, st.sampled_from(Billing), st.none() | st.floats(0, 5))
    return st.just(SUCCESS) | broken


@settings(max_examples=60, deadline=None)
@given(
    meets=st.lists(st.lists(_outcomes(), max_size=9), max_size=12),
    workers=st.integers(1, 6),
    window=st.none() | st.builds(Window, sends=st.integers(1, 5), seconds=st.floats(0.1, 5)),
)
def test_every_task_settles_exactly_once(
    meets: list[list[Success | Failure]], workers: int, window: Window | None
) -> None:
    stage = Stage(len(meets), dict(enumerate(meets)), windows=() if window is None else (window,), at_once=workers)
    stage.run()
    assert sorted(stage.made + stage.gave_up) == list(range(len(meets)))
    assert stage.most_in_flight <= workers
    assert len(stage.tries) == sum(len(work.attempts) for work in stage.last.values())
    for work in stage.last.values():
        assert [each.number for each in work.attempts] == list(range(1, len(work.attempts) + 1))
