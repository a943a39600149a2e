"""Every way in which an exchange goes wrong is one fault and one billing class, and no words hold the key.

Each answer comes from a raw socket and is read by the gateway's provider, as in a run; the key is echoed wherever an
answer has room for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from engine_samples import KEY
from page_server import JPEG, png
from raw_server import drip, ok, raw_server, reply, reset_then, silence
from wire_talk import AMPLE, BRIEF, talk

from batchgen.model import Billing, Fault

if TYPE_CHECKING:
    from raw_server import Then

NO, MAYBE, YES = Billing.NO, Billing.MAYBE, Billing.YES
ECHO = f"Authorization: Bearer {KEY}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PNG = png(7)


def api_error(status: int, name: str = "internal_error") -> bytes:
    """An error as the API words it."""
    error = {"id": "1", "name": name, "errors": [f"no, {KEY}"]}
    return reply(status, json.dumps(error).encode(), ECHO)


def page(status: int, *headers: str) -> bytes:
    """An error as some gateway words it."""
    return reply(status, f"<html><h1>No, {KEY}</h1></html>".encode(), ECHO, "Content-Type: text/html", *headers)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One way of going wrong after the request was read, and what it is called."""

    name: str
    said: bytes | None
    fault: Fault
    billing: Billing
    status: int | None = None
    words: str = ""
    then: Then | None = None


NO_ANSWER = [
    Wrong("reset before the answer", None, Fault.UNREACHABLE, MAYBE, words="the connection was lost"),
    Wrong("closed without an answer", b"", Fault.UNREACHABLE, MAYBE, words="closed the connection without an answer"),
    Wrong("half a status line", b"HTTP/1.1 2", Fault.UNREACHABLE, MAYBE),
    Wrong("half the headers", f"HTTP/1.1 200 OK\r\n{ECHO}\r\nContent-Le".encode(), Fault.UNREACHABLE, MAYBE),
    Wrong("never an answer", b"", Fault.TIMEOUT, MAYBE, words="no answer in time", then=silence),
    Wrong("never the rest of the headers", b"HTTP/1.1 200 OK\r\n", Fault.TIMEOUT, MAYBE, then=silence),
    Wrong("headers in drops", b"HTTP/1.1 200 OK\r\nX-A: ", Fault.TIMEOUT, MAYBE, then=drip),
]

OK_LINE = b"HTTP/1.1 200 OK\r\n"
NO_HTTP = {
    "SSH": b"SSH-2.0-OpenSSH\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\0\2\2\x28",
    "HTTP/2": b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0d\0\4\0\1\0\0",
    "HTTP/0.9": PNG,
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "an endless status line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "a header of 100,000 bytes": OK_LINE + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    "5,000 headers": OK_LINE + b"A: b\r\n" * 5_000 + b"\r\n",
    "a header with a NUL": OK_LINE + b"A: b\0c\r\n\r\n",
    "a header name with a blank": OK_LINE + b"A B: c\r\n\r\n",
    "a negative length": OK_LINE + b"Content-Length: -4\r\n\r\n" + PNG,
    "a length that is no number": OK_LINE + b"Content-Length: abc\r\n\r\n" + PNG,
    "two lengths": OK_LINE + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n" + PNG,
    "a length and chunks": OK_LINE + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"ZZ\r\n" + PNG,
    "a negative chunk size": CHUNKED + b"-4\r\n" + PNG,
    "a 204 with a body": b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\ngood",
}

