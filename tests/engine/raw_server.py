"""A server on this machine that answers with whatever bytes a test has for it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Then = Callable[[asyncio.StreamWriter], Awaitable[None]]

Answer = bytes | None
"""What is said before the connection ends; None: it is reset."""


@dataclass(slots=True)
class RawServer:
    """Where it is, and what each request said."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1/images/generations"

    def headers(self, number: int = 0) -> dict[str, str]:
        """The headers of a request, by lower-case name."""
        lines = self.requests[number].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request with its body, by its Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """The headers of a request; its body stays unread."""
    return await reader.readuntil(b"\r\n\r\n")


async def read_any(reader: asyncio.StreamReader) -> bytes:
    """Whatever comes first, HTTP or not."""
    return await reader.read(4096)


async def read_nothing(_reader: asyncio.StreamReader) -> bytes:
    """Nothing, not even a byte."""
    return b""


@asynccontextmanager
async def raw_server(
    answer: Answer = b"",
    then: Then | None = None,
    *,
    reads: Callable[[asyncio.StreamReader], Awaitable[bytes]] = read_request,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawServer]:
    """Reads each request, answers, does what comes `then`, and closes."""
    seen = RawServer(port=0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            seen.requests.append(await reads(reader))
            if answer is None:
                reset(writer)
                return
            writer.write(answer)
            await writer.drain()
            if then is not None:
                await then(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset instead of an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def reset_then(writer: asyncio.StreamWriter) -> None:
    """What was said is on its way; then a reset."""
    reset(writer)


async def silence(writer: asyncio.StreamWriter) -> None:
    """Nothing more comes, for as long as the client stays."""
    await writer.wait_closed()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, without end."""
    while not writer.is_closing():
        writer.write(b"g")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(writer: asyncio.StreamWriter) -> None:
    """As much as the client takes, without end."""
    while not writer.is_closing():
        writer.write(bytes(65_536))
        await writer.drain()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A 200 with this body and its length, or another."""
    return reply(200, body, *headers, length=length)


def reply(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An answer with this body."""
    said = len(body) if length is None else length
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {said}", "Connection: close", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
