"""Durations, rate limits and concurrency: each form, and what is said of the rest."""

from __future__ import annotations

import math
from calendar import monthrange
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.reading import units
from batchgen.model import RateLimit, Window


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("180s", 180),
        ("15m", 900),
        ("1.5m", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("250ms", 0.25),
        (" 3 s ", 3),
    ],
)
def test_each_form_of_a_duration(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        180,
        1.5,
        "180",
        "s",
        "",
        "-1s",
        "0s",
        "0.0m",
        "1 hour",
        "1h30m",
        "1e3s",
        "1S",
        "inf",
        "nan s",
        None,
        True,
        [],
        ".5s",
    ],
)
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration; accepted: a number and a unit, such as 180s, 15m or 2h"):
        units.seconds(value)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("150/10s", Window(sends=150, seconds=10)),
        ("15/s", Window(sends=15, seconds=1)),
        ("60/m", Window(sends=60, seconds=60)),
        ("1 / 1.5 h", Window(sends=1, seconds=5400)),
        ("3/250ms", Window(sends=3, seconds=0.25)),
    ],
)
def test_each_form_of_a_rate_limit(text: str, window: Window) -> None:
    assert units.window(text) == window
    assert units.rate_limit(text) == RateLimit(windows=(window,))


def test_several_windows_and_none() -> None:
    assert units.rate_limit(["150/10s", "15/s"]).windows == (Window(sends=150, seconds=10), Window(sends=15, seconds=1))
    assert (units.rate_limit("none"), units.rate_limit("unknown")) == (RateLimit(), RateLimit(unknown=True))


@pytest.mark.parametrize(
    "value",
    ["150", "150/10", "0/10s", "-1/s", "1.5/s", "150/0s", "/10s", "150/", "a/b", "", 150, None, True, {}, "learn"],
)
def test_what_is_no_rate_limit(value: Any) -> None:
    said = "is not a rate limit; accepted: requests / time, such as 150/10s, none or unknown"
    with pytest.raises(ValueError, match=said):
        units.window(value)
    with pytest.raises(ValueError, match=said):
        units.rate_limit(["150/10s", value])


@pytest.mark.parametrize(("value", "number"), [("auto", None), (1, 1), (10_000, 10_000), ("8", 8)])
def test_each_form_of_concurrency(value: Any, number: int | None) -> None:
    assert units.concurrency(value) == number


@pytest.mark.parametrize("value", [0, -1, 10_001, True, 1.5, "", "many", "Auto", "-1", "\u0663", "1.5", None, []])
def test_what_is_no_concurrency(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a concurrency; accepted: auto, or a whole number from 1 to 10000"):
        units.concurrency(value)


@pytest.mark.parametrize(
    "line",
    [
        "0 0 29 2 *",
        "0 0 31 2,3 *",
        "0 0 31 * *",
        "0 0 30-31 FEB-APR *",
        "0 0 31 2 MON",
        "0 0 31 2 1-5",
        "0 0 */31 2 *",
        "0 0 */31 FEB */2",
        "0 0 1,31 2 *",
    ],
)
def test_a_cron_line_whose_day_comes(line: str) -> None:
    assert units.cron(line) == line


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 0 31 2 *", 29),
        ("0 0 30 FEB *", 29),
        ("0 0 30,31 2 *", 29),
        ("0 0 30-31/1 2 */2", 29),
        ("0 0 31 2 *,1", 29),
        ("0 0 31 4,6,9,11 *", 30),
        ("0 0 31 2-4/2 *", 30),
    ],
)
def test_a_cron_line_whose_day_never_comes(line: str, days: int) -> None:
    with pytest.raises(ValueError, match=r"never comes: its longest month has") as caught:
        units.cron(line)
    assert str(caught.value) == (
        f"{line!r} never comes: its longest month has {days} days; accepted: a day from 1 to {days}, or another month"
    )


@given(st.sampled_from(range(1, 32)), st.sets(st.sampled_from(range(1, 13)), min_size=1))
def test_a_day_comes_if_any_year_of_a_cycle_has_it(day: int, months: set[int]) -> None:
    line = f"0 0 {day} {','.join(map(str, months))} *"
    comes = any(day <= monthrange(year, month)[1] for year in (2023, 2024) for month in months)
    if comes:
        assert units.cron(line) == line
    else:
        with pytest.raises(ValueError, match="never comes"):
            units.cron(line)


def test_a_cron_line_beyond_all_length_is_not_read() -> None:
    with pytest.raises(ValueError, match="is not a cron line; accepted: minute hour day month weekday"):
        units.cron(f"{'1,' * 500}1 * * * *")


@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{1,400}\s?(ms|s|m|h|d)", fullmatch=True))
def test_a_duration_is_a_time_that_ends_or_an_error(text: str) -> None:
    try:
        seconds = units.seconds(text)
    except ValueError:
        return
    assert 0 < seconds < math.inf


@pytest.mark.parametrize("text", ["9" * 400 + "s", "1/" + "9" * 400 + "s"])
def test_no_time_is_endless(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        (units.window if "/" in text else units.seconds)(text)


@pytest.mark.parametrize("sends", [1, 7, 150])
@pytest.mark.parametrize("seconds", [0.25, 1, 10, 60.5])
def test_a_window_is_written_as_it_is_read(sends: int, seconds: float) -> None:
    window = Window(sends=sends, seconds=seconds)
    assert units.window(str(window)) == window
