"""The one door to the network: what goes out, what comes back, and what each way of going wrong is called."""

from __future__ import annotations

import asyncio
import gzip
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from engine_samples import KEY, SUCCESS, ListSink, call
from raw_server import RawServer, free_port, ok, raw_server, reply
from wire_shim import mocked_wire

from batchgen import __version__
from batchgen.engine.transport import MOST_TEXT_BYTES, open_transport
from batchgen.model import Billing, Failure, Fault, InputImage, Secret
from batchgen.providers.conversation import Body, Call, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

URL = "http://127.0.0.1:9/v1"


@dataclass(slots=True)
class Exchange:
    """What came of one call."""

    found: Reply | Failure
    sink: ListSink
    sent: int
    """How often the transport said that the headers had left."""

    @property
    def reply(self) -> Reply:
        """The answer."""
        assert isinstance(self.found, Reply), self.found
        return self.found

    @property
    def failure(self) -> Failure:
        """The failure, its words without the key."""
        assert isinstance(self.found, Failure), self.found
        assert KEY not in self.found.words
        return self.found


async def exchange(asked: Call, *, timeout_s: float = 20.0) -> Exchange:
    sink, sent = ListSink(), 0

    def on_sent() -> None:
        nonlocal sent
        sent += 1

    async with open_transport(timeout_s) as transport:
        found = await transport.exchange(asked, sink, on_sent)
    return Exchange(found, sink, sent)


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


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (aiohttp.ServerDisconnectedError(), Fault.UNREACHABLE),
        (aiohttp.ClientPayloadError("cut"), Fault.UNREACHABLE),
        (TimeoutError(), Fault.TIMEOUT),
        (ConnectionResetError(104, "reset"), Fault.UNREACHABLE),
        (aiohttp.InvalidURL("http://"), Fault.MISDIRECTED),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_no_exception_of_the_client_passes(error: Exception, fault: Fault) -> None:
    with mocked_wire() as wire:
        wire.post(URL, exception=error)
        done = await exchange(call(URL))
    assert (done.failure.fault, done.failure.billing) == (fault, Billing.NO)


async def test_a_full_disk_is_no_fault_of_the_wire() -> None:
    class Full(ListSink):
        """A sink without room."""

        async def write(self, chunk: bytes) -> None:
            """See Sink."""
            raise OSError(28, f"no room for {len(chunk)} bytes")

    with mocked_wire() as wire:
        wire.post(URL, body=b"good")
        async with open_transport(20) as transport:
            with pytest.raises(OSError, match="no room"):
                await transport.exchange(call(URL), Full(), lambda: None)


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
    async with raw_server(ok(b"good", "Set-Cookie: a=b; Path=/")) as server, open_transport(20) as transport:
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


async def test_nothing_is_unpacked() -> None:
    packed = gzip.compress(b"good")
    async with raw_server(ok(packed, "Content-Encoding: gzip")) as server:
        done = await exchange(call(server.url))
    assert done.sink.got == packed


# Over real sockets: what goes wrong


async def test_nobody_listens() -> None:
    port = free_port()
    done = await exchange(call(f"http://127.0.0.1:{port}/"))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert f"127.0.0.1:{port}" in done.failure.words


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    done = await exchange(call("https://images.example/v1"))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert done.failure.words == "the name images.example can't be resolved"


async def test_a_server_that_speaks_no_tls() -> None:
    async with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", reads=False) as server:
        done = await exchange(call(server.url.replace("http:", "https:")))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert "no TLS connection" in done.failure.words
    assert not any(KEY.encode() in request for request in server.requests)


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/x", "nonsense"])
async def test_an_address_that_is_none(url: str) -> None:
    done = await exchange(call(url))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.MISDIRECTED, Billing.NO, 0)


async def _never(writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


async def _drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"g")
        await writer.drain()
        await asyncio.sleep(0.02)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One way of going wrong after the request was read, and what it is called."""

    name: str
    said: bytes | None
    fault: Fault
    billing: Billing
    status: int | None = None
    then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


WRONG = [
    Wrong("reset before the answer", None, Fault.UNREACHABLE, Billing.MAYBE),
    Wrong("closed without an answer", b"", Fault.UNREACHABLE, Billing.MAYBE),
    Wrong("half a status line", b"HTTP/1.1 2", Fault.UNREACHABLE, Billing.MAYBE),
    Wrong("half the headers", b"HTTP/1.1 200 OK\r\nContent-Le", Fault.UNREACHABLE, Billing.MAYBE),
    Wrong("no HTTP", b"SSH-2.0-OpenSSH\r\n\r\n", Fault.UNREACHABLE, Billing.MAYBE),
    Wrong("never an answer", b"", Fault.TIMEOUT, Billing.MAYBE, then=_never),
    Wrong("never the rest", ok(b"good", length=99), Fault.TIMEOUT, Billing.YES, 200, then=_never),
    Wrong("a drip", CHUNKED + b"ffffff\r\n", Fault.TIMEOUT, Billing.YES, 200, then=_drip),
    Wrong("cut by its length", ok(b"good", length=99), Fault.CUT_OFF, Billing.YES, 200),
    Wrong("cut in a chunk", CHUNKED + b"9\r\ngood", Fault.CUT_OFF, Billing.YES, 200),
    Wrong("cut between chunks", CHUNKED + b"4\r\ngood\r\n", Fault.CUT_OFF, Billing.YES, 200),
    Wrong("a cut error", reply(500, b"oops", length=99), Fault.CUT_OFF, Billing.MAYBE, 500),
    Wrong("a cut refusal", reply(400, b"oops", length=99), Fault.CUT_OFF, Billing.NO, 400),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
async def test_what_goes_wrong_after_the_request_left(wrong: Wrong) -> None:
    timeout_s = 0.5 if wrong.fault is Fault.TIMEOUT else 20.0
    async with raw_server(wrong.said, wrong.then) as server:
        done = await exchange(call(server.url), timeout_s=timeout_s)
    assert done.failure.fault is wrong.fault
    assert (done.failure.billing, done.failure.status, done.sent) == (wrong.billing, wrong.status, 1)


async def test_a_body_without_any_length_ends_with_its_connection() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\ngoo") as server:
        done = await exchange(call(server.url))
    assert (done.reply.flaw, done.sink.got) == ("not a picture", b"goo")


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>"])
async def test_a_200_that_brings_no_picture(body: bytes) -> None:
    async with raw_server(ok(body, "Content-Type: text/html")) as server:
        done = await exchange(call(server.url))
    assert (done.reply.status, done.reply.picture, done.reply.text) == (200, None, body.decode())


async def test_a_server_that_never_accepts_costs_no_more_than_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # the queue of those who wait to be accepted is full now
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        done = await exchange(call(RawServer(port).url), timeout_s=0.5)
        for each in waiting:
            each.close()
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.TIMEOUT, Billing.NO, 0)
