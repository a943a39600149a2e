"""The shim is still needed, and enough."""

from __future__ import annotations

import aiohttp
import pytest
from aioresponses import aioresponses
from wire_shim import mocked_wire, room_mend, writer_mend

URL = "http://127.0.0.1:9/"
BIG = b"x" * 131_073


async def _read(body: bytes) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert len(body) > 0
        return await response.read()


async def test_without_the_first_mend_there_is_no_answer() -> None:
    with room_mend(), aioresponses() as wire:
        wire.get(URL, body=b"small")
        with pytest.raises(TypeError, match="stream_writer"):
            await _read(b"small")


async def test_without_the_second_mend_there_is_no_big_body() -> None:
    with writer_mend(), aioresponses() as wire:
        wire.get(URL, body=BIG)
        with pytest.raises(AssertionError):
            await _read(BIG)


async def test_with_both_there_are_both() -> None:
    with mocked_wire() as wire:
        for body in (b"small", BIG):
            wire.get(URL, body=body)
            assert await _read(body) == body
