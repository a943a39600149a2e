"""Each fault as it crosses the wire, and what the log says was billed for it."""

import asyncio
import hashlib
import io
import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from PIL import Image
from sandbox_client import PICTURE, SEEDED, TEXT, Answer, Raw, Serve, always, entry_of

from batchgen.sandbox.faults import PAGES, REFUSALS, UNANSWERED, Fault

pytest_plugins = ["sandbox_fixtures"]


async def raw(serve: Serve, fault: Fault, *, enough: int | None = None) -> tuple[Raw, dict[str, Any]]:
    client = await always(serve, fault)
    return await client.raw(SEEDED, enough=enough), await entry_of(client)


NAMES = {
    Fault.BAD_REQUEST: "bad_request",
    Fault.UNAUTHORIZED: "unauthorized",
    Fault.NO_CREDIT: "payment_required",
    Fault.FORBIDDEN: "forbidden",
    Fault.MODERATED: "content_moderation",
    Fault.NOT_FOUND: "not_found",
    Fault.NOT_ALLOWED: "method_not_allowed",
    Fault.TOO_LARGE: "payload_too_large",
    Fault.INVALID_LANGUAGE: "invalid_language",
    Fault.THROTTLED: "rate_limit_exceeded",
    Fault.INTERNAL: "internal_error",
    Fault.BAD_GATEWAY: "bad_gateway",
    Fault.UNAVAILABLE: "service_unavailable",
    Fault.TIMED_OUT: "gateway_timeout",
    Fault.OVERLOADED: "overloaded",
}


@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_refusal_is_error_json_and_not_billed(serve: Serve, fault: Fault) -> None:
    client = await always(serve, fault)
    answer = await client.post(TEXT)
    assert str(answer.status) == ("403" if fault is Fault.MODERATED else fault)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.body)
    assert body["name"] == NAMES[fault]
    assert body["id"]
    assert all(body["errors"])
    entry = await entry_of(client)
    assert (entry["status"], entry["fault"], entry["billed"]) == (answer.status, fault, False)
    assert entry["errors"] == body["errors"]


@pytest.mark.parametrize("fault", PAGES)
async def test_a_page_is_html(serve: Serve, fault: Fault) -> None:
    client = await always(serve, fault)
    answer = await client.post(TEXT)
    assert answer.status == (200 if fault is Fault.HTML else int(fault.split("-")[0]))
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    entry = await entry_of(client)
    # The proxy that gave up waiting, and the 200, hide a picture that was made.
    assert entry["billed"] == (fault in (Fault.HTML, Fault.TIMED_OUT_PAGE))
    assert (entry["status"], entry["picture_sha256"]) == (answer.status, None)


async def test_a_redirect_leads_to_another_host(serve: Serve) -> None:
    client = await always(serve, Fault.REDIRECT, redirect_to="http://127.0.0.1:1/elsewhere")
    answer, entry = await client.raw(), await entry_of(client)
    assert answer.head.startswith("HTTP/1.1 307 ")
    assert "Location: http://127.0.0.1:1/elsewhere" in answer.head
    assert (entry["status"], entry["billed"]) == (307, False)


async def test_who_follows_a_redirect_on_the_same_host_is_in_the_log(serve: Serve) -> None:
    client = await always(serve, Fault.REDIRECT_SAME)
    assert (await client.post(TEXT)).status == 404
    log = (await client.log())["requests"]
    assert [(entry["status"], entry["path"]) for entry in log] == [
        (307, "/v1/images/generations"),
        (404, "/v1/images/elsewhere"),
    ]


@pytest.mark.parametrize("fault", [Fault.RESET_FIRST, Fault.RESET, Fault.DROP])
async def test_no_answer_at_all(serve: Serve, fault: Fault) -> None:
    answer, entry = await raw(serve, fault)
    assert (answer.head, answer.body, answer.reset) == ("", b"", fault is not Fault.DROP)
    assert (entry["status"], entry["fault"], entry["billed"]) == (None, fault, fault is Fault.DROP)


async def test_a_first_reset_comes_before_the_request_is_read(serve: Serve) -> None:
    client = await always(serve, Fault.RESET_FIRST)
    await client.raw()
    entry = await entry_of(client)
    assert (entry["fields"], entry["admitted"]) == ({}, None)


CUTS = {
    Fault.CUT: "Content-Length: {}",
    Fault.RESET_BODY: "Content-Length: {}",
    Fault.STALL: "Content-Length: {}",
    Fault.CUT_CHUNKED: "Transfer-Encoding: chunked",
    Fault.CUT_CLOSE: "Connection: close",
}


