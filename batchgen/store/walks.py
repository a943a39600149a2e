"""How a PNG, a JPEG and a WebP are walked from first byte to last: one generator a format, and no I/O.

A walk yields how many bytes it wants at most (or `TO_MARKER`) and is sent between one and that many; it returns the
picture's shape with the last byte that belongs to it, or raises `Flawed`. So it never holds more than a small field,
whatever the chunking.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeVar

try:  # a twentieth of zlib's time; there are builds for the usual machines
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

TO_MARKER = 0
"""Instead of a count: everything up to and including the next 0xFF that may begin a JPEG marker."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_BEGINNING = PNG_SIGNATURE + b"\0\0\0\x0dIHDR"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_LONGEST_PNG_CHUNK = 2**31 - 1
_PNG_CHUNK_BYTES = 12
"""Beside its data: length and name before it, a checksum behind it."""
_PNG_CHUNK, _PNG_SIZE, _UINT32 = Struct(">I4s"), Struct(">II"), Struct(">I")

_EOI, _SOI, _SOS = 0xD9, 0xD8, 0xDA
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG and DAC
_IN_SCAN = frozenset({0x00, *range(0xD0, 0xD8)})  # stuffing and restart markers belong to the scan
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})

_WEBP_PICTURES = frozenset({b"VP8 ", b"VP8L", b"ANMF"})


class Flawed(Exception):  # noqa: N818 - it is a finding, not an error, and never leaves the check
    """These bytes are no whole picture; the text says why."""


class Shape(NamedTuple):
    """What a whole picture is: its format (`png`, `jpeg` or `webp`) and its size in pixels."""

    format: str
    width: int
    height: int


@dataclass(slots=True)
class Place:
    """Where a walk is, for the message when the bytes end there."""

    text: str = ""


if TYPE_CHECKING:
    Walk = Generator[int, memoryview, T]


def exactly(count: int) -> Walk[bytes]:
    """The next `count` bytes, for fields of a few bytes."""
    field = bytes((yield count))
    while len(field) < count:
        field += yield count - len(field)
    return field


def _number(count: int) -> Walk[int]:
    return int.from_bytes((yield from exactly(count)), "big")


def _little(count: int) -> Walk[int]:
    return int.from_bytes((yield from exactly(count)), "little")


def _pass_over(count: int) -> Walk[None]:
    while count:
        count -= len((yield count))


def _shape(kind: str, width: int, height: int) -> Shape:
    if not (width and height):
        raise Flawed(f"{kind} says it is {width} x {height} px")
    return Shape(kind.lower(), width, height)


def walk_png(place: Place) -> Walk[Shape]:
    """After the signature: chunks with right checksums, IHDR first, one IDAT at least, IEND last."""
    place.text = "PNG cut off in IHDR"
    shape = yield from _ihdr()
    name, seen = b"IHDR", set[bytes]()
    while name != b"IEND":
        place.text = f"PNG cut off after {name.decode()}"
        length = yield from _number(4)
        name = yield from exactly(4)
        if not name.isalpha() or length > _LONGEST_PNG_CHUNK:
            raise Flawed("PNG has a damaged chunk header")
        place.text = f"PNG cut off in {name.decode()}"
        yield from _png_data(name, length)
        seen.add(name)
    if b"IDAT" not in seen:
        raise Flawed("PNG has no picture data (no IDAT)")
    return shape


def whole_png(content: memoryview) -> Shape | None:
    """The shape of a PNG that is all here and plainly whole, at a fifth of a walk's cost; None: a walk has to tell."""
    if content[:16] != _PNG_BEGINNING or content[-12:] != _PNG_END:
        return None
    start, end, has_data = len(PNG_SIGNATURE), len(content) - len(_PNG_END), False
    while start < end:
        length, name = _PNG_CHUNK.unpack_from(content, start)
        checked, start = start + 4, start + _PNG_CHUNK_BYTES + length
        if not name.isalpha() or name == b"IEND" or start > end:
            return None
        if crc32(content[checked : start - 4]) != _UINT32.unpack_from(content, start - 4)[0]:
            return None
        has_data = has_data or name == b"IDAT"
    if not has_data:
        return None
    width, height = _PNG_SIZE.unpack_from(content, 16)
    return Shape("png", width, height) if width and height else None


