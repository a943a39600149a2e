"""How much may come in answer to a request, how long it may take and how slow it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batchgen.engine.running_time import Deadline, RunningTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an answer may take; what goes beyond is given up."""

    total_s: float
    """From the wait for a connection to the last byte, while this process runs."""
    most_bytes: int = 64 * 1024 * 1024
    """Of a picture. The API's are some 2 MB; 16 bits in each of four channels make 8 MB of a million pixels."""
    most_pixels: int = 1024**3 // 4 // 3
    """Of a picture: what Pillow opens without warning of a decompression bomb (its MAX_IMAGE_PIXELS, 89 million)."""
    least_bytes_per_s: float = 1024
    """Below this, on average over `over_s` of waiting for bytes, an answer comes too slowly."""
    over_s: float = 30.0


class Incoming(Protocol):
    """A body that is coming."""

    async def readchunk(self) -> tuple[bytes, bool]:
        """The first of what has come; waits while that is nothing. Nothing and True: more comes; and False: the end."""

    def is_eof(self) -> bool:
        """All has come."""

    def at_eof(self) -> bool:
        """All has come and was read."""


class TooSlow(TimeoutError):  # noqa: N818 - what was found; the door makes it a fault
    """A body comes more slowly than its bounds allow."""


class PacedBody:
    """A body read as it comes, each share of `least_bytes_per_s * over_s` bytes within `over_s` of waiting for it.

    Waiting for bytes, while this process runs, is all that counts: neither a slow disk nor a stop is taken for a slow
    server.
    """

    def __init__(self, content: Incoming, bounds: Bounds, running: RunningTime, deadline: Deadline) -> None:
        """`deadline` is that of the whole exchange, and comes sooner while bytes are waited for."""
        self._content = content
        self._running = running
        self._deadline = deadline
        self._end_s = deadline.at_s
        self._over_s = bounds.over_s
        self._share_bytes = bounds.least_bytes_per_s * bounds.over_s
        self._left_s = self._over_s
        self._due_bytes = self._share_bytes

    def has_ended(self) -> bool:
        """All of it has come and was read."""
        return self._content.at_eof()

    async def read(self) -> bytes:
        """The next bytes, `b""` at the end; cancelled at the deadline. Raises what `readchunk` raises."""
        if self._content.at_eof():
            return b""
        if self._content.is_eof():  # all of it has come
            return await self._next()
        began_s = self._running.seconds
        self._deadline.at_s = min(self._end_s, began_s + self._left_s)
        chunk = await self._next()
        self._deadline.at_s = self._end_s
        self._left_s -= self._running.seconds - began_s
        self._due_bytes -= len(chunk)
        if self._due_bytes <= 0:
            self._left_s, self._due_bytes = self._over_s, self._share_bytes
        return chunk

    async def _next(self) -> bytes:
        chunk, goes_on = await self._content.readchunk()
        while goes_on and not chunk:
            chunk, goes_on = await self._content.readchunk()
        return chunk
