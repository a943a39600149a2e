"""The mirror of the server's rule: no window ever holds too much, and no send waits longer than it must."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.rate import WindowLog, margin_s
from batchgen.model import Window

windows = st.builds(
    lambda sends, seconds: Window(sends=sends, seconds=seconds), st.integers(1, 12), st.floats(0.1, 60.0)
)


@st.composite
def sendings(draw: st.DrawFn) -> tuple[Window, list[float]]:
    """A window, and when its requests left, each as soon as it was wanted and allowed."""
    window = draw(windows)
    log, now, sent = WindowLog(window), 0.0, []
    for idle in draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.3, 1.0]), min_size=1, max_size=60)):
        now += idle * window.seconds
        while (wait_s := log.wait_s(now)) > 0:  # a second time only where adding rounds
            now += wait_s
        log.take()
        log.sent(now)
        sent.append(now)
    return window, sent


@given(sendings(), st.data())
def test_any_window_admits_at_most_its_limit_at_the_server(
    case: tuple[Window, list[float]], data: st.DataObject
) -> None:
    window, sent = case
    jitter = st.floats(0, margin_s(window))
    arrived = sorted(each + data.draw(jitter) for each in sent)
    for first, over in zip(arrived, arrived[window.sends :], strict=False):
        assert over - first >= window.seconds - 1e-9


@given(windows)
def test_the_whole_allowance_goes_at_once_and_the_next_when_the_oldest_leaves(window: Window) -> None:
    log = WindowLog(window)
    for number in range(window.sends):
        assert log.wait_s(number * 0.001) == 0.0
        log.take()
        log.sent(number * 0.001)
    now = window.sends * 0.001
    wait_s = log.wait_s(now)
    assert now + wait_s == pytest.approx(window.seconds + margin_s(window))
    assert log.wait_s(now + wait_s + 1e-9) == 0.0


@given(sendings())
def test_nothing_waits_longer_than_a_window_and_its_margin(case: tuple[Window, list[float]]) -> None:
    window, sent = case
    late = [b - a for a, b in zip(sent, sent[window.sends :], strict=False)]
    assert all(each >= window.seconds for each in late)
    assert all(b >= a for a, b in pairwise(sent))


def test_a_full_window_of_requests_that_have_not_left_waits_for_one_of_them() -> None:
    log = WindowLog(Window(sends=2, seconds=10))
    log.take()
    log.take()
    assert log.wait_s(1000.0) == inf
    log.sent(1000.0)
    assert log.wait_s(1000.0) == pytest.approx(10.25)


def test_what_was_not_sent_is_free_again() -> None:
    log = WindowLog(Window(sends=1, seconds=10))
    log.take()
    assert log.wait_s(0.0) == inf
    log.give_back()
    assert log.wait_s(0.0) == 0.0


@given(windows, st.lists(st.booleans(), max_size=40))
def test_given_back_or_sent_each_slot_comes_free_once(window: Window, sends: list[bool]) -> None:
    log, taken = WindowLog(window), 0
    for is_sent in sends:
        if log.wait_s(0.0) > 0:
            break
        log.take()
        if is_sent:
            log.sent(0.0)
            taken += 1
        else:
            log.give_back()
    free = 0
    while log.wait_s(0.0) == 0.0:
        log.take()
        free += 1
    assert free == window.sends - taken


def test_the_documented_window_has_a_quarter_second_to_spare() -> None:
    assert margin_s(Window(sends=150, seconds=10)) == 0.25
    assert margin_s(Window(sends=1, seconds=0.5)) == 0.05
