"""Faults on purpose: what the client sees, what the log tells, what is billed."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from sandbox_client import HEADERS, TEXT, Client, Serve, encode

from batchgen.sandbox.faults import Fault, draw, parse_rate
from batchgen.sandbox.settings import Settings

pytest_plugins = ["sandbox_fixtures"]


async def always(serve: Serve, fault: Fault) -> Client:
    return await serve(limits=(), fail={fault: 1.0})


@pytest.mark.parametrize(("fault", "status"), [(Fault.THROTTLED, 429), (Fault.INTERNAL, 500)])
async def test_an_error_is_not_billed(serve: Serve, fault: Fault, status: int) -> None:
    client = await always(serve, fault)
    assert [(await client.post(TEXT)).status for _ in range(3)] == [status] * 3
    log = await client.log()
    assert [(entry["status"], entry["fault"], entry["billed"]) for entry in log["requests"]] == [
        (status, str(status), False)
    ] * 3


async def test_a_cut_body_is_billed(serve: Serve) -> None:
    client = await always(serve, Fault.CUT)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.post(TEXT)
    [entry] = (await client.log())["requests"]
    assert (entry["status"], entry["fault"], entry["billed_credits"]) == (200, "cut", 6.5)
    assert entry["picture_sha256"] is None


async def test_half_of_a_cut_body_arrives(serve: Serve) -> None:
    whole = await (await serve(limits=())).post({**TEXT, "seed": "1"})
    client = await always(serve, Fault.CUT)
    got = b""

    async def read() -> None:
        nonlocal got
        content = {"Content-Type": "multipart/form-data; boundary=----batchgen"}
        body = encode({**TEXT, "seed": "1"})
        async with client.session.post(client.url, data=body, headers={**HEADERS, **content}) as response:
            assert response.headers["Content-Length"] == str(len(whole.body))
            while chunk := await response.content.readany():
                got += chunk

    with pytest.raises(aiohttp.ClientPayloadError):
        await read()
    assert got == whole.body[: len(whole.body) // 2]


async def test_a_dropped_answer_is_billed(serve: Serve) -> None:
    client = await always(serve, Fault.DROP)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.post(TEXT)
    log = await client.log()
    [entry] = log["requests"]
    assert (entry["status"], entry["fault"], entry["billed_credits"]) == (None, "drop", 6.5)
    summary = log["summary"]
    assert (summary["requests"], summary["pictures"], summary["by_status"]) == (1, 0, {"none": 1})
    assert (summary["billed_credits"], summary["by_fault"]) == (6.5, {"drop": 1})


async def test_a_hanging_request_is_in_the_log_and_ends_with_its_client(serve: Serve) -> None:
    client = await always(serve, Fault.HANG)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.post(TEXT)
    [entry] = (await client.log())["requests"]
    assert (entry["status"], entry["fault"], entry["billed"]) == (None, "hang", False)


async def test_what_is_wrong_in_itself_gets_its_verdict_first(serve: Serve) -> None:
    client = await always(serve, Fault.INTERNAL)
    assert (await client.post({})).status == 400


async def test_a_seed_repeats_the_faults(serve: Serve) -> None:
    rates = {Fault.THROTTLED: 0.3, Fault.INTERNAL: 0.3}
    clients = [await serve(limits=(), fail=rates, seed=seed) for seed in (1, 1, 2)]
    statuses = [[(await client.post(TEXT)).status for _ in range(20)] for client in clients]
    assert statuses[0] == statuses[1]
    assert statuses[0] != statuses[2]
    seeds = [[entry["seed"] for entry in (await client.log())["requests"]] for client in clients]
    assert seeds[0] == seeds[1]


def test_the_rates_are_kept() -> None:
    rates = {Fault.CUT: 0.25, Fault.DROP: 0.5}
    counts = Counter(draw(rates, "salt", number) for number in range(4000))
    assert counts[Fault.CUT] == pytest.approx(1000, rel=0.15)
    assert counts[Fault.DROP] == pytest.approx(2000, rel=0.15)
    assert counts[None] == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize("text", ["", "500", "500=", "500=2", "=0.1", "5xx=0.1", "cut=-1", "cut=nan"])
def test_a_wrong_rate_is_answered_with_the_right_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="is not KIND=RATE"):
        parse_rate(text)


def test_rates_beyond_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1"):
        Settings(fail={Fault.CUT: 0.6, Fault.DROP: 0.6})


async def test_latency_comes_before_the_picture(serve: Serve) -> None:
    client = await serve(limits=(), latency_s=0.2, jitter_s=0.1)
    await client.post(TEXT)
    [entry] = (await client.log())["requests"]
    assert entry["seconds"] >= 0.2


async def test_what_a_client_gave_up_waiting_for_is_made_and_billed(serve: Serve) -> None:
    client = await serve(limits=(), latency_s=0.2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.post(TEXT)
    while (entry := (await client.log())["requests"][0])["seconds"] is None:  # noqa: ASYNC110 - over HTTP
        await asyncio.sleep(0.01)
    assert (entry["status"], entry["fault"], entry["billed_credits"]) == (200, None, 6.5)
