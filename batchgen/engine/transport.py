"""The one door to the network: a `Call` goes out, a `Reply` or a `Failure` comes back, and no client exception passes.

aiohttp's client is imported here and nowhere else. Its errors can hold the request's headers, and so the key: none is
stored, logged or quoted whole; a failure's words are made here from its kind.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

import aiofiles
import aiohttp
from aiohttp.http import StreamWriter

from batchgen import __version__
from batchgen.engine.bounds import Bounds, PacedBody, TooSlow
from batchgen.engine.exchange import Exchange
from batchgen.engine.running_time import RunningTime
from batchgen.model import Billing, CutOff, Failure, Fault, Picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp.client_proto import ResponseHandler

    from batchgen.engine.running_time import Deadline
    from batchgen.providers.conversation import Body, Call, Reply

CONNECT_S = 30.0
MOST_TEXT_BYTES = 64 * 1024
READ_BYTES = 256 * 1024
WAITING_BYTES = 64 * 1024
"""Of an answer that comes faster than it is stored: reading pauses at twice that, goes on below it."""
_OF_EACH: Final = {"Accept-Encoding": "identity", "User-Agent": f"batchgen/{__version__}"}
_LEAVING: ContextVar[Exchange] = ContextVar("leaving")
"""What the request that is about to leave belongs to. Tracing would say it too, at a tenth of a request's cost."""


class Sink(Protocol):
    """Where the bytes of a picture go as they come."""

    @property
    def beginning(self) -> bytes:
        """The first bytes that came, to quote when they are no picture."""

    def expect(self, size_bytes: int) -> None:
        """So many bytes are said to come."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; OSError where they can't be stored."""

    async def finish(self) -> Picture | str:
        """All bytes came: the picture that they are, or why they are none."""


class Transport:
    """Sends calls through one pool of connections."""

    def __init__(self, session: aiohttp.ClientSession, bounds: Bounds, running: RunningTime) -> None:
        self._session = session
        self._bounds = bounds
        self._running = running
        self._loop = asyncio.get_running_loop()

    async def exchange(self, call: Call, sink: Sink, on_sent: Callable[[], None]) -> Reply | Failure:
        """Send a call and read its whole answer; `on_sent` is called when the request's headers leave.

        A HeldBack that it raises passes through, and nothing has left.
        The body of a 200 that brings a picture goes to `sink`, whose OSErrors pass through; of any other body the first
        64 KiB are kept. The status of an error is its verdict, however its body ends: it is a Reply all the same.
        """
        so_far, task = Exchange(call.bearer, on_sent), asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("an exchange needs a task of its own")
        deadline = self._running.cancel_after(self._bounds.total_s, task)
        end_s = deadline.at_s
        try:
            return await self._exchange(call, sink, so_far, deadline)
        except asyncio.CancelledError:  # as `asyncio.timeout` does it, at a fifth of a scope's cost
            if not deadline.is_over:
                raise
            task.uncancel()
            return _broken_off(TooSlow() if deadline.at_s < end_s else TimeoutError(), so_far)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # the last: a host that no name can be
            if so_far.unstored:
                raise
            return _broken_off(error, so_far)
        finally:
            self._running.call_off(deadline)

    async def _exchange(self, call: Call, sink: Sink, so_far: Exchange, deadline: Deadline) -> Reply:
        headers = {
            **call.headers,
            **_OF_EACH,
            "Authorization": f"Bearer {call.bearer.reveal()}",
            "Content-Length": str(call.body.size_bytes),
        }
        _LEAVING.set(so_far)
        if call.body.image is None:
            so_far.leaving = _headed(headers, call.body.head)
            response = await self._session.request(call.method, call.url, allow_redirects=False)
        else:
            body = _stream(call.body)
            response = await self._session.request(
                call.method, call.url, headers=headers, data=body, allow_redirects=False
            )
        try:
            if so_far.taken_back:  # this answers something else
                raise aiohttp.ServerDisconnectedError
            so_far.note_answer(response.status, response.headers.items())
            if so_far.packing:
                return so_far.reply(flaw=f"packed with {so_far.packing}, which was not asked for")
            coming = PacedBody(response.content, self._bounds, self._running, deadline)
            if response.status != 200 or not call.brings_picture:
                await _read_text(coming, so_far.text)
                return so_far.reply()
            said_bytes = response.content_length or 0
            sink.expect(said_bytes)
            end = self._too_much(said_bytes) or await self._read_picture(coming, sink, so_far, deadline)
        finally:
            if not response.closed:  # else its connection went back with the last byte
                response.release()
        if isinstance(end, Picture):
            return so_far.reply(end)
        so_far.text += sink.beginning
        return so_far.reply(flaw=end)

    async def _read_picture(self, body: PacedBody, sink: Sink, so_far: Exchange, deadline: Deadline) -> Picture | str:
        """All of a body into the sink: the picture that it is, or why it is none."""
        size_bytes, end = 0, None
        while end is None:
            chunk = await body.read()
            size_bytes += len(chunk)
            if flaw := self._too_much(size_bytes):
                return flaw
            armed_s, deadline.at_s = deadline.at_s, inf  # what is being stored is never interrupted
            try:
                if chunk:
                    await sink.write(chunk)
                if body.has_ended():
                    end = await sink.finish()
            except OSError:  # the disk's: some file systems time out and lose connections too
                so_far.unstored = True
                raise
            finally:
                deadline.at_s = armed_s
        if isinstance(end, Picture) and end.width * end.height > self._bounds.most_pixels:
            return f"{end.width} x {end.height} px are more than {self._bounds.most_pixels} pixels"
        return end

    def _too_much(self, size_bytes: int) -> str:
        return f"more than {self._bounds.most_bytes} bytes" if size_bytes > self._bounds.most_bytes else ""


