"""The one door to the network: what goes out, and what comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from engine_samples import KEY, SUCCESS, ListSink, call
from raw_server import ok, raw_server, read_head, reply, silence
from wire_shim import mocked_wire
from wire_talk import AMPLE, BRIEF, exchange

from batchgen import __version__
from batchgen.engine import transport as transport_module
from batchgen.engine.transport import MOST_TEXT_BYTES, open_transport
from batchgen.model import Billing, Failure, Fault, InputImage, Secret
from batchgen.providers.conversation import Body, Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp.client_proto import ResponseHandler
    from raw_server import Then

URL = "http://127.0.0.1:9/v1"


# Over a mocked wire


async def test_a_picture_goes_to_the_sink() -> None:
    body = b"good" + bytes(300_000)
    with mocked_wire() as wire:
        wire.post(URL, body=body, headers={"Content-Type": "image/png", "X-Request-Id": "7"})
        done = await exchange(call(URL))
    assert (done.reply.status, done.reply.picture, done.reply.text) == (200, SUCCESS.picture, "")
    assert done.reply.headers == {"content-type": "image/png", "x-request-id": "7"}
    assert done.sink.got == body


async def test_what_is_no_picture_is_quoted() -> None:
    with mocked_wire() as wire:
        wire.post(URL, body="<html>Willkommen, schön</html>".encode())
        done = await exchange(call(URL))
    assert (done.reply.picture, done.reply.flaw) == (None, "not a picture")
    assert done.reply.text == "<html>Willkommen, schön</html>"


async def test_the_beginning_of_an_error_is_kept_and_no_more() -> None:
    with mocked_wire() as wire:
        wire.post(URL, status=500, body=b"e" * 1_000_000)
        done = await exchange(call(URL))
    assert (done.reply.status, len(done.reply.text), done.sink.got) == (500, MOST_TEXT_BYTES, b"")


async def test_an_answer_to_a_call_that_brings_no_picture_is_text() -> None:
    with mocked_wire() as wire:
        wire.post(URL, body=b'{"id": 1}')
        done = await exchange(call(URL, brings_picture=False))
    assert (done.reply.text, done.sink.got) == ('{"id": 1}', b"")


async def test_a_key_that_the_server_echoes_is_hidden() -> None:
    with mocked_wire() as wire:
        wire.post(URL, status=401, body=f"key {KEY} is wrong", headers={"X-Key": KEY})
        wire.post(URL, status=200, body=f"key {KEY} is wrong")
        for status in (401, 200):
            found = (await exchange(call(URL))).reply
            assert (found.status, found.text) == (status, "key *** is wrong")
            assert KEY not in str(found)


DISK_ERRORS = [
    OSError(28, "no room"),
    TimeoutError(110, "no room: the file system timed out"),
    ConnectionResetError(104, "no room: the file system is gone"),
]


@pytest.mark.parametrize("error", DISK_ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", ["write", "finish"])
async def test_what_the_disk_says_is_no_fault_of_the_wire(
    moment: str, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_args: object) -> None:
        raise error

    monkeypatch.setattr(ListSink, moment, refuse)
    with mocked_wire() as wire:
        wire.post(URL, body=b"good")
        async with open_transport(AMPLE) as transport:
            with pytest.raises(OSError, match="no room"):
                await transport.exchange(call(URL), ListSink(), lambda: None)


# Over real sockets: what goes out


async def test_the_request_as_it_leaves() -> None:
    async with raw_server(ok(b"good")) as server:
        done = await exchange(call(server.url, body=b"--x\r\n\xf0\x9f\xa6\x8a\r\n--x--\r\n"))
    assert (done.reply.picture, done.sent) == (SUCCESS.picture, 1)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/images/generations HTTP/1.1\r\n")
    assert body == b"--x\r\n\xf0\x9f\xa6\x8a\r\n--x--\r\n"
    assert server.headers() == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "image/*",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "content-length": str(len(body)),
        "content-type": "multipart/form-data; boundary=x",
        "user-agent": f"batchgen/{__version__}",
    }


async def test_a_header_that_would_begin_another_never_leaves() -> None:
    async with raw_server(ok(b"good")) as server, open_transport(AMPLE) as transport:
        asked = call(server.url)._replace(headers={"Accept": "image/*\r\nX-Other: 1"})
        with pytest.raises(ValueError, match="the end of a line"):
            await transport.exchange(asked, ListSink(), lambda: pytest.fail("it left"))
        assert not b"".join(server.requests)


def _lose(protocol: ResponseHandler) -> None:
    assert protocol.transport is not None
    protocol.transport.abort()


def _answer(protocol: ResponseHandler) -> None:
    protocol.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale")


@pytest.mark.parametrize("meanwhile", [_lose, _answer])
async def test_a_connection_that_is_lost_or_answers_before_the_request_is_written_sends_nothing(
    meanwhile: Callable[[ResponseHandler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(protocol: ResponseHandler, *rest: Any) -> None:
        meanwhile(protocol)
        really_write(protocol, *rest)

    really_write = transport_module._write
    monkeypatch.setattr(transport_module, "_write", write)
    async with raw_server(ok(b"good")) as server:
        done = await exchange(call(server.url))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 1)
    assert not b"".join(server.requests)


async def test_a_connection_whose_request_was_answered_before_all_of_it_left_serves_no_other() -> None:
    early = b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\n{}"
    async with raw_server(early, silence, reads=read_head) as server, open_transport(BRIEF) as transport:
        for _ in range(2):
            found = await transport.exchange(call(server.url, body=bytes(16_000_000)), ListSink(), lambda: None)
            assert isinstance(found, Reply), found
            assert found.status == 413
    assert server.connections == 2


async def test_a_file_stands_in_the_body_as_it_is(tmp_path: Path) -> None:
    content, file = bytes(range(256)) * 4000, tmp_path / "input.png"
    await anyio.Path(file).write_bytes(content)
    image = InputImage(
        path="input.png", file=str(file), sha256="", size_bytes=len(content), modified_ns=0, media_type="image/png"
    )
    async with raw_server(ok(b"good")) as server:
        asked = Call(
            method="POST",
            url=server.url,
            headers={},
            body=Body(head=b"before", image=image, tail=b"after"),
            bearer=Secret(KEY),
        )
        done = await exchange(asked)
    assert isinstance(done.found, Reply)
    assert server.requests[0].partition(b"\r\n\r\n")[2] == b"before" + content + b"after"
    assert "transfer-encoding" not in server.headers()


async def test_cookies_are_not_kept() -> None:
    async with (
        raw_server(ok(b"good", "Set-Cookie: a=b; Path=/")) as server,
        open_transport(AMPLE) as transport,
    ):
        for _ in range(2):
            assert isinstance(await transport.exchange(call(server.url), ListSink(), lambda: None), Reply)
    assert len(server.requests) == 2
    assert "cookie" not in server.headers(1)


async def test_proxies_and_netrc_of_the_environment_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await anyio.Path(tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with raw_server(ok(b"good")) as server, raw_server(ok(b"good")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        done = await exchange(call(server.url))
    assert done.reply.status == 200
    assert (server.connections, proxy.connections) == (1, 0)
    assert server.headers()["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_the_second_host_sees_nothing(status: int) -> None:
    async with raw_server(ok(b"good")) as second:
        async with raw_server(reply(status, b"", f"Location: {second.url}")) as first:
            done = await exchange(call(first.url))
        assert (done.reply.status, done.reply.headers["location"]) == (status, second.url)
    assert (first.connections, second.connections) == (1, 0)


async def test_a_header_that_comes_twice_is_one_list() -> None:
    async with raw_server(ok(b"good", "X-A: 1", "x-a: 2", "X-B: 3")) as server:
        headers = (await exchange(call(server.url))).reply.headers
    assert (headers["x-a"], headers["x-b"]) == ("1, 2", "3")


async def test_an_answer_that_nobody_asked_for_is_nobody_s_picture() -> None:
    """It came while its connection lay idle: the next request would have taken it for its own."""
    forged = anyio.Event()

    async def forge(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await writer.drain()
        forged.set()
        await writer.wait_closed()

    said = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
    first, second = ListSink(), ListSink()
    async with raw_server(said, _when_idle(forge)) as server, open_transport(AMPLE) as transport:
        assert isinstance(await transport.exchange(call(server.url), first, lambda: None), Reply)
        await forged.wait()
        await anyio.sleep(0.1)  # what was written is read
        found, asked = await transport.exchange(call(server.url), second, lambda: None), len(server.requests)
        third = await transport.exchange(call(server.url), ListSink(), lambda: None)
    assert isinstance(found, Failure)
    assert (found.fault, found.billing, second.got, asked) == (Fault.UNREACHABLE, Billing.NO, b"", 1)
    assert isinstance(third, Reply)
    assert third.picture == SUCCESS.picture


def _when_idle(then: Then) -> Then:
    async def later(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)  # until then the first answer has been read
        await then(writer)

    return later
