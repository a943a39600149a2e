"""What headers say may still be sent, in the many forms that servers use; nonsense says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.model import Allowance
from batchgen.providers.rate_headers import LONGEST_S, MOST_SENDS, read_allowance

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_795_314_600.0
"""Sun, 22 Nov 2026 02:30:00 GMT."""

POLICIES: list[tuple[dict[str, str], int, float]] = [
    ({"ratelimit": "limit=100, remaining=50, reset=30"}, 50, 30),
    ({"ratelimit": "limit=100; remaining=50; reset=30"}, 50, 30),
    ({"ratelimit": "Remaining=50,reset=30"}, 50, 30),
    ({"ratelimit": "remaining=50", "ratelimit-policy": "100;w=60"}, 50, 60),
    ({"ratelimit": '"default";r=50;t=30'}, 50, 30),
    ({"ratelimit": "default;r=50;t=30"}, 50, 30),
    ({"ratelimit": '"default" ; r=50 ; t=30'}, 50, 30),
    ({"ratelimit": '"default";r=50;t=30;pk=:c29tZSBrZXk=:'}, 50, 30),
    ({"ratelimit": '"default";r=50;t=0'}, 50, 0),
    ({"ratelimit": '"default";r=50', "ratelimit-policy": '"other";q=9;w=9, "default";q=100;w=60'}, 50, 60),
    ({"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'}, 50, 30),
    ({"ratelimit": '"a,b;r=1;t=1=\\"";r=50;t=30'}, 50, 30),
]

PAIRS: list[tuple[dict[str, str], int, float]] = [
    ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "30"}, 50, 30),
    ({"x-ratelimit-remaining": "50", "x-ratelimit-reset": "30"}, 50, 30),
    ({"x-rate-limit-remaining": "50", "x-rate-limit-reset": "30"}, 50, 30),
    ({"x-ratelimit-remaining-requests": "50", "x-ratelimit-reset-requests": "1m30s"}, 50, 90),
    ({"x-ratelimit-remaining": "598.0", "x-ratelimit-reset": "12.5"}, 598, 12.5),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, 0, 0),
]

RESETS = {
    "0": 0,
    "30": 30,
    "86400": 86_400,
    "1795314630": 30,
    "1795314630.5": 30.5,
    "1795314630500": 30.5,
    "1795314600": 0,
    "Sun, 22 Nov 2026 02:30:30 GMT": 30,
    "Sun Nov 22 02:30:30 2026": 30,
    "6ms": 0.006,
    "1s": 1,
    "8.64s": 8.64,
    "1m30s": 90,
    "6m0s": 360,
    "1h0m0s": 3600,
    "1d": 86_400,
    "30, 30": None,
    "": None,
    "-1": None,
    "86401": None,
    "1d1s": None,
    "1795314599": None,
    "1795401001": None,
    "Sun, 22 Nov 2026 02:29:59 GMT": None,
    "NaN": None,
    "inf": None,
    "1e3": None,
    "0x10": None,
    "+30": None,
    "\u0667": None,
    "9" * 5000: None,
    "9" * 5000 + "s": None,
    "1m 30s": None,
    "ms": None,
    "soon": None,
}


@pytest.mark.parametrize(("headers", "remaining", "reset_s"), [*POLICIES, *PAIRS], ids=str)
def test_each_form(headers: dict[str, str], remaining: int, reset_s: float) -> None:
    assert read_allowance(headers, NOW) == Allowance(remaining=remaining, reset_s=reset_s)


@pytest.mark.parametrize(("reset", "reset_s"), RESETS.items(), ids=lambda value: ascii(value)[:40])
def test_each_form_of_a_reset(reset: str, reset_s: float | None) -> None:
    found = read_allowance({"x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}, NOW)
    if reset_s is None:
        assert found is None
    else:
        assert found is not None
        assert found.remaining == 7
        assert found.reset_s == pytest.approx(reset_s)


@pytest.mark.parametrize("reset", ["1795314630", "1795314630500", "Sun, 22 Nov 2026 02:30:30 GMT"])
def test_without_a_time_of_day_a_moment_says_nothing(reset: str) -> None:
    assert read_allowance({"x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}, None) is None


@pytest.mark.parametrize("reset", ["30", "30s"])
def test_without_a_time_of_day_seconds_are_seconds(reset: str) -> None:
    headers = {"x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}
    assert read_allowance(headers, None) == Allowance(remaining=7, reset_s=30)


@pytest.mark.parametrize("remaining", ["-1", "", "many", "NaN", "1e9", "1000001", "9" * 5000, "4294967295", "\u0667"])
def test_a_remaining_that_is_none_says_nothing(remaining: str) -> None:
    assert read_allowance({"x-ratelimit-remaining": remaining, "x-ratelimit-reset": "30"}, NOW) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "100"},
        {"x-ratelimit-remaining": "7"},
        {"x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": "7, 8", "x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": "7", "ratelimit-reset": "30"},
        {"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "30"},
        {"ratelimit-policy": '"default";q=100;w=60'},
        {"ratelimit": '"default";r=50'},
        {"ratelimit": '"default";r=50', "ratelimit-policy": '"other";w=60'},
        {"ratelimit": '"default";r=-50;t=30'},
        {"ratelimit": "limit=100"},
        {"ratelimit": '"'},
        {"ratelimit": ";;,=,;=;"},
    ],
    ids=str,
)
def test_what_tells_half_or_nothing_is_ignored(headers: dict[str, str]) -> None:
    assert read_allowance(headers, NOW) is None


@pytest.mark.parametrize(
    ("headers", "remaining", "reset_s"),
    [
        ({"ratelimit": '"burst";r=5;t=1, "daily";r=900;t=3600'}, 5, 1),
        ({"ratelimit": '"burst";r=5;t=1, "daily";r=3;t=3600'}, 3, 3600),
        ({"ratelimit": '"burst";r=0;t=1, "daily";r=0;t=3600'}, 0, 3600),
        ({"ratelimit": '"burst";r=x;t=1, "daily";r=9;t=3600'}, 9, 3600),
        ({"x-ratelimit-remaining": "5, 100", "x-ratelimit-reset": "1, 60"}, 5, 1),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "1", "ratelimit": '"a";r=4;t=9'}, 4, 9),
    ],
    ids=str,
)
def test_of_several_policies_the_tightest_counts(headers: dict[str, str], remaining: int, reset_s: float) -> None:
    assert read_allowance(headers, NOW) == Allowance(remaining=remaining, reset_s=reset_s)


NAMES = st.sampled_from([
    "ratelimit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-remaining",
    "x-ratelimit-reset", "x-rate-limit-remaining", "x-rate-limit-reset", "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
])  # fmt: skip
PIECES = st.sampled_from([
    "1", "0", "-", ".", "e9", "NaN", "99999999999", "1795314630", "ms", "s", "m", "r=", "t=", "w=", "q=", "remaining=",
    "reset=", "limit=", ";", ",", " ", '"', "\\", "=", "Sun, 22 Nov 2026 02:30:30 GMT", "+99999999999999999999",
])  # fmt: skip
VALUES = st.text(max_size=60) | st.lists(PIECES, max_size=12).map("".join)


@given(headers=st.dictionaries(NAMES, VALUES), wall_time=st.none() | st.floats(-1e12, 1e12))
@example(headers={"ratelimit": '"' + "\\" * 60_000}, wall_time=NOW)
@example(headers={"ratelimit": '"\\' * 500_000}, wall_time=NOW)
@example(headers={"ratelimit": "r=1;t=1," * 10_000}, wall_time=NOW)
@example(headers={"x-ratelimit-remaining": "1," * 30_000, "x-ratelimit-reset": "1s" * 30_000}, wall_time=NOW)
def test_any_headers_say_something_sane_or_nothing(headers: Mapping[str, str], wall_time: float | None) -> None:
    found = read_allowance(headers, wall_time)
    if found is not None:
        assert type(found.remaining) is int
        assert 0 <= found.remaining <= MOST_SENDS
        assert 0 <= found.reset_s <= LONGEST_S
