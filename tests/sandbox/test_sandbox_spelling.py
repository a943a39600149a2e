"""How limits are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.sandbox.limits import Bucket, Concurrency, Fixed, Limit, Sliding, parse_limit, parse_limits, spelled


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("150/10s", Sliding(requests=150, window_s=10)),
        ("5/0.5s", Sliding(requests=5, window_s=0.5)),
        ("rejections:150/10s", Sliding(requests=150, window_s=10, rejections=True)),
        ("fixed:150/10s", Fixed(requests=150, window_s=10)),
        ("bucket:15/s:15", Bucket(rate_per_s=15, burst=15)),
        ("bucket:0.5/s:3", Bucket(rate_per_s=0.5, burst=3)),
        ("bucket:90/60s:5", Bucket(rate_per_s=1.5, burst=5)),
        ("leaky:15/s", Bucket(rate_per_s=15, burst=1)),
        ("leaky:15/s:5", Bucket(rate_per_s=15, burst=5)),
        ("concurrency:8", Concurrency(requests=8)),
    ],
)
def test_a_limit_is_read_and_written(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert parse_limit(spelled(limit)) == limit


@given(st.integers(1, 10**6), st.floats(1e-6, 1e6), st.integers(1, 1000))
def test_every_limit_is_written_as_it_is_read(requests: int, number: float, burst: int) -> None:
    for limit in (
        Sliding(requests=requests, window_s=number),
        Fixed(requests=requests, window_s=number),
        Bucket(rate_per_s=number, burst=burst),
    ):
        again = parse_limit(spelled(limit))
        assert type(again) is type(limit)
        assert spelled(again) == spelled(limit)


def test_limits_hold_together_and_none_stands_alone() -> None:
    assert parse_limits(["150/10s", "concurrency:8"]) == (parse_limit("150/10s"), Concurrency(requests=8))
    assert parse_limits(["none"]) == ()


WRONG = (
    *("", "150", "150/10", "0/10s", "150/0s", "-1/10s", "x/10s", "fixed:", "fixed:150", "rejections:0/10s"),
    *("bucket:15", "bucket:0/s:1", "bucket:15/s:0", "leaky:15", "concurrency:0", "concurrency:", "slow:1/1s", "none "),
)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_limit_is_answered_with_the_right_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 150/10s, or none"):
        parse_limit(text)
