"""aioresponses 0.7.9 on aiohttp 3.14: two small mends, each for one thing that changed beneath it.

`ClientResponse` now asks for a `stream_writer`, and a `StreamReader` that is fed more than its limit pauses a parser
that a mocked answer does not have. test_wire_shim.py fails as soon as either is mended upstream: then remove it here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

from aiohttp import ClientResponse, StreamReader
from aiohttp.client_proto import ResponseHandler
from aioresponses import aioresponses

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

ROOM_BYTES = 2**30


class _Response(ClientResponse):
    """An answer whose request was written by nobody."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


def _roomy_reader(loop: asyncio.AbstractEventLoop) -> StreamReader:
    return StreamReader(ResponseHandler(loop=loop), limit=ROOM_BYTES, loop=loop)


def writer_mend() -> Any:
    """The first mend."""
    return patch("aioresponses.core.ClientResponse", _Response)


def room_mend() -> Any:
    """The second mend."""
    return patch("aioresponses.core.stream_reader_factory", _roomy_reader)


@contextmanager
def mocked_wire() -> Iterator[aioresponses]:
    """aioresponses, mended."""
    with writer_mend(), room_mend(), aioresponses() as wire:
        yield wire