@pytest.mark.parametrize("fault", CUTS)
async def test_half_a_picture_comes(serve: Serve, whole: Answer, fault: Fault) -> None:
    half = whole.body[: len(whole.body) // 2]
    client = await always(serve, fault)
    answer = await client.raw(SEEDED, enough=len(half) if fault is Fault.STALL else None)
    assert answer.head.startswith("HTTP/1.1 200 OK")
    assert "Content-Type: image/png" in answer.head
    assert CUTS[fault].format(len(whole.body)) in answer.head
    assert ("Content-Length" in answer.head) == (fault not in (Fault.CUT_CHUNKED, Fault.CUT_CLOSE))
    assert answer.reset == (fault is Fault.RESET_BODY)
    if fault is Fault.CUT_CHUNKED:
        assert answer.body == f"{len(half):x}\r\n".encode() + half + b"\r\n"
    elif fault is Fault.STALL:
        assert half.startswith(answer.body)
    else:
        assert answer.body == half
    entry = await entry_of(client)
    assert (entry["status"], entry["billed_credits"], entry["picture_sha256"]) == (200, PICTURE, None)


async def test_a_large_picture_is_cut_and_reset_half_way_too(serve: Serve) -> None:
    """Most of it does not fit into what the system takes at once."""
    image = Image.effect_noise((1500, 1500), 90)
    data = io.BytesIO()
    image.save(data, "PNG")
    form = {**SEEDED, "mode": "image-to-image", "image": data.getvalue(), "strength": "0"}
    size = len((await (await serve(limits=())).post(form)).body)
    assert size > 1_000_000
    for fault in (Fault.CUT, Fault.CUT_CLOSE, Fault.RESET_BODY):
        answer = await (await always(serve, fault)).raw(form)
        assert answer.reset == (fault is Fault.RESET_BODY)
        assert len(answer.body) == size // 2 or answer.reset


@pytest.mark.parametrize("fault", [Fault.TRICKLE, Fault.SLOW])
async def test_a_picture_that_comes_slowly_comes(serve: Serve, whole: Answer, fault: Fault) -> None:
    client = await always(serve, fault)
    answer = await client.raw(SEEDED, enough=3)
    assert f"Content-Length: {len(whole.body)}" in answer.head
    assert len(answer.body) < len(whole.body)
    assert whole.body.startswith(answer.body)
    entry = await entry_of(client)
    assert (entry["status"], entry["billed_credits"]) == (200, PICTURE)
    assert entry["picture_sha256"] == hashlib.sha256(whole.body).hexdigest()


async def test_an_endless_body_goes_on_until_its_client_leaves(serve: Serve, whole: Answer) -> None:
    client = await always(serve, Fault.ENDLESS)
    answer = await client.raw(SEEDED, enough=len(whole.body) + (4 << 20))
    assert "Transfer-Encoding: chunked" in answer.head
    assert whole.body in answer.body
    assert (await client.in_flight(0, 0))["billed_credits"] == PICTURE


@pytest.mark.parametrize("fault", Fault)
async def test_what_is_billed_is_what_the_catalogue_says(serve: Serve, fault: Fault) -> None:
    client = await always(serve, fault)
    asking = asyncio.ensure_future(client.raw())
    while not (log := (await client.log())["requests"]) or log[0]["seconds"] is None:  # noqa: ASYNC110 - over HTTP
        await asyncio.sleep(0.01)
    asking.cancel()
    assert (log[0]["fault"], log[0]["billed"]) == (fault, fault.billed)
    assert (log[0]["status"] is None) == (fault in UNANSWERED)


async def test_a_connection_outlives_whatever_ends_in_order(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next answer on it is whole."""
    monkeypatch.setattr("batchgen.sandbox.delivery._SLOW_S", 0)
    monkeypatch.setattr("batchgen.sandbox.delivery._TRICKLE_S", 0)
    connections, tracing = list[object](), aiohttp.TraceConfig()

    async def note(*found: object) -> None:
        connections.append(found)

    tracing.on_connection_create_end.append(note)
    async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
        client = replace(await serve(limits=()), session=session)
        whole = await client.post(SEEDED)
        for fate in ("500", "html", "204", "wrong-type", "trailing", "slow", "trickle"):
            await client.control(script=[fate, "ok"])
            answer = await client.post(SEEDED)
            assert (answer.body == whole.body) == (fate in ("wrong-type", "slow", "trickle"))
            assert (await client.post(SEEDED)).body == whole.body
    assert len(connections) == 1