def _ihdr() -> Walk[Shape]:
    header = yield from exactly(8)
    if header != b"\0\0\0\x0dIHDR":
        raise Flawed("PNG does not begin with IHDR")
    data = yield from exactly(13)
    yield from _png_checksum(b"IHDR", crc32(data, crc32(b"IHDR")))
    return _shape("PNG", int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big"))


def _png_data(name: bytes, length: int) -> Walk[None]:
    checksum = crc32(name)
    while length:
        piece = yield length
        checksum = crc32(piece, checksum)
        length -= len(piece)
    yield from _png_checksum(name, checksum)


def _png_checksum(name: bytes, checksum: int) -> Walk[None]:
    if (yield from _number(4)) != checksum:
        raise Flawed(f"PNG chunk {name.decode()} has a wrong CRC")


def walk_jpeg(place: Place) -> Walk[Shape]:
    """After SOI and the 0xFF of the first marker: segments skipped by their length, scans searched for markers, EOI.

    A thumbnail in EXIF ends inside its segment, so its EOI is not taken for the picture's.
    """
    place.text = "JPEG cut off in its headers"
    shape: Shape | None = None
    scanned = False
    code = yield from _marker_code()
    while code != _EOI:
        if code in {0x00, _SOI}:
            raise Flawed(f"JPEG has a marker FF{code:02X} where none can be")
        if code in _SIZES:
            shape = yield from _frame()
        elif code not in _NO_LENGTH:
            yield from _pass_over((yield from _segment_length()))
        if code == _SOS:
            scanned = True
            place.text = "JPEG cut off in its picture data"
            code = yield from _scan()
        else:
            code = yield from _next_marker()
    if shape is None or not scanned:
        raise Flawed("JPEG has no picture data")
    return shape


def _segment_length() -> Walk[int]:
    length = yield from _number(2)
    if length < 2:
        raise Flawed("JPEG has a segment of impossible length")
    return length - 2


def _frame() -> Walk[Shape]:
    length = yield from _segment_length()
    if length < 6:
        raise Flawed("JPEG has a frame header of impossible length")
    header = yield from exactly(6)
    yield from _pass_over(length - 6)
    return _shape("JPEG", int.from_bytes(header[3:5], "big"), int.from_bytes(header[1:3], "big"))


def _next_marker() -> Walk[int]:
    if (yield from _number(1)) != 0xFF:
        raise Flawed("JPEG has stray bytes between its segments")
    return (yield from _marker_code())


def _marker_code() -> Walk[int]:
    code = 0xFF
    while code == 0xFF:  # any number of FF may fill the room before a marker
        code = yield from _number(1)
    return code


def _scan() -> Walk[int]:
    while True:
        piece = yield TO_MARKER
        if piece[-1] == 0xFF:
            code = yield from _marker_code()
            if code not in _IN_SCAN:
                return code


def walk_webp(place: Place, length: int) -> Walk[Shape]:
    """After `RIFF`, the length and `WEBP`: chunks that fill exactly the `length` that RIFF gave."""
    place.text = "WebP cut off in its first chunk"
    shape: Shape | None = None
    pictured = False
    left = length - 4
    while left:
        if left < 8:
            raise Flawed("WebP is longer than its chunks")
        name = yield from exactly(4)
        size = yield from _little(4)
        left -= 8
        if size > left:
            raise Flawed("WebP has a chunk that reaches beyond its end")
        padded = min(size + (size & 1), left)
        place.text = f"WebP cut off in {_shown(name)}"
        used = 0
        if shape is None:
            shape, used = yield from _webp_size(name, size)
        yield from _pass_over(padded - used)
        place.text = f"WebP cut off after {_shown(name)}"
        left -= padded
        pictured = pictured or name in _WEBP_PICTURES
    if shape is None or not pictured:
        raise Flawed("WebP has no picture data")
    return shape


def _shown(name: bytes) -> str:
    return name.decode().strip() if name.replace(b" ", b"").isalnum() else "a chunk"


def _webp_size(name: bytes, size: int) -> Walk[tuple[Shape, int]]:
    """The size that the first chunk gives, and how many of its bytes that took."""
    taken = {b"VP8 ": 10, b"VP8L": 5, b"VP8X": 10}.get(name)
    if taken is None:
        raise Flawed(f"WebP begins with {_shown(name)}, not with a picture")
    if size < taken:
        raise Flawed(f"WebP has a {_shown(name)} chunk of {size} bytes")
    head = yield from exactly(taken)
    if name == b"VP8X":
        width, height = int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    elif name == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    if (name == b"VP8 " and head[3:6] != b"\x9d\x01\x2a") or (name == b"VP8L" and head[0] != 0x2F):
        raise Flawed(f"WebP has a damaged {_shown(name)} chunk")
    return _shape("WebP", width, height), taken
