"""What the benchmark calls full speed after an outage, and how many requests an outage may cost."""

from __future__ import annotations

from math import inf

import pytest

from benchmarks.outage import full_speed_after_s, probes, steps

EVEN_S = 10 / 150


def test_full_speed_begins_with_the_first_ten_seconds_that_are_nearly_full() -> None:
    slow = [100 + number for number in range(30)]
    full = [130 + number * EVEN_S for number in range(300)]
    assert full_speed_after_s([*slow, *full], 95.0) == pytest.approx(35.0, abs=1)


def test_what_was_served_before_the_end_is_no_recovery() -> None:
    before = [number * EVEN_S for number in range(600)]
    after = [100 + number * 0.1 for number in range(300)]  # two thirds of the limit
    assert full_speed_after_s([*before, *after], 90.0) == inf
    assert full_speed_after_s([], 90.0) == inf


@pytest.mark.parametrize(("seconds", "count"), [(3, 0), (5, 1), (30, 3), (600, 28), (1000, 46)])
def test_probes_come_at_steps_that_double_to_30_seconds(seconds: float, count: int) -> None:
    assert steps(seconds) == count


def test_what_was_in_flight_when_the_outage_began_is_no_probe() -> None:
    assert probes([10.0, 10.1, 11.0, 15.5, 25.5]) == 2
    assert probes([]) == 0
