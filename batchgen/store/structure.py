"""Is this one whole picture, and nothing behind it? Told from the bytes as they pass, in any chunking.

Three rules: every strict prefix of a whole picture is cut off; a byte behind its end is found; the answer does not
depend on where the chunks were cut. The walks of the formats are in walks.py; here they are driven and judged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from batchgen.model import CutOff
from batchgen.store.walks import (
    PNG_SIGNATURE,
    TO_MARKER,
    Flawed,
    Place,
    Shape,
    exactly,
    walk_jpeg,
    walk_png,
    walk_webp,
    whole_png,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from batchgen.store.walks import Walk

__all__ = ["CutOff", "NotAPicture", "Shape", "StructureCheck", "look_at"]

_QUOTED_BYTES = 32
_MARKER = re.compile(rb"\xff(?![\x00\xd0-\xd7])")  # an FF at the very end counts: what follows is not known yet


class NotAPicture(str):
    """A flaw of bytes that do not even begin like a picture."""

    __slots__ = ()


def look_at(content: memoryview) -> Shape | str:
    """As a check that was fed all of it."""
    shape = whole_png(content)
    if shape is not None:
        return shape
    check = StructureCheck()
    check.feed(content)
    return check.end()


class StructureCheck:
    """One pass over one picture: `feed` it every byte, then ask `end`."""

    def __init__(self) -> None:
        self._place = Place()
        self._walk: Final[Generator[int, memoryview, Shape]] = _walk(self._place)
        self._wanted = next(self._walk)
        self._verdict: Shape | str | None = None
        self._beginning = b""
        self._size_bytes = 0
        self._behind_bytes = 0

    def feed(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes; of these nothing is kept but a field of a few bytes."""
        if len(self._beginning) < _QUOTED_BYTES:
            self._beginning += bytes(chunk[: _QUOTED_BYTES - len(self._beginning)])
        self._size_bytes += len(chunk)
        view = memoryview(chunk)
        start = 0
        while start < len(chunk) and self._verdict is None:
            end = self._end_of_piece(chunk, start)
            self._send(view[start:end])
            start = end
        self._behind_bytes += len(chunk) - start

    def end(self) -> Shape | str:
        """The picture's shape, or in one short line why these bytes are no whole picture."""
        if not self._size_bytes:
            return NotAPicture("0 bytes")
        if self._verdict is None:
            return CutOff(self._place.text) if self._place.text else self._too_short()
        if isinstance(self._verdict, Shape) and self._behind_bytes:
            name = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}[self._verdict.format]
            count = "1 byte" if self._behind_bytes == 1 else f"{self._behind_bytes} bytes"
            return f"{count} after the end of the {name}"
        return self._verdict or self._not_a_picture()

    def _end_of_piece(self, chunk: bytes | memoryview, start: int) -> int:
        if self._wanted != TO_MARKER:
            return min(start + self._wanted, len(chunk))
        marker = _MARKER.search(chunk, start)
        return marker.end() if marker else len(chunk)

    def _send(self, piece: memoryview) -> None:
        try:
            self._wanted = self._walk.send(piece)
        except StopIteration as done:
            self._verdict = done.value
        except Flawed as flaw:
            self._verdict = str(flaw)

    def _too_short(self) -> str:
        head = self._beginning
        webp = head[:4] == b"RIFF"[: len(head)] and head[8:] == b"WEBP"[: len(head[8:])]
        if webp or PNG_SIGNATURE.startswith(head) or b"\xff\xd8\xff".startswith(head):
            return CutOff(f"cut off after {self._size_bytes} bytes")
        return self._not_a_picture()

    def _not_a_picture(self) -> str:
        quoted = repr(self._beginning.decode("utf-8", "replace"))
        more = "…" if self._size_bytes > _QUOTED_BYTES else ""
        return NotAPicture(f"not a picture (begins with {quoted[:-1]}{more}{quoted[-1]})")


def _walk(place: Place) -> Walk[Shape]:
    """Told apart by the first three bytes; an empty flaw stands for `not a picture`."""
    head = yield from exactly(3)
    if head == b"\xff\xd8\xff":
        return (yield from walk_jpeg(place))
    if head == PNG_SIGNATURE[:3]:
        head += yield from exactly(5)
        if head == PNG_SIGNATURE:
            return (yield from walk_png(place))
    elif head == b"RIF":
        head += yield from exactly(9)
        if head[:4] + head[8:] == b"RIFFWEBP":
            return (yield from walk_webp(place, int.from_bytes(head[4:8], "little")))
    raise Flawed