BY_STATUS = [
    *(
        Wrong(f"{status} of the API", api_error(status), Fault.OVERLOADED, NO, status, "internal_error: no, ***")
        for status in (500, 502, 503, 504, 529)
    ),
    *(
        Wrong(f"{status} of a gateway", page(status), Fault.OVERLOADED, MAYBE, status, "No, ***")
        for status in (500, 502, 503, 504, 529)
    ),
    *(
        Wrong(f"redirect {status}", reply(status, b"", f"Location: /{KEY}"), Fault.MISDIRECTED, MAYBE, status, "to /**")
        for status in (301, 302, 303, 307, 308)
    ),
    Wrong("404", page(404), Fault.MISDIRECTED, NO, 404, "status 404"),
    Wrong("405", api_error(405), Fault.MISDIRECTED, NO, 405, "status 405"),
    Wrong("400", api_error(400, "bad_request"), Fault.INVALID, NO, 400, "bad_request: no, ***"),
    Wrong("401", api_error(401, "unauthorized"), Fault.UNAUTHORISED, NO, 401, "the key was refused"),
    Wrong("402", api_error(402, "payment_required"), Fault.OUT_OF_CREDIT, NO, 402),
    Wrong("403", api_error(403, "forbidden"), Fault.UNAUTHORISED, NO, 403),
    Wrong("403 by moderation", api_error(403, "content_moderation"), Fault.REFUSED, NO, 403),
    Wrong("408", page(408), Fault.TIMEOUT, NO, 408),
    Wrong("413", page(413), Fault.INVALID, NO, 413),
    Wrong("422", api_error(422, "invalid_language"), Fault.INVALID, NO, 422),
    Wrong("429", page(429), Fault.THROTTLED, NO, 429),
    Wrong("204", b"HTTP/1.1 204 No\r\n\r\n", Fault.NOT_A_PICTURE, MAYBE, 204),
]

# An error's status is its verdict, whatever becomes of its body: a throttled run must slow down, a refused key stop it.
CUT_ERRORS = [
    Wrong("a cut 429", reply(429, b"slow", length=99), Fault.THROTTLED, NO, 429, "slow"),
    Wrong("a cut 401", reply(401, b"no", length=99), Fault.UNAUTHORISED, NO, 401),
    Wrong("a cut 400", reply(400, b"prompt: ", length=99), Fault.INVALID, NO, 400, "prompt:"),
    Wrong("a cut redirect", reply(302, b"go", "Location: /v2", length=9), Fault.MISDIRECTED, MAYBE, 302, "to /v2"),
    Wrong("a cut 500 of the API", api_error(500)[:-2], Fault.OVERLOADED, MAYBE, 500),
    Wrong("a 500 that is reset", reply(500, b"oops", length=99), Fault.OVERLOADED, MAYBE, 500, then=reset_then),
    Wrong("a 429 that never ends", reply(429, b"slow", length=99), Fault.THROTTLED, NO, 429, then=silence),
    # Whether the prompt or the account is refused stood in what is missing: one would end the task, one the run.
    Wrong("a cut 403", reply(403, b'{"id": "1", "na', length=99), Fault.CUT_OFF, NO, 403, "ended before the answer"),
]

NO_PICTURES = [
    Wrong("HTML", page(200), Fault.NOT_A_PICTURE, YES, 200, "No, ***"),
    Wrong("JSON", api_error(200), Fault.NOT_A_PICTURE, YES, 200, "no, ***"),
    Wrong("nothing", ok(b"", "Content-Type: image/png"), Fault.NOT_A_PICTURE, YES, 200, "0 bytes"),
    Wrong("bytes after the end", ok(PNG + b"more"), Fault.NOT_A_PICTURE, YES, 200, "4 bytes after the end of the PNG"),
    Wrong("a flipped bit", ok(PNG.replace(b"IDAT", b"IDBT")), Fault.NOT_A_PICTURE, YES, 200, "wrong CRC"),
    Wrong("cut by its length", ok(PNG[:50], length=len(PNG)), Fault.CUT_OFF, YES, 200, "ended before the answer did"),
    Wrong("cut with no length", OK_LINE + b"\r\n" + PNG[:50], Fault.CUT_OFF, YES, 200, "PNG cut off"),
    Wrong("cut with a right length", ok(PNG[:50]), Fault.CUT_OFF, YES, 200, "PNG cut off"),
    Wrong("cut in a chunk", CHUNKED + b"ff\r\n" + PNG[:50], Fault.CUT_OFF, YES, 200),
    Wrong("cut between chunks", CHUNKED + b"8\r\n" + PNG[:8] + b"\r\n", Fault.CUT_OFF, YES, 200),
    Wrong("reset in the body", ok(PNG[:50], length=len(PNG)), Fault.CUT_OFF, YES, 200, then=reset_then),
    Wrong("never the rest", ok(PNG[:50], length=len(PNG)), Fault.TIMEOUT, YES, 200, "did not end in time", silence),
]


