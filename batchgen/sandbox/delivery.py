"""How an answer travels, or fails to."""

import asyncio
from typing import assert_never

from aiohttp import web

from batchgen.sandbox.faults import Fault

_LOOK_S = 0.1


async def deliver(request: web.Request, response: web.Response, fault: Fault | None) -> web.StreamResponse:
    """Send the answer as the fault has it; without one, whole."""
    match fault:
        case None | Fault.THROTTLED | Fault.INTERNAL:
            return response
        case Fault.CUT:
            return await _send_half(request, response)
        case Fault.DROP:
            _close(request)
            return response
        case Fault.HANG:
            await _wait_until_gone(request)
            return response
        case _:
            assert_never(fault)


async def _send_half(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body by Content-Length, send its first half, close."""
    body = bytes(response.body) if isinstance(response.body, (bytes, bytearray)) else b""
    cut = web.StreamResponse(status=response.status, headers=response.headers)
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    _close(request)
    return cut


async def _wait_until_gone(request: web.Request) -> None:
    # The client's leaving cancels no handler here (a request under way is carried out), so it is looked for.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_LOOK_S)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
