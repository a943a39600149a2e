"""The one door to the network: a `Call` goes out, a `Reply` or a `Failure` comes back, and no client exception passes.

aiohttp's client is imported here and nowhere else. Its errors can hold the request's headers, and so the key: none is
stored, logged or quoted whole; a failure's words are made here from its kind. A key that a server echoes stops here.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import aiofiles
import aiohttp
import anyio

from batchgen import __version__
from batchgen.model import Billing, Failure, Fault, Picture
from batchgen.providers.conversation import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from batchgen.model import Secret
    from batchgen.providers.conversation import Body, Call

CONNECT_S = 30.0
MOST_TEXT_BYTES = 64 * 1024
READ_BYTES = 256 * 1024


class Sink(Protocol):
    """Where the bytes of a picture go as they come."""

    @property
    def beginning(self) -> bytes:
        """The first bytes that came, to quote when they are no picture."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; OSError where they can't be stored."""

    async def finish(self) -> Picture | str:
        """All bytes came: the picture that they are, or why they are none."""


@dataclass(slots=True)
class _Progress:
    """How far a call got; what an error means depends on it."""

    on_sent: Callable[[], None]
    sent: bool = False
    status: int | None = None


class Transport:
    """Sends calls through one pool of connections."""

    def __init__(self, session: aiohttp.ClientSession, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    async def exchange(self, call: Call, sink: Sink, on_sent: Callable[[], None]) -> Reply | Failure:
        """Send a call and read its whole answer; `on_sent` is called when the request's headers have left.

        The body of a 200 that brings a picture goes to `sink`, whose OSErrors pass through; of any other body the first
        64 KiB are kept.
        """
        progress = _Progress(on_sent)
        try:
            with anyio.fail_after(self._timeout_s):
                return await self._exchange(call, sink, progress)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, ConnectionError) as error:
            return read_error(error, sent=progress.sent, status=progress.status)

    async def _exchange(self, call: Call, sink: Sink, progress: _Progress) -> Reply:
        headers = {
            **call.headers,
            "Authorization": f"Bearer {call.bearer.reveal()}",
            "Content-Length": str(call.body.size_bytes),
        }
        data = call.body.head if call.body.image is None else _stream(call.body)
        request = self._session.request(
            call.method, call.url, headers=headers, data=data, allow_redirects=False, trace_request_ctx=progress
        )
        async with request as response:
            progress.status = response.status
            found = {name.lower(): _without(call.bearer, value) for name, value in response.headers.items()}
            if response.status != 200 or not call.brings_picture:
                text = _without(call.bearer, await _read_text(response.content))
                return Reply(status=response.status, headers=found, text=text)
            async for chunk in response.content.iter_any():
                await sink.write(chunk)
            end = await sink.finish()
        if isinstance(end, Picture):
            return Reply(status=200, headers=found, picture=end)
        return _no_picture(found, end, sink.beginning.decode(errors="replace"), call.bearer)


@asynccontextmanager
async def open_transport(timeout_s: float) -> AsyncIterator[Transport]:
    """A transport whose calls take at most `timeout_s` each, from the connection to the last byte."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_note_sent)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=timeout_s),
        headers={"Accept-Encoding": "identity", "User-Agent": f"batchgen/{__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[tracing],
    ) as session:
        yield Transport(session, timeout_s)


async def _note_sent(_session: object, context: object, _params: object) -> None:
    progress = getattr(context, "trace_request_ctx", None)
    if isinstance(progress, _Progress) and not progress.sent:
        progress.sent = True
        progress.on_sent()


async def _stream(body: Body) -> AsyncIterator[bytes]:
    """A body with a file in it, block by block."""
    yield body.head
    if body.image is not None:
        async with aiofiles.open(body.image.file, "rb") as file:
            while block := await file.read(READ_BYTES):
                yield block
    yield body.tail


async def _read_text(content: aiohttp.StreamReader) -> str:
    """The beginning of a body as text; what is past 64 KiB stays unread and the connection is given up."""
    kept = bytearray()
    async for chunk in content.iter_any():
        kept += chunk
        if len(kept) >= MOST_TEXT_BYTES:
            break
    return bytes(kept[:MOST_TEXT_BYTES]).decode(errors="replace")


def _no_picture(headers: Mapping[str, str], flaw: str, beginning: str, key: Secret) -> Reply:
    """A 200 that brought none; where the server echoed the key, a flaw that quotes the bytes may hold a part of it."""
    text = _without(key, beginning)
    return Reply(status=200, headers=headers, flaw=flaw if text == beginning else "not a picture", text=text)


def _without(key: Secret, text: str) -> str:
    """What a server said, should it echo the key: hidden before anything is cut short, so that no part is left."""
    return text.replace(key.reveal(), "***")


def read_error(error: Exception, *, sent: bool, status: int | None) -> Failure:
    """What a client exception means: its fault from its kind, its billing from how far the request got."""
    if isinstance(error, TimeoutError):
        fault, words = Fault.TIMEOUT, "no answer in time" if status is None else "the answer stopped coming"
    elif status is not None:
        fault, words = Fault.CUT_OFF, "the connection ended before the answer did"
    elif isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        fault, words = Fault.MISDIRECTED, "the url can't be called"
    else:
        fault, words = Fault.UNREACHABLE, _unreachable(error)
    if status is None:
        billing = Billing.MAYBE if sent else Billing.NO
    else:
        billing = {2: Billing.YES, 4: Billing.NO}.get(status // 100, Billing.MAYBE)
    return Failure(fault=fault, billing=billing, words=words, status=status)


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
        case aiohttp.ClientOSError() | ConnectionError():
            words = f"the connection was lost ({error.strerror or type(error).__name__})"
        case _:
            words = f"the exchange failed ({type(error).__name__})"
    return words
