"""The limit: at most N in any window, then a penalty during which everything is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import TEXT, Serve

from batchgen.sandbox.limits import Window, WindowLimiter
from batchgen.sandbox.settings import Settings

pytest_plugins = ["sandbox_fixtures"]

TWO_A_SECOND = Window(requests=2, window_s=1.0)


def test_the_default_is_the_documented_limit() -> None:
    assert Settings().window == Window(requests=150, window_s=10.0)
    assert Settings().penalty_s == 60.0


def test_one_more_than_the_window_starts_the_penalty() -> None:
    limiter = WindowLimiter(TWO_A_SECOND, penalty_s=5)
    assert [limiter.refusal_s(now) for now in (0.0, 0.5, 0.9)] == [None, None, 5]
    assert limiter.refusal_s(3.9) == pytest.approx(2)
    assert limiter.refusal_s(5.9) is None


def test_the_window_slides() -> None:
    limiter = WindowLimiter(TWO_A_SECOND, penalty_s=5)
    assert [limiter.refusal_s(now) for now in (0.0, 0.5, 1.0, 1.5, 2.0)] == [None] * 5


@given(st.lists(st.floats(0, 2), max_size=80), st.integers(1, 5), st.floats(0, 4))
def test_any_window_admits_at_most_its_limit(gaps: list[float], requests: int, penalty_s: float) -> None:
    limiter, now, admitted = WindowLimiter(Window(requests=requests, window_s=1), penalty_s), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if limiter.refusal_s(now) is None:
            admitted.append(now)
    for start in admitted:
        assert sum(0 <= at - start < 1 for at in admitted) <= requests


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("150/10s", Window(requests=150, window_s=10)),
        ("5/0.5s", Window(requests=5, window_s=0.5)),
        ("none", None),
    ],
)
def test_a_limit_is_read(text: str, window: Window | None) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize("text", ["", "150", "150/10", "0/10s", "150/0s", "-1/10s", "x/10s"])
def test_a_wrong_limit_is_answered_with_the_right_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 150/10s, or none"):
        Window.parse(text)


async def test_over_the_wire(serve: Serve) -> None:
    client = await serve(window=Window(requests=5, window_s=60), penalty_s=60)
    answers = [await client.post(TEXT) for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert json.loads(answers[-1].body)["name"] == "rate_limit_exceeded"
    assert "Retry-After" not in answers[-1].headers
    log = await client.log()
    assert log["summary"]["by_status"] == {"200": 5, "429": 3}
    assert log["summary"]["billed_credits"] == 5 * 6.5
    assert all(entry["fault"] is None for entry in log["requests"])


async def test_the_penalty_ends(serve: Serve) -> None:
    client = await serve(window=Window(requests=1, window_s=0.2), penalty_s=0.3)
    assert [(await client.post(TEXT)).status for _ in range(2)] == [200, 429]
    while (await client.post(TEXT)).status == 429:
        pass
    log = (await client.log())["requests"]
    assert log[-1]["monotonic"] - log[1]["monotonic"] >= 0.3


async def test_retry_after_on_request(serve: Serve) -> None:
    client = await serve(window=Window(requests=1, window_s=60), penalty_s=30, retry_after=True)
    await client.post(TEXT)
    assert int((await client.post(TEXT)).headers["Retry-After"]) == 30


async def test_a_wrong_key_fills_nobodys_window_and_a_wrong_form_does(serve: Serve) -> None:
    client = await serve(window=Window(requests=2, window_s=60), penalty_s=60)
    assert [(await client.post(TEXT, {})).status for _ in range(3)] == [401] * 3
    assert [(await client.post({})).status for _ in range(3)] == [400, 400, 429]