class _Request(aiohttp.ClientRequest):
    """A request that leaves on a quiet connection only, says when, and leaves in one write.

    Bytes that came after an answer's end, while its connection lay idle, would be taken for the answer to the next
    request, and a picture filed under another task.

    aiohttp sends every body in a task of its own, which is 6% of what a run does. One that is whole already leaves with
    its headers, in the loop's next turn: so all requests of a turn leave together, and wake the server once.
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """See aiohttp, which from here on writes the headers without waiting for anything."""
        protocol = conn.protocol
        if protocol is None or protocol.should_close:
            raise aiohttp.ServerDisconnectedError
        so_far = _LEAVING.get()
        so_far.note_sent()
        if not so_far.leaving:
            return await super().send(conn)
        begin = f"{self.method} {self.url.raw_path_qs} HTTP/1.1\r\nHost: {self.url.host_port_subcomponent}\r\n"
        self.loop.call_soon(_write, protocol, begin.encode() + so_far.leaving, so_far)
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=StreamWriter(protocol, self.loop),
        )


def _headed(headers: Mapping[str, str], body: bytes) -> bytes:
    """All of a request but its first line and its host (RFC 9112, 5); ValueError where a header would begin another."""
    lines = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    if lines.count("\r") + lines.count("\n") != 2 * len(headers) - 2:
        raise ValueError("a header holds the end of a line")
    return f"{lines}\r\n\r\n".encode() + body


def _write(protocol: ResponseHandler, content: bytes, so_far: Exchange) -> None:
    """A request leaves, unless its connection was lost meanwhile or has an answer already: nothing was sent then.

    Where its end still waits for the peer to read, its connection serves no other: the answer may come before that.
    """
    transport = protocol.transport
    if transport is None or transport.is_closing() or protocol.should_close:
        so_far.take_back()
        if transport is not None:
            transport.abort()
        return
    transport.write(content)
    if protocol.writing_paused:
        protocol.force_close()


@asynccontextmanager
async def open_transport(bounds: Bounds) -> AsyncIterator[Transport]:
    """A transport whose calls keep to these bounds."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=None),  # what is sent: RunningTime
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        request_class=_Request,
        read_bufsize=WAITING_BYTES,
    )
    with RunningTime() as running:
        async with session:
            yield Transport(session, bounds, running)


async def _stream(body: Body) -> AsyncIterator[bytes]:
    """A body with a file in it, block by block."""
    yield body.head
    if body.image is not None:
        async with aiofiles.open(body.image.file, "rb") as file:
            while block := await file.read(READ_BYTES):
                yield block
    yield body.tail


async def _read_text(body: PacedBody, kept: bytearray) -> None:
    """The beginning of a body; what is past 64 KiB stays unread and the connection is given up."""
    while len(kept) < MOST_TEXT_BYTES and (chunk := await body.read()):
        kept += chunk[: MOST_TEXT_BYTES - len(kept)]


def _broken_off(error: Exception, so_far: Exchange) -> Reply | Failure:
    failure = read_error(error, sent=so_far.sent, status=so_far.status)
    return failure if so_far.status in {None, 200} else so_far.reply(flaw=CutOff(failure.words))


def read_error(error: Exception, *, sent: bool, status: int | None) -> Failure:
    """What a client exception means: its fault from its kind, its billing from how far the request got."""
    if isinstance(error, TooSlow):
        fault, words = Fault.TIMEOUT, "the answer came too slowly"
    elif isinstance(error, TimeoutError):
        fault, words = Fault.TIMEOUT, "no answer in time" if status is None else "the answer did not end in time"
    elif status is not None:
        fault, words = Fault.CUT_OFF, "the connection ended before the answer did"
    elif isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | UnicodeError):
        fault, words = Fault.MISDIRECTED, "the url can't be called"
    else:
        fault, words = Fault.UNREACHABLE, _unreachable(error)
    return Failure(fault=fault, billing=_billing(sent=sent, status=status), words=words, status=status)


def _billing(*, sent: bool, status: int | None) -> Billing:
    if status is None:
        return Billing.MAYBE if sent else Billing.NO
    if status == 200:
        return Billing.YES
    return Billing.NO if 400 <= status < 500 else Billing.MAYBE


def _unreachable(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            words = f"the server's certificate is not valid for {error.host}"
        case aiohttp.ClientConnectorDNSError():
            words = f"the name {error.host} can't be resolved"
        case aiohttp.ClientSSLError():
            words = f"no TLS connection to {error.host}:{error.port}"
        case aiohttp.ClientConnectorError():
            words = f"no connection to {error.host}:{error.port} ({error.os_error.strerror or 'refused'})"
        case aiohttp.ServerDisconnectedError():
            words = "the server closed the connection without an answer"
        case aiohttp.ClientResponseError():
            words = "the server's answer is not HTTP"
        case aiohttp.ClientOSError() | ConnectionError():
            words = f"the connection was lost ({error.strerror or type(error).__name__})"
        case _:
            words = f"the exchange failed ({type(error).__name__})"
    return words
