"""What is sent in the place of a picture. Bytes in, bytes out."""

import gzip
import struct
import zlib
from functools import cache

GIB = 1 << 30
_MIB = 1 << 20
_PIXELS_A_SIDE = 60_000

TRAILING = b"\r\n<!-- these bytes come after the picture's end -->\r\n"


def page(status: int, words: str) -> bytes:
    """A page of HTML, as a proxy makes it."""
    title = f"{status} {words}"
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()


@cache
def gzip_bomb() -> bytes:
    """1 MiB of gzip (RFC 1952) that is 1 GiB of zeros."""
    zeros = bytes(_MIB)
    squeezer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # After a full flush nothing refers back, so one squeezed block may be said again and again.
    block = squeezer.compress(zeros) + squeezer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(GIB // _MIB):
        checksum = zlib.crc32(zeros, checksum)
    head = gzip.compress(b"", mtime=0)[:10]
    return head + block * (GIB // _MIB) + squeezer.flush() + struct.pack("<II", checksum, GIB)


@cache
def pixel_bomb() -> bytes:
    """A PNG of a few bytes, each chunk of it sound, that claims 3,600,000,000 pixels."""
    header = struct.pack(">IIBBBBB", _PIXELS_A_SIDE, _PIXELS_A_SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
