"""How an answer travels, or fails to."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from batchgen.sandbox.answers import body_of
from batchgen.sandbox.faults import Fault
from batchgen.sandbox.faults.bodies import GIB

_Way = Callable[[web.Request, web.Response], Awaitable[web.StreamResponse | None]]

_LOOK_S = 0.1
_TRICKLE_BYTES, _TRICKLE_S = 1, 0.4
_SLOW_BYTES, _SLOW_S = 64, 0.25
_FILLER = bytes(64 * 1024)
# Closing a socket that does not linger resets the connection instead of ending it.
_NO_LINGER = struct.pack("ii", 1, 0)


async def deliver(request: web.Request, response: web.Response, fault: Fault | None) -> web.StreamResponse:
    """Send the answer as the fault has it; without one, whole. Ends when it is sent, or its client is gone.

    What comes back is for aiohttp, which sends it unless it was sent or the connection is closed.
    """
    try:
        return await _WAYS.get(fault, _send_whole)(request, response) or response
    except ConnectionError:
        _close(request)
        return response


async def _send_whole(request: web.Request, response: web.Response) -> None:
    await response.prepare(request)
    await response.write_eof()


async def _say_nothing(request: web.Request, _response: web.Response) -> None:
    _close(request)


async def _reset(request: web.Request, _response: web.Response) -> None:
    _break(request)


async def _hang(request: web.Request, _response: web.Response) -> None:
    await _wait_until_gone(request)


async def _send_half(request: web.Request, response: web.Response) -> None:
    """Promise the whole body by Content-Length, send its first half, close."""
    await _begin_with_half(request, response)
    _close(request)


async def _send_half_and_reset(request: web.Request, response: web.Response) -> None:
    await _begin_with_half(request, response)
    while request.transport is not None and request.transport.get_write_buffer_size():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)  # what is not yet with the system would be lost by the reset
    _break(request)


async def _send_half_and_stall(request: web.Request, response: web.Response) -> None:
    await _begin_with_half(request, response)
    await _wait_until_gone(request)


async def _send_half_in_chunks(request: web.Request, response: web.Response) -> None:
    stream = await _begin(request, response, None)
    body = body_of(response)
    await stream.write(body[: len(body) // 2])
    _close(request)


async def _send_half_and_end(request: web.Request, response: web.Response) -> None:
    """Neither length nor chunks, as HTTP/1.0 does it: only the end of the connection ends the body."""
    if request.transport is not None:
        headers = [*response.headers.items(), ("Connection", "close")]
        lines = [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        body = body_of(response)
        head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1")
        request.transport.write(head + body[: len(body) // 2])
    _close(request)


async def _trickle(request: web.Request, response: web.Response) -> web.StreamResponse:
    return await _send_slowly(request, response, _TRICKLE_BYTES, _TRICKLE_S)


async def _slow(request: web.Request, response: web.Response) -> web.StreamResponse:
    return await _send_slowly(request, response, _SLOW_BYTES, _SLOW_S)


async def _send_slowly(
    request: web.Request, response: web.Response, step_bytes: int, step_s: float
) -> web.StreamResponse:
    body = body_of(response)
    stream = await _begin(request, response, len(body))
    for place in range(0, len(body), step_bytes):
        await stream.write(body[place : place + step_bytes])
        await asyncio.sleep(step_s)
    await stream.write_eof()
    return stream


async def _send_endlessly(request: web.Request, response: web.Response) -> None:
    stream = await _begin(request, response, None)
    await stream.write(body_of(response))
    for _ in range(GIB // len(_FILLER)):
        await stream.write(_FILLER)
        await asyncio.sleep(0)
    _close(request)


async def _begin_with_half(request: web.Request, response: web.Response) -> None:
    body = body_of(response)
    stream = await _begin(request, response, len(body))
    await stream.write(body[: len(body) // 2])


async def _begin(request: web.Request, response: web.Response, length_bytes: int | None) -> web.StreamResponse:
    """Send the head, with a length or in chunks."""
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    if length_bytes is None:
        stream.headers.popall("Content-Length", None)
        stream.enable_chunked_encoding()
    else:
        stream.content_length = length_bytes
    await stream.prepare(request)
    return stream


async def _wait_until_gone(request: web.Request) -> None:
    # The client's leaving cancels no handler here (a request under way is carried out), so it is looked for.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_LOOK_S)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _break(request: web.Request) -> None:
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()


_WAYS: Mapping[Fault | None, _Way] = {
    Fault.RESET_FIRST: _reset,
    Fault.RESET: _reset,
    Fault.RESET_BODY: _send_half_and_reset,
    Fault.DROP: _say_nothing,
    Fault.HANG: _hang,
    Fault.STALL: _send_half_and_stall,
    Fault.CUT: _send_half,
    Fault.CUT_CLOSE: _send_half_and_end,
    Fault.CUT_CHUNKED: _send_half_in_chunks,
    Fault.TRICKLE: _trickle,
    Fault.SLOW: _slow,
    Fault.ENDLESS: _send_endlessly,
}
