"""Retry-After in every form: obeyed, held to an hour, or ignored."""

from __future__ import annotations

import pytest
from gateway_talk import failure
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.providers.retry_after import answered_at, elements, epoch_s

NOW = "Sun, 22 Nov 2026 02:30:00 GMT"


@pytest.mark.parametrize(
    ("asked", "date", "wait_s"),
    [
        ("7", None, 7),
        (" 7 ", None, 7),
        ("0", None, 0),
        ("3600", None, 3600),
        ("86400", None, 3600),
        ("1000000000", None, 3600),
        ("9" * 5000, None, 3600),
        ("Sun, 22 Nov 2026 02:31:30 GMT", NOW, 90),
        ("Sunday, 22-Nov-26 02:31:30 GMT", NOW, 90),
        ("Sun, 22 Nov 2026 02:29:00 GMT", NOW, 0),
        ("Mon, 22 Nov 2027 02:30:00 GMT", NOW, 3600),
        ("Sun, 22 Nov 2026 02:31:30 GMT", None, None),
        ("Sun, 22 Nov 2026 02:31:30 GMT", "yesterday", None),
        ("Sun, 22 Nov 2026 02:31:30", NOW, 90),
        ("Sun Nov 22 02:31:30 2026", NOW, 90),
        ("7, 30", None, 30),
        ("30, 7", None, 30),
        ("7, Sun, 22 Nov 2026 02:31:30 GMT", NOW, 90),
        ("Sun, 22 Nov 2026 02:31:30 GMT, Sun, 22 Nov 2026 02:30:30 GMT", NOW, 90),
        ("abc, 30", None, 30),
        ("-1, abc", None, None),
        (",,", None, None),
        ("-1", NOW, None),
        ("abc", NOW, None),
        ("1e9", NOW, None),
        ("1.5", NOW, None),
        ("\u0667", NOW, None),
        ("", NOW, None),
        (None, NOW, None),
        ("Sun, 22 Nov 99999 02:31:30 GMT", NOW, None),
        ("Sun, 22 Nov 2026 02:31:30 +99999999999999999999", NOW, None),
        ("22 Nov 99999999999999999999 02:31:30 GMT", NOW, None),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_each_form_of_retry_after(asked: str | None, date: str | None, wait_s: float | None) -> None:
    given_headers = {"retry-after": asked, "date": date}
    headers = {name: value for name, value in given_headers.items() if value is not None}
    assert failure(429, headers=headers).retry_after_s == wait_s


@given(asked=st.text(max_size=60), date=st.text(max_size=60))
@example(asked="1 Jan 2024 1:1:1 +99999999999999999999", date=NOW)
@example(asked="1," * 500_000, date="1," * 500_000)
def test_any_other_retry_after_is_a_time_in_bounds_or_ignored(asked: str, date: str) -> None:
    for now in (date, NOW):
        wait_s = failure(503, headers={"retry-after": asked, "date": now}).retry_after_s
        assert wait_s is None or 0 <= wait_s <= 3600


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("7", ["7"]),
        ("7, 8,9", ["7", "8", "9"]),
        ("Sun, 22 Nov 2026 02:31:30 GMT", ["Sun, 22 Nov 2026 02:31:30 GMT"]),
        ("7, Sunday, 22-Nov-26 02:31:30 GMT, 8", ["7", "Sunday, 22-Nov-26 02:31:30 GMT", "8"]),
    ],
)
def test_a_date_is_one_element_of_a_list(value: str, expected: list[str]) -> None:
    assert elements(value) == expected


def test_an_answer_was_made_when_its_date_says() -> None:
    assert answered_at({"date": NOW}) == epoch_s("Sun Nov 22 02:30:00 2026") == 1_795_314_600
    assert answered_at({}) is None
