"""A rehearsal is the run itself under another clock: it keeps the limit, takes what a run takes, counts what fails."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.engine.limiter import Rules
from batchgen.engine.policy import RetryBounds
from batchgen.model import Fault, Window
from batchgen.rehearsal import rehearse as rehearsal
from batchgen.rehearsal.rehearse import Forecast, Model, rehearse
from batchgen.rehearsal.servers import Both, SlidingWindow, optimum_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchgen.rehearsal.servers import Refusal, ServerLimit

LATENCY_S = (4.0, 8.0)
DOCUMENTED = Window(sends=150, seconds=10)


class Unlimited:
    """A server that takes all."""

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""

    def left(self, now: float) -> None:
        """See ServerLimit."""

    def shortest_s(self, tasks: int, latency_s: float) -> float:
        """See ServerLimit."""
        return 0.0 * tasks * latency_s


def limit(window: Window) -> ServerLimit:
    """A server that closes for a minute when more comes in."""
    return SlidingWindow(window.sends, window.seconds, says_wait=False, penalty_s=60)


def run(
    tasks: int,
    server: Callable[[], ServerLimit] = Unlimited,
    windows: Sequence[Window] = (),
    faults: Mapping[Fault, float] | None = None,
    bounds: RetryBounds | None = None,
) -> Forecast:
    """Rehearse so many tasks at a server by a job that knows of these windows."""
    model = Model(limit=server, latency_s=LATENCY_S, faults=faults or {})
    return rehearse(tasks, model, Rules(windows=windows), bounds or RetryBounds())


@pytest.mark.parametrize("tasks", [150, 450, 3000])
def test_a_limit_that_is_known_is_reached_and_never_crossed(tasks: int) -> None:
    found = run(tasks, lambda: limit(DOCUMENTED), [DOCUMENTED])
    assert (found.rejected, found.failed, found.requests, found.billed) == (0, 0, tasks, tasks)
    slowest = LATENCY_S[1] - sum(LATENCY_S) / 2  # the last answer decides when it ends, not the mean one
    optimum = optimum_s(limit(DOCUMENTED), tasks, sum(LATENCY_S) / 2)
    assert optimum <= found.seconds <= 1.10 * optimum + (slowest if tasks == 150 else 0)


def test_several_windows_are_kept_at_once() -> None:
    windows = Window(sends=150, seconds=10), Window(sends=300, seconds=60)
    found = run(1200, lambda: Both(limit(windows[0]), limit(windows[1])), windows)
    assert (found.rejected, found.requests) == (0, 1200)
    sent: list[float] = []
    for number in range(1200):
        sent.append(max((sent[-w.sends] + w.seconds for w in windows if number >= w.sends), default=0.0))
    assert found.seconds <= 1.10 * (sent[-1] + 6)
    assert set(found.waits) == {f"the limit of {window} is used up" for window in windows}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300), st.integers(1, 40), st.floats(0.2, 20))
def test_no_known_limit_is_ever_crossed(tasks: int, sends: int, seconds: float) -> None:
    window = Window(sends=sends, seconds=seconds)
    found = run(tasks, lambda: limit(window), [window])
    assert (found.rejected, found.requests, found.billed) == (0, tasks, tasks)


def test_one_who_believes_in_more_than_the_server_takes_is_rejected_and_loses_nothing() -> None:
    found = run(300, lambda: limit(DOCUMENTED), [Window(sends=300, seconds=10)])
    assert found.rejected > 0
    assert (found.failed, found.billed, found.requests) == (0, 300, 300 + found.rejected)
    assert found.seconds > 60


def test_without_a_limit_it_takes_what_is_in_flight() -> None:
    found = run(640)
    assert 640 / 64 * LATENCY_S[0] < found.seconds < (640 / 64 + 1) * LATENCY_S[1]
    assert found.waits == {}


def test_nothing_takes_no_time_and_one_its_latency() -> None:
    nothing, one = run(0), run(1)
    assert (nothing.seconds, nothing.requests, nothing.tasks) == (0, 0, 0)
    assert LATENCY_S[0] <= one.seconds <= LATENCY_S[1]


def test_without_chance_in_it_it_ends_the_same_each_time() -> None:
    assert run(400, lambda: limit(DOCUMENTED), [DOCUMENTED]) == run(400, lambda: limit(DOCUMENTED), [DOCUMENTED])


# Faults.


def test_tasks_that_end_without_a_picture_are_counted_and_cost_nothing() -> None:
    found = run(4000, faults={Fault.FILTERED: 0.1, Fault.REFUSED: 0.05})
    assert found.failed == pytest.approx(600, rel=0.2)
    assert (found.requests, found.billed, found.maybe_billed) == (4000, 4000 - found.failed, 0)


def test_passing_faults_cost_requests_and_no_task() -> None:
    found = run(4000, faults={Fault.OVERLOADED: 0.05})
    assert (found.failed, found.billed) == (0, 4000)
    assert found.requests - 4000 == pytest.approx(4000 * 0.05 / 0.95, rel=0.2)


def test_what_may_have_been_billed_is_told_apart() -> None:
    found = run(4000, faults={Fault.TIMEOUT: 0.05})
    assert found.maybe_billed == found.requests - 4000 == pytest.approx(210, rel=0.25)
    assert found.billed == 4000
    never_again = run(4000, faults={Fault.TIMEOUT: 0.05}, bounds=RetryBounds(ambiguous=False))
    assert never_again.failed == never_again.maybe_billed == pytest.approx(200, rel=0.25)


@pytest.mark.parametrize("fault", [Fault.CUT_OFF, Fault.NOT_A_PICTURE])
def test_answers_that_are_billed_and_bring_nothing_are_paid_for(fault: Fault) -> None:
    found = run(4000, faults={fault: 0.1}, bounds=RetryBounds(paid=1))
    assert found.billed == found.requests == pytest.approx(4400, rel=0.02)
    assert found.failed == pytest.approx(40, rel=0.5)
    assert run(4000, faults={fault: 0.1}, bounds=RetryBounds(paid=0)).failed == pytest.approx(400, rel=0.2)


def test_a_server_that_always_fails_stops_the_run_after_seventy_minutes() -> None:
    found = run(30, faults={Fault.OVERLOADED: 1.0})
    assert (found.failed, found.billed, found.maybe_billed) == (0, 0, 0)
    assert 4200 < found.seconds < 4200 + LATENCY_S[1] + 30 + LATENCY_S[1]
    assert 30 < found.requests < 2 * 30 + 4 + 4200 / (0.75 * 30 + LATENCY_S[0])
    assert sum(found.waits.values()) > 2000


def test_one_that_is_not_there_stops_it_after_five() -> None:
    found = run(30, faults={Fault.UNREACHABLE: 1.0})
    assert (found.failed, found.billed, found.requests) == (0, 0, 0)
    assert 300 < found.seconds < 300 + 30 + 5


def test_what_may_have_been_billed_fails_each_task_all_the_same() -> None:
    found = run(30, faults={Fault.TIMEOUT: 1.0})
    assert (found.failed, found.billed, found.maybe_billed, found.requests) == (30, 0, 30 * 6, 30 * 6)


# More tasks than are rehearsed one by one.


@pytest.mark.parametrize("factor", [1, 2, 10])
def test_many_go_on_at_the_pace_of_the_first(monkeypatch: pytest.MonkeyPatch, factor: int) -> None:
    monkeypatch.setattr(rehearsal, "MOST_REHEARSED", 300)
    faults = {Fault.FILTERED: 0.1}
    first = run(300, faults=faults)
    found = run(300 * factor, faults=faults)
    assert (found.tasks, found.rehearsed) == (300 * factor, 300)
    assert found.failed == first.failed * factor
    assert found.billed == first.billed * factor
    assert found.requests == first.requests * factor
    assert found.seconds == pytest.approx(first.seconds * factor)
    assert 0 < first.failed < 100


def test_all_are_rehearsed_up_to_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MOST_REHEARSED", 100)
    assert [run(tasks).rehearsed for tasks in (99, 100, 101, 250)] == [99, 100, 100, 100]
    assert run(250).requests == ceil(100 * 2.5)


def test_scaled_up_it_is_near_what_all_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(6000, lambda: limit(DOCUMENTED), [DOCUMENTED])
    monkeypatch.setattr(rehearsal, "MOST_REHEARSED", 3000)
    half = run(6000, lambda: limit(DOCUMENTED), [DOCUMENTED])
    assert half.seconds == pytest.approx(whole.seconds, rel=0.05)
    assert (half.rejected, half.billed) == (0, 6000)
