"""The limits over the wire: what a client is answered, what the log says, what the headers tell."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from sandbox_client import TEXT, Client, Serve

from batchgen.sandbox.headers import RateHeaders
from batchgen.sandbox.limits import Concurrency, Sliding, parse_limit

pytest_plugins = ["sandbox_fixtures"]

FIVE_A_MINUTE = Sliding(requests=5, window_s=60)
ONE_A_MINUTE = Sliding(requests=1, window_s=60)


async def statuses(client: Client, count: int) -> list[int]:
    return [(await client.post(TEXT)).status for _ in range(count)]


async def test_over_the_wire(serve: Serve) -> None:
    client = await serve(limits=(FIVE_A_MINUTE,), penalty_s=60)
    answers = [await client.post(TEXT) for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert json.loads(answers[-1].body)["name"] == "rate_limit_exceeded"
    assert "Retry-After" not in answers[-1].headers
    log = await client.log()
    summary = log["summary"]
    assert summary["by_status"] == {"200": 5, "429": 3}
    assert (summary["admitted"], summary["throttled"], summary["billed_credits"]) == (5, 3, 5 * 6.5)
    assert all(entry["fault"] is None for entry in log["requests"])
    assert [entry["admitted"] for entry in log["requests"]] == [True] * 5 + [False] * 3


# Spelled, and how many of ten requests that come at once it admits.
AT_ONCE = {
    "5/60s": 5,
    "rejections:5/60s": 5,
    "fixed:5/3600s": 5,
    "bucket:0.01/s:4": 4,
    "leaky:0.01/s": 1,
    "concurrency:8": 10,
}


@pytest.mark.parametrize("spelling", AT_ONCE)
async def test_each_kind_of_limit(serve: Serve, spelling: str) -> None:
    client = await serve(limits=(parse_limit(spelling),))
    assert sorted(await statuses(client, 10)) == [200] * AT_ONCE[spelling] + [429] * (10 - AT_ONCE[spelling])


async def test_the_penalty_ends(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=1, window_s=0.2),), penalty_s=0.3)
    assert await statuses(client, 2) == [200, 429]
    while (await client.post(TEXT)).status == 429:
        pass
    log = (await client.log())["requests"]
    assert log[-1]["monotonic"] - log[1]["monotonic"] >= 0.3


async def test_a_wrong_key_fills_nobodys_window_and_a_wrong_form_does(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=2, window_s=60),), penalty_s=60)
    assert [(await client.post(TEXT, {})).status for _ in range(3)] == [401] * 3
    assert [(await client.post({})).status for _ in range(3)] == [400, 400, 429]
    assert [entry["admitted"] for entry in (await client.log())["requests"]] == [None] * 3 + [True, True, False]


async def test_no_more_than_so_many_are_answered_at_a_time(serve: Serve) -> None:
    client = await serve(limits=(Concurrency(requests=3),), fail={})
    await client.control(script=["hang"] * 3)
    hanging = [asyncio.ensure_future(client.raw()) for _ in range(3)]
    await client.in_flight(3, 3)
    assert await statuses(client, 2) == [429, 429]
    hanging[0].cancel()
    await client.in_flight(0, 2)
    assert await statuses(client, 2) == [200, 200]
    for each in hanging:
        each.cancel()
    assert (await client.summary())["peak_in_flight"] == 4


@pytest.mark.parametrize("fate", ["ok", "500", "cut", "reset", "drop", "html", "redirect"])
async def test_every_answered_request_gives_its_place_back(serve: Serve, fate: str) -> None:
    client = await serve(limits=(Concurrency(requests=1),))
    await client.control(script=[fate])
    await client.raw()
    assert (await client.post(TEXT)).status == 200


async def test_two_limits_at_once(serve: Serve) -> None:
    client = await serve(limits=(FIVE_A_MINUTE, parse_limit("leaky:0.01/s")))
    assert await statuses(client, 3) == [200, 429, 429]
    await client.control(limit=["5/60s"])
    assert await statuses(client, 5) == [200] * 4 + [429], "what one refused has filled no other"


async def test_limits_are_halved_and_restored(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=8, window_s=60),), penalty_s=0)
    assert await statuses(client, 3) == [200] * 3
    assert (await client.control(halved=True))["halved"] is True
    assert await statuses(client, 2) == [200, 429], "what was counted before counts on"
    assert (await client.control(halved=False))["halved"] is False
    assert await statuses(client, 5) == [200] * 4 + [429]


async def test_limits_are_halved_by_the_clock(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=4, window_s=60),), penalty_s=0, halve_after_s=0)
    assert await statuses(client, 3) == [200, 200, 429]
    assert (await client.control())["limit"] == ["4/60s"]


async def test_a_request_counts_some_time_after_it_arrived(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=20, window_s=60),), arrival_jitter_s=0.2, seed=1)
    answers = await asyncio.gather(*(client.post(TEXT) for _ in range(25)))
    assert sorted(answer.status for answer in answers) == [200] * 20 + [429] * 5
    log = (await client.log())["requests"]
    assert all(entry["counted"] >= entry["monotonic"] for entry in log)
    by_count = sorted(log, key=lambda entry: entry["counted"])
    assert [entry["number"] for entry in by_count] != list(range(1, 26)), "some were overtaken"
    assert [entry["admitted"] for entry in by_count] == [True] * 20 + [False] * 5


async def test_without_jitter_a_request_counts_as_it_arrives(client: Client) -> None:
    await client.post(TEXT)
    [entry] = (await client.log())["requests"]
    assert entry["counted"] == entry["monotonic"]


async def retry_after(serve: Serve, form: str, **settings: Any) -> list[str]:
    """The lines of Retry-After with which a second request is refused."""
    client = await serve(limits=(ONE_A_MINUTE,), penalty_s=30, retry_after=form, **settings)
    await client.post(TEXT)
    head = (await client.raw()).head
    assert head.startswith("HTTP/1.1 429 ")
    return [line.split(": ", 1)[1] for line in head.split("\r\n") if line.startswith("Retry-After: ")]


@pytest.mark.parametrize(
    ("form", "lines"),
    [("none", []), ("0", ["0"]), ("-1", ["-1"]), ("abc", ["abc"]), ("1e9", ["1e9"]), ("120", ["120"])],
)
async def test_retry_after_says_what_it_is_told(serve: Serve, form: str, lines: list[str]) -> None:
    assert await retry_after(serve, form) == lines


async def test_retry_after_in_seconds_lasts_as_long_as_the_refusal(serve: Serve) -> None:
    [seconds] = await retry_after(serve, "seconds")
    assert 30 < int(seconds) <= 60, "the window lasts longer than the penalty"


async def test_retry_after_as_a_date_is_the_end_of_the_refusal(serve: Serve) -> None:
    before = datetime.now(UTC)
    [date] = await retry_after(serve, "date")
    assert date.endswith(" GMT")
    assert parsedate_to_datetime(date) >= before + timedelta(seconds=60)


async def test_retry_after_twice(serve: Serve) -> None:
    first, second = await retry_after(serve, "twice")
    assert int(second) == 2 * int(first)


async def test_a_429_on_purpose_says_retry_after_too(serve: Serve) -> None:
    client = await serve(limits=(), penalty_s=7, retry_after="seconds")
    await client.control(script=["429", "503"])
    assert (await client.post(TEXT)).headers["Retry-After"] == "7"
    assert "Retry-After" not in (await client.post(TEXT)).headers


async def rate(client: Client) -> dict[str, str]:
    """The headers of one answer that tell of the limits."""
    return {name: value for name, value in (await client.post(TEXT)).headers.items() if "ratelimit" in name.lower()}


async def test_x_headers_count_down(serve: Serve) -> None:
    client = await serve(limits=(FIVE_A_MINUTE,), penalty_s=90, rate_headers=RateHeaders.X)
    told = [await rate(client) for _ in range(6)]
    assert [each["X-RateLimit-Limit"] for each in told] == ["5"] * 6
    assert [each["X-RateLimit-Remaining"] for each in told] == ["4", "3", "2", "1", "0", "0"]
    assert 1 <= int(told[0]["X-RateLimit-Reset"]) <= 60 < int(told[5]["X-RateLimit-Reset"]) <= 90


async def test_ietf_headers_are_structured_fields(serve: Serve) -> None:
    limits = tuple(map(parse_limit, ("5/60s", "bucket:0.01/s:3", "concurrency:8")))
    client = await serve(limits=limits, rate_headers=RateHeaders.IETF)
    told = await rate(client)
    assert told["RateLimit-Policy"].split(", ") == [
        '"sliding";q=5;w=60',
        '"bucket";q=3;w=300',
        '"concurrency";q=8;qu="concurrent-requests"',
    ]
    times = [int(item.rpartition("=")[2]) for item in told["RateLimit"].split(", ")]
    assert told["RateLimit"] == '"sliding";r=4;t={}, "bucket";r=2;t={}, "concurrency";r=7;t={}'.format(*times)
    assert 0 < times[0] <= 60
    assert 0 < times[1] <= 100
    assert times[2] == 0


async def test_the_policy_can_come_alone(serve: Serve) -> None:
    client = await serve(limits=(parse_limit("leaky:15/s"),), rate_headers=RateHeaders.POLICY)
    assert await rate(client) == {"RateLimit-Policy": '"bucket";q=15;w=1'}


@pytest.mark.parametrize("fate", ["400", "500", "cut", "html", "redirect", "cut-close"])
async def test_every_answer_tells_of_the_limit(serve: Serve, fate: str) -> None:
    client = await serve(limits=(FIVE_A_MINUTE,), rate_headers=RateHeaders.X)
    await client.control(script=[fate])
    assert "X-RateLimit-Remaining: 4" in (await client.raw()).head


async def test_no_limit_tells_nothing(serve: Serve) -> None:
    assert await rate(await serve(limits=(), rate_headers=RateHeaders.X)) == {}
