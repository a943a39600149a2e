"""What goes wrong before a request leaves is surely unbilled; the moment its headers leave is the boundary."""

from __future__ import annotations

import asyncio
import socket
import ssl

import anyio
import pytest
import trustme
from engine_samples import KEY, ListSink
from raw_server import RawServer, free_port, ok, raw_server, read_any, read_head, read_nothing, reply
from wire_talk import BRIEF, talk

from batchgen.engine.attempt import attempt
from batchgen.engine.exchange import HeldBack
from batchgen.engine.transport import open_transport
from batchgen.model import Billing, Fault, Request, Secret
from batchgen.providers.gateway import converse


async def test_nobody_listens() -> None:
    port = free_port()
    done = await talk(f"http://127.0.0.1:{port}/")
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert f"no connection to 127.0.0.1:{port}" in done.failure.words


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    done = await talk("https://images.example/v1")
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert done.failure.words == "the name images.example can't be resolved"


async def test_what_is_held_back_once_its_connection_is_there_never_leaves() -> None:
    def hold() -> None:
        raise HeldBack

    async with raw_server(ok(b""), reads=read_any) as server, open_transport(BRIEF) as transport:
        conversation = converse(Request(fields=(("prompt", "a fox"),)), server.url, Secret(KEY))
        with pytest.raises(HeldBack):
            await attempt(conversation, transport, ListSink(), hold)
        await anyio.sleep(0.05)
        assert server.connections == 1
        assert not b"".join(server.requests)


async def test_a_server_that_speaks_no_tls() -> None:
    async with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", reads=read_any) as server:
        done = await talk(server.url.replace("http:", "https:"))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert "no TLS connection" in done.failure.words
    assert not any(KEY.encode() in request for request in server.requests)


@pytest.fixture
def unvouched() -> ssl.SSLContext:
    """A certificate for this address by an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_certificate_that_nobody_vouches_for(unvouched: ssl.SSLContext) -> None:
    async with raw_server(ok(b""), tls=unvouched) as server:
        done = await talk(server.url.replace("http:", "https:"))
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.NO, 0)
    assert done.failure.words == "the server's certificate is not valid for 127.0.0.1"
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    ["http://", "ftp://127.0.0.1/x", "nonsense", "http://127.0.0.1:99999/", "http://a..b/", f"http://{'a' * 64}/"],
)
async def test_an_address_that_is_none(url: str) -> None:
    done = await talk(url)
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.MISDIRECTED, Billing.NO, 0)
    assert done.failure.words == "the url can't be called"


async def test_a_server_that_never_accepts_costs_no_more_than_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # the queue of those who wait to be accepted is full now
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        done = await talk(RawServer(port).url, BRIEF)
        for each in waiting:
            each.close()
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.TIMEOUT, Billing.NO, 0)


# At the boundary


async def test_a_reset_right_after_accepting_is_unbilled_only_if_nothing_left() -> None:
    async with raw_server(None, reads=read_nothing) as server:
        done = await talk(server.url)
    assert (done.failure.fault, done.failure.status) == (Fault.UNREACHABLE, None)
    assert done.failure.billing is (Billing.MAYBE if done.sent else Billing.NO)


async def test_a_reset_once_the_headers_came_may_be_billed() -> None:
    async with raw_server(None, reads=read_head) as server:
        done = await talk(server.url)
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNREACHABLE, Billing.MAYBE, 1)


async def test_an_answer_before_the_request_was_read_is_the_answer() -> None:
    async def linger(_writer: asyncio.StreamWriter) -> None:
        await anyio.sleep(0.05)

    async with raw_server(reply(401, b"{}"), linger, reads=read_head) as server:
        done = await talk(server.url)
    assert (done.failure.fault, done.failure.billing, done.sent) == (Fault.UNAUTHORISED, Billing.NO, 1)
