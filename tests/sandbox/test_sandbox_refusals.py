"""What refuses without being a limit: outages by the clock, credit that runs out, moderation."""

import asyncio
import json

from sandbox_client import TEXT, Client, Serve

from batchgen.sandbox.faults import Flap, Span
from batchgen.sandbox.limits import Sliding
from batchgen.sandbox.settings import Settings

pytest_plugins = ["sandbox_fixtures"]


async def statuses(client: Client, count: int) -> list[int]:
    return [(await client.post(TEXT)).status for _ in range(count)]


async def test_an_outage_comes_before_the_key_and_the_limit(serve: Serve) -> None:
    client = await serve(limits=(Sliding(requests=1, window_s=60),), outages=(Span(from_s=0, to_s=3600),))
    assert (await client.control())["outage"] is True
    assert await statuses(client, 2) == [503, 503]
    assert (await client.post(TEXT, {})).status == 503
    await client.control(outage=False)
    assert await statuses(client, 2) == [200, 429]
    await client.control(outage=None)
    assert await statuses(client, 1) == [503]
    log = (await client.log())["requests"]
    assert [(entry["fault"], entry["admitted"]) for entry in log[:3]] == [("503", None)] * 3
    assert (await client.summary())["billed_credits"] == 6.5


def test_outages_have_their_times() -> None:
    settings = Settings(outages=(Span.parse("10..20"), Span.parse("30..30.5")))
    down = [moment / 2 for moment in range(80) if settings.is_down(moment / 2)]
    assert down == [moment / 2 for moment in range(20, 40)] + [30.0]


def test_flapping_is_up_then_down() -> None:
    settings = Settings(flap=Flap.parse("3/2"))
    assert [settings.is_down(second) for second in range(10)] == [False, False, False, True, True] * 2


def test_halving_has_its_times() -> None:
    settings = Settings(halve_after_s=5, restore_after_s=8)
    assert [second for second in range(12) if settings.is_halved(second)] == [5, 6, 7]
    assert Settings(halve_after_s=5).is_halved(1e9)
    assert not Settings().is_halved(1e9)


async def test_credit_runs_out(serve: Serve) -> None:
    client = await serve(limits=(), credits=14)
    assert await statuses(client, 3) == [200, 200, 402]
    assert (await client.control())["credits"] == 1
    assert (await client.post({**TEXT, "model": "sd-core"})).status == 402
    assert await client.control(credits=3) == {**await client.control(), "credits": 3}
    assert (await client.post({**TEXT, "model": "sd-core"})).status == 200
    summary = await client.summary()
    assert (summary["billed_credits"], summary["by_status"]) == (16, {"200": 3, "402": 2})


async def test_requests_at_once_never_spend_more_than_the_credit(serve: Serve) -> None:
    client = await serve(limits=(), credits=5 * 6.5, latency_s=0.05)
    answers = await asyncio.gather(*(client.post(TEXT) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [402] * 15
    assert json.loads(next(answer.body for answer in answers if answer.status == 402))["name"] == "payment_required"
    assert (await client.summary())["billed_credits"] == 5 * 6.5


async def test_what_is_not_billed_takes_no_credit(serve: Serve) -> None:
    client = await serve(limits=(), credits=6.5)
    await client.control(script=["500", "reset", "403"])
    for _ in range(3):
        await client.raw()
    assert (await client.control())["credits"] == 6.5
    assert await statuses(client, 2) == [200, 402]


async def test_moderation_goes_by_words(serve: Serve) -> None:
    client = await serve(limits=(), refuse=("Straße",), filter=("otter",))
    refused = await client.post({**TEXT, "prompt": "an OTTER in the STRASSE"})
    assert (refused.status, json.loads(refused.body)["name"]) == (403, "content_moderation")
    blurred = await client.post({**TEXT, "prompt": "An Otter"})
    assert (blurred.status, blurred.headers["finish-reason"]) == (200, "CONTENT_FILTERED")
    fine = await client.post({**TEXT, "prompt": "a fox"})
    assert fine.headers["finish-reason"] == "SUCCESS"
    log = (await client.log())["requests"]
    assert [(entry["fault"], entry["billed_credits"]) for entry in log] == [
        ("moderated", 0),
        ("filtered", 6.5),
        (None, 6.5),
    ]
