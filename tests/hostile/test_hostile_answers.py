"""An answer of any wrong kind ends in a line of words and an exit code: never as a picture, never in a wait."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hostile_runs import job, lines_with, run, served
from page_server import JPEG, png
from processes import assert_whole, pictures, sidecars
from raw_server import (
    drip,
    flood,
    ok,
    read_any,
    read_head,
    read_nothing,
    read_request,
    reply,
    reset_then,
    silence,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from raw_server import Answer, Then

    Reads = Callable[[asyncio.StreamReader], Awaitable[bytes]]

PNG = png(7)
OK_LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(50_000_000))


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that brings no picture, and the line that it ends in."""

    name: str
    said: Answer
    words: str
    code: int = 1
    then: Then | None = None
    reads: Reads = read_request


def _bomb(width: int, height: int) -> bytes:
    """A PNG of 75 bytes that claims this many pixels, its checksums right."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return PNG[:8] + ihdr + PNG[33:]


def _endless_png() -> bytes:
    return PNG[:33] + b"\x7f\xff\xff\xffIDAT"


NO_PICTURES = [
    Wrong("HTML", ok(b"<html><h1>Welcome</h1></html>", "Content-Type: text/html"), "NOT_A_PICTURE: not a picture"),
    Wrong("JSON", ok(b'{"errors": ["no"]}', "Content-Type: application/json"), "NOT_A_PICTURE: not a picture"),
    Wrong("nothing", ok(b"", "Content-Type: image/png"), "NOT_A_PICTURE: 0 bytes"),
    Wrong("nothing with no length", OK_LINE + b"\r\n", "NOT_A_PICTURE: 0 bytes"),
    Wrong("204", b"HTTP/1.1 204 No Content\r\n\r\n", "NOT_A_PICTURE: status 204 brings no picture"),
    Wrong("206", reply(206, PNG), "NOT_A_PICTURE: status 206 brings no picture"),
    Wrong("cut by its length", ok(PNG[:50], length=len(PNG)), "CUT_OFF: the connection ended before the answer did"),
    Wrong("cut with no length", OK_LINE + b"\r\n" + PNG[:50], "CUT_OFF: PNG cut off"),
    Wrong("cut in a chunk", CHUNKED + b"ff\r\n" + PNG[:50], "CUT_OFF: the connection ended before the answer did"),
    Wrong("bytes after the end", ok(PNG + b"more"), "NOT_A_PICTURE: 4 bytes after the end of the PNG"),
    Wrong("a flipped bit", ok(PNG.replace(b"IDAT", b"IDBT")), "NOT_A_PICTURE: "),
    Wrong("gzip bomb", ok(BOMB, "Content-Encoding: gzip"), "NOT_A_PICTURE: packed with gzip, which was not asked for"),
    Wrong("gzip bomb, unsaid", ok(BOMB), "NOT_A_PICTURE: not a picture (begins with "),
    Wrong("gzip picture", ok(gzip.compress(PNG), "Content-Encoding: gzip"), "NOT_A_PICTURE: packed with gzip"),
    Wrong("pixel bomb", ok(_bomb(60_000, 60_000)), "NOT_A_PICTURE: 60000 x 60000 px are more than"),
    Wrong("endless", OK_LINE + b"\r\n" + _endless_png(), "NOT_A_PICTURE: more than 67108864 bytes", then=flood),
    Wrong("endless, told", ok(PNG, length=10**15), "NOT_A_PICTURE: more than 67108864 bytes", then=flood),
    Wrong("endless nothing", OK_LINE + b"\r\n", "NOT_A_PICTURE: more than 67108864 bytes", then=flood),
    Wrong("controls", ok(b"\x1b[2J\x1b]0;x\x07\r\n\xe2\x80\xae\xc2\x9b\x00"), "NOT_A_PICTURE: not a picture"),
]

NO_ANSWERS = [
    Wrong("reset at once", None, "UNREACHABLE: ", reads=read_nothing),
    Wrong("reset after a byte", None, "UNREACHABLE: ", reads=read_any),
    Wrong("reset after the headers", None, "UNREACHABLE: ", reads=read_head),
    Wrong("reset before the answer", None, "UNREACHABLE: "),
    Wrong("closed at once", b"", "UNREACHABLE: ", reads=read_nothing),
    Wrong("closed without an answer", b"", "UNREACHABLE: the server closed the connection without an answer"),
    Wrong("reset in the status", b"HTTP/1.1 2", "UNREACHABLE: ", then=reset_then),
    Wrong("reset in the headers", OK_LINE + b"Content-Le", "UNREACHABLE: ", then=reset_then),
    Wrong("reset in the body", ok(PNG[:50], length=len(PNG)), "CUT_OFF: ", then=reset_then),
    Wrong("no HTTP", b"\x1b[2JSSH-2.0-\xe2\x80\xae\r\n\r\n", "UNREACHABLE: the server's answer is not HTTP"),
]

WAITS = [
    Wrong("never an answer", b"", "TIMEOUT: no answer in time", then=silence),
    Wrong("never read", b"", "TIMEOUT: no answer in time", then=silence, reads=read_nothing),
    Wrong("never the rest of the headers", OK_LINE, "TIMEOUT: no answer in time", then=silence),
    Wrong("headers in drops", OK_LINE + b"X-A: ", "TIMEOUT: no answer in time", then=drip),
    Wrong("never a body", OK_LINE + b"\r\n", "TIMEOUT: the answer did not end in time", then=silence),
    Wrong("never the rest", ok(PNG[:50], length=len(PNG)), "TIMEOUT: the answer did not end in time", then=silence),
    Wrong("a body in drops", OK_LINE + b"\r\n" + _endless_png(), "TIMEOUT: the answer did not end in time", then=drip),
    Wrong("a 500 that never ends", reply(500, b"oops", length=99), "OVERLOADED: ", then=silence),
]

WORDS_OF_OTHERS = [
    Wrong("400", reply(400, b'{"id": "1", "name": "bad", "errors": ["\\u001b[2J\\u202eno"]}'), "INVALID: bad: "),
    Wrong("403 by moderation", reply(403, b'{"id": "1", "name": "content_moderation"}'), "REFUSED: "),
    Wrong("500", reply(500, b"<html>\x1b]0;x\x07</html>"), "OVERLOADED: "),
]


@pytest.mark.parametrize(
    "wrong", [*NO_PICTURES, *NO_ANSWERS, *WAITS, *WORDS_OF_OTHERS], ids=lambda wrong: wrong.name.replace(" ", "-")
)
def test_an_answer_that_brings_no_picture_is_one_line_and_leaves_nothing(tmp_path: Path, wrong: Wrong) -> None:
    timeout = "1500ms" if wrong in WAITS else "60s"
    with served(wrong.said, wrong.then, reads=wrong.reads) as server:
        ended = run(job(server.url, timeout=timeout), cwd=tmp_path)
    assert ended.code == wrong.code, ended.err
    [line] = lines_with(ended, "failed: ")
    assert wrong.words in line
    assert "1 failed" in ended.err
    assert server.connections == 1
    folder = tmp_path / "output/otters"
    assert pictures(folder) == {}
    assert_whole(folder)


STOPS = [
    Wrong("404", reply(404, b"<html>\x1b[2J</html>"), "stopped: status 404 (MISDIRECTED); check provider.url"),
    Wrong("405", reply(405, b""), "stopped: status 405 (MISDIRECTED); check provider.url"),
    Wrong("401", reply(401, b""), "stopped: the key was refused (UNAUTHORISED); check the key, in the variable"),
    Wrong("402", reply(402, b""), "stopped: status 402 with no words (OUT_OF_CREDIT); add credit"),
    Wrong("403", reply(403, b"\x1b[2Jnot you"), "stopped: [2Jnot you (UNAUTHORISED); check the key"),
]


@pytest.mark.parametrize("wrong", STOPS, ids=lambda wrong: wrong.name)
def test_an_answer_that_every_task_would_get_stops_the_run_with_its_remedy(tmp_path: Path, wrong: Wrong) -> None:
    with served(wrong.said) as server:
        ended = run(job(server.url, seeds="1..9"), "--concurrency", "1", cwd=tmp_path)
    assert ended.code == 3, ended.err
    assert len(lines_with(ended, wrong.words)) == 1, ended.err
    assert "9 pictures left to make: mend that, then run the same command again" in ended.err
    assert server.connections == 1
    assert pictures(tmp_path / "output/otters") == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", ["another host", "this host", "another scheme", "controls", "nowhere"])
def test_a_redirect_is_not_followed_and_whoever_it_names_sees_nothing(
    tmp_path: Path, status: int, elsewhere: str
) -> None:
    with served(ok(PNG)) as second:
        place = {
            "another host": second.url,
            "this host": "/v2?a=b",
            "another scheme": "file:///etc/passwd",
            "controls": f"{second.url}#\x1b[2J\xe2\x80\xae",
        }.get(elsewhere)
        location = [] if place is None else [f"Location: {place}"]
        with served(reply(status, b"", *location)) as first:
            ended = run(job(first.url), cwd=tmp_path)
        assert (first.connections, second.connections) == (1, 0)
    assert ended.code == 3, ended.err
    [line] = lines_with(ended, "stopped: ")
    assert f"status {status}" in line
    assert line.endswith("(MISDIRECTED); check provider.url")
    assert pictures(tmp_path / "output/otters") == {}


KEPT = [
    ("a wrong type", ok(PNG, "Content-Type: text/html"), "text/html", "png"),
    ("no type", ok(PNG), "", "png"),
    ("controls for a type", ok(PNG, "Content-Type: \x1b[2J/x"), "\x1b[2J/x", "png"),
    ("another format", ok(JPEG, "Content-Type: image/png"), "image/png", "jpg"),
    ("no length", OK_LINE + b"\r\n" + PNG, "", "png"),
    ("chunks", CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG), "", "png"),
]


@pytest.mark.parametrize(("said", "kind", "extension"), [each[1:] for each in KEPT], ids=[each[0] for each in KEPT])
def test_a_whole_picture_under_odd_headers_is_kept_and_named_by_its_bytes(
    tmp_path: Path, said: bytes, kind: str, extension: str
) -> None:
    with served(said) as server:
        ended = run(job(server.url), cwd=tmp_path)
    folder = tmp_path / "output/otters"
    assert ended.code == 0, ended.err
    assert [place.rpartition(".")[2] for place in pictures(folder)] == [extension]
    assert_whole(folder)
    [sidecar] = sidecars(folder).values()
    assert sidecar["response"]["content_type"] == kind
    assert sidecar["picture"]["format"] == {"png": "png", "jpg": "jpeg"}[extension]