@pytest.mark.parametrize(
    "wrong",
    [
        *NO_ANSWER,
        *(Wrong(name, said, Fault.UNREACHABLE, MAYBE, words="is not HTTP") for name, said in NO_HTTP.items()),
        *BY_STATUS,
        *CUT_ERRORS,
        *NO_PICTURES,
    ],
    ids=lambda wrong: wrong.name,
)
async def test_what_goes_wrong_after_the_request_left(wrong: Wrong) -> None:
    bounds = BRIEF if wrong.then in {silence, drip} else AMPLE
    async with raw_server(wrong.said, wrong.then) as server:
        done = await talk(server.url, bounds)
    failure = done.failure
    assert (failure.fault, failure.billing, failure.status) == (wrong.fault, wrong.billing, wrong.status)
    assert wrong.words in failure.words
    assert done.sent == 1


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    async with raw_server(ok(PNG)) as second:
        async with raw_server(reply(307, b"", f"Location: {second.url}")) as first:
            failure = (await talk(first.url)).failure
        assert (failure.fault, failure.billing) == (Fault.MISDIRECTED, MAYBE)
        assert failure.words == f"status 307 to {second.url}"
    assert (first.connections, second.connections) == (1, 0)


# Being throttled

DATE = "Date: Sun, 22 Nov 2026 02:30:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        (["Retry-After: 7"], 7),
        (["Retry-After: Sun, 22 Nov 2026 02:31:30 GMT", DATE], 90),
        (["Retry-After: 0"], 0),
        (["Retry-After: -1"], None),
        (["Retry-After: abc"], None),
        (["Retry-After: 1000000000"], 3600),
        (["Retry-After: 1e9"], None),
        (["Retry-After: 5", "Retry-After: 30"], 30),
        (["Retry-After: 30", "retry-after: Sun, 22 Nov 2026 02:30:05 GMT", DATE], 30),
        ([], None),
    ],
    ids=str,
)
async def test_each_form_of_retry_after_on_the_wire(headers: list[str], wait_s: float | None) -> None:
    async with raw_server(page(429, *headers)) as server:
        failure = (await talk(server.url)).failure
    assert (failure.fault, failure.billing) == (Fault.THROTTLED, NO)
    assert failure.retry_after_s == wait_s


# Pictures that were paid for and are kept


@pytest.mark.parametrize("said", ["image/png", "image/jpeg", "text/html", "application/json", "nonsense"])
@pytest.mark.parametrize(("body", "kind"), [(PNG, "png"), (JPEG, "jpeg")], ids=["png", "jpeg"])
async def test_a_whole_picture_under_any_type_is_a_success(said: str, body: bytes, kind: str) -> None:
    async with raw_server(ok(body, f"Content-Type: {said}")) as server:
        success = (await talk(server.url)).success
    assert (success.picture.format, success.content_type) == (kind, said)


@pytest.mark.parametrize("headers", [["CONTENT_FILTERED"], ["CONTENT_FILTERED"] * 2, ["SUCCESS", "CONTENT_FILTERED"]])
async def test_a_filtered_picture_is_told_from_others(headers: list[str]) -> None:
    async with raw_server(ok(PNG, *(f"finish-reason: {reason}" for reason in headers))) as server:
        assert (await talk(server.url)).success.filtered


async def test_bytes_behind_a_known_length_are_not_the_picture_s() -> None:
    big = png(7, side=400)
    async with raw_server(OK_LINE + b"Content-Length: %d\r\n\r\n" % len(big) + big) as server:
        assert (await talk(server.url)).success.picture.size_bytes == len(big)
