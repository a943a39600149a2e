"""How many requests are on their way: what rate and latency ask for, and never more than anybody bears."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.in_flight import FEWEST, MOST, InFlight

latencies = st.floats(0.01, 60)


def seen(in_flight: InFlight, seconds: float, times: int = 200) -> InFlight:
    """The same after so many answers that took so long."""
    for _ in range(times):
        in_flight.answered(seconds)
    return in_flight


def test_the_numbers() -> None:
    assert (FEWEST, MOST) == (64, 256)


def test_with_no_limit_known_it_is_64() -> None:
    assert InFlight().bound(None) == 64
    assert seen(InFlight(), 30.0).bound(None) == 64


def test_fifteen_a_second_at_six_seconds_keeps_a_hundred_in_flight_and_room() -> None:
    assert 100 < seen(InFlight(), 6.0).bound(15.0) == 135 < MOST


@given(st.floats(0.01, 1000), latencies)
def test_the_rate_stays_the_only_bound_up_to_256(rate_per_s: float, latency_s: float) -> None:
    bound = seen(InFlight(), latency_s).bound(rate_per_s)
    need = rate_per_s * latency_s
    assert min(need, 256) <= bound <= min(max(64, ceil(1.5 * need) + 1), 256)


@pytest.mark.parametrize(("burst", "bound"), [(0, 64), (64, 64), (150, 150), (256, 256), (1000, 256)])
def test_a_whole_window_may_go_out_at_once(burst: int, bound: int) -> None:
    assert InFlight(burst=burst).bound(15.0) == bound


@given(st.none() | st.integers(1, 2000), st.integers(0, 1000), st.integers(1, 2000), st.floats(0.01, 1000))
def test_it_is_never_more_than_anybody_bears_and_never_none(
    fixed: int | None, burst: int, most: int, rate_per_s: float
) -> None:
    in_flight = seen(InFlight(fixed=fixed, burst=burst, most=most), 6.0, times=3)
    for rate in (None, rate_per_s):
        assert 1 <= in_flight.bound(rate) <= min(fixed or 256, most)


@pytest.mark.parametrize("rate_per_s", [None, 0.1, 1000.0])
def test_what_the_job_fixes_neither_grows_nor_shrinks(rate_per_s: float | None) -> None:
    assert seen(InFlight(fixed=3, burst=150), 60.0).bound(rate_per_s) == 3
    assert seen(InFlight(fixed=500, burst=1, most=1000), 0.1).bound(rate_per_s) == 500


def test_file_descriptors_bound_even_what_is_fixed() -> None:
    assert InFlight(fixed=500, most=100).bound(1000.0) == 100
    assert seen(InFlight(most=10), 60.0).bound(1000.0) == 10


def test_there_is_room_until_the_bound_is_reached() -> None:
    in_flight = InFlight(fixed=2)
    room = []
    for in_flight.count in range(4):
        room.append(in_flight.has_room(None))
    assert room == [True, True, False, False]


@given(latencies, latencies)
def test_it_follows_the_latency(before_s: float, after_s: float) -> None:
    moved = seen(seen(InFlight(), before_s), after_s)
    settled = seen(InFlight(), after_s)
    assert moved.bound(10.0) == pytest.approx(settled.bound(10.0), abs=1)


def test_one_slow_answer_is_not_taken_for_all() -> None:
    in_flight = seen(InFlight(), 6.0)
    in_flight.answered(30.0)
    assert in_flight.bound(15.0) == 189  # for 8.4 s each


def test_after_an_outage_two_and_for_each_picture_one_more() -> None:
    in_flight = InFlight(burst=150)
    in_flight.start_slowly()
    bounds = [in_flight.bound(15.0)]
    for _ in range(200):
        in_flight.answered(1.0)
        bounds.append(in_flight.bound(15.0))
    assert bounds == [min(2 + answers, 150) for answers in range(201)]


def test_a_slow_start_ends() -> None:
    in_flight = InFlight(fixed=500, most=1000)
    in_flight.start_slowly()
    assert seen(in_flight, 1.0, times=300).bound(None) == 500


def test_a_slow_start_is_never_more_than_what_is_fixed() -> None:
    in_flight = InFlight(fixed=3)
    in_flight.start_slowly()
    assert [in_flight.bound(None), seen(in_flight, 1.0, times=5).bound(None)] == [2, 3]
