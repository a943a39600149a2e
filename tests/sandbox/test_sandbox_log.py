"""The log of a long run: parts of it, its sums, a new beginning, and where it lies."""

import asyncio
import json

import pytest
from sandbox_client import TEXT, Client, Serve

from batchgen.sandbox.faults import Fault

pytest_plugins = ["sandbox_fixtures"]


async def statuses(client: Client, count: int) -> list[int]:
    return [(await client.post(TEXT)).status for _ in range(count)]


async def test_the_log_can_be_asked_for_what_is_new(client: Client) -> None:
    await statuses(client, 5)
    whole = await client.log()
    assert [entry["number"] for entry in whole["requests"]] == [1, 2, 3, 4, 5]
    assert await client.log("?since=3") == {**whole, "requests": whole["requests"][3:]}
    assert (await client.log("?since=99"))["requests"] == []
    assert await client.log("?summary=1") == {"summary": whole["summary"]}
    assert await client.log("?summary=0") == whole


@pytest.mark.parametrize("since", ["-1", "x", "1.5", ""])
async def test_a_wrong_since_is_refused(client: Client, since: str) -> None:
    answer = await client.send("GET", f"/log?since={since}")
    assert (answer.status, json.loads(answer.body)["name"]) == (400, "bad_request")


async def test_the_log_begins_anew(serve: Serve) -> None:
    client = await serve(limits=(), seed=5, fail={Fault.INTERNAL: 0.5})
    first = await statuses(client, 8)
    await client.control(script=["hang"])
    hanging = asyncio.ensure_future(client.raw())
    await client.in_flight(1, 1)
    await client.control(reset_log=True)
    summary = await client.summary()
    assert (summary["requests"], summary["in_flight"], summary["peak_in_flight"]) == (0, 1, 1)
    hanging.cancel()
    await client.in_flight(0, 0)
    assert await statuses(client, 8) == first, "numbers begin at 1, and a seed repeats what they meet"
    log = await client.log()
    assert [entry["number"] for entry in log["requests"]] == list(range(1, 9))
    assert log["summary"]["requests"] == 8


async def test_the_log_is_the_same_from_memory_and_from_disk(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgen.sandbox.log._IN_MEMORY_BYTES", 1000)
    await client.control(reset_log=True)
    prompts = [f"{number} " + "ü" * 300 for number in range(12)]
    await asyncio.gather(*(client.post({**TEXT, "prompt": prompt}) for prompt in prompts))
    log = await client.log()
    assert sorted(entry["fields"]["prompt"] for entry in log["requests"]) == sorted(prompts)
    assert [entry["number"] for entry in log["requests"]] == list(range(1, 13))
