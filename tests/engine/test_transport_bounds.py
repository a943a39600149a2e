"""An answer is bounded in bytes, pixels, time and least speed, and is never unpacked."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, call
from page_server import png
from raw_server import drip, flood, ok, raw_server, reply, silence
from wire_talk import AMPLE, BRIEF, CheckedSink, exchange, talk

from batchgen.engine.bounds import Bounds, PacedBody
from batchgen.engine.running_time import BEAT_S, RunningTime
from batchgen.model import Billing, Fault
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HASTY = Bounds(total_s=20, least_bytes_per_s=10_000, over_s=0.3)
"""Its deadline is far off, so what ends early ends by least speed."""


# Least speed, by a clock of its own


@dataclass(slots=True)
class Coming:
    """A body whose chunks come after so many seconds each; then it stalls."""

    chunks: Iterator[tuple[float, bytes]]

    async def readchunk(self) -> tuple[bytes, bool]:
        """See Incoming."""
        after_s, chunk = next(self.chunks, (1e9, b""))
        await anyio.sleep(after_s)
        return chunk, False

    def is_eof(self) -> bool:
        """See Incoming."""
        return False

    at_eof = is_eof


def _read(chunks: Iterable[tuple[float, bytes]], *, disk_s: float = 0.0) -> tuple[int, float, bool]:
    """How many bytes were read, when reading ended, and whether all came in time."""

    async def main() -> tuple[int, float, bool]:
        with RunningTime() as running:
            size_bytes, bounds = 0, Bounds(total_s=1e6)
            with running.move_on_after(bounds.total_s) as deadline:
                body = PacedBody(Coming(iter(chunks)), bounds, running, deadline)
                while chunk := await body.read():
                    size_bytes += len(chunk)
                    await anyio.sleep(disk_s)
                return size_bytes, anyio.current_time(), True
            return size_bytes, anyio.current_time(), False

    return in_virtual_time(main)


END = (0.0, b"")


def test_a_byte_every_400_ms_ends_after_30_s() -> None:
    size_bytes, end_s, whole = _read([(0.4, b"x")] * 10_000)
    assert not whole
    assert size_bytes < 80
    assert 30 <= round(end_s, 6) <= 30 + BEAT_S


def test_what_stalls_ends_30_s_after_its_last_share() -> None:
    size_bytes, end_s, whole = _read([(1.0, bytes(40_000)), (1.0, bytes(40_000))])
    assert not whole
    assert size_bytes == 80_000
    assert 32 <= round(end_s, 6) <= 32 + BEAT_S


@pytest.mark.parametrize(
    "chunks",
    [
        [(1.0, bytes(1_100))] * 600,
        [(29.0, bytes(31_000))] * 10,
        [(0.1, b"x")] * 250,
        [(0.0, bytes(65_536))] * 100,
    ],
    ids=["a steady trickle", "pauses", "short", "fast"],
)
def test_what_is_fast_enough_is_read_to_its_end(chunks: list[tuple[float, bytes]]) -> None:
    size_bytes, _, whole = _read([*chunks, END])
    assert (size_bytes, whole) == (sum(len(chunk) for _, chunk in chunks), True)


def test_a_trickle_below_the_least_speed_ends() -> None:
    assert not _read([(1.0, bytes(1_000))] * 600)[2]


def test_a_slow_disk_is_not_a_slow_server() -> None:
    assert _read([(0.1, bytes(1_000)), (0.1, bytes(1_000)), END], disk_s=600) == (2_000, 1200.2, True)


# Least speed, over sockets


async def test_a_drip_ends_by_least_speed() -> None:
    async with raw_server(CHUNKED + b"ffffff\r\n", drip) as server:
        failure = (await talk(server.url, HASTY)).failure
    assert (failure.fault, failure.billing, failure.status) == (Fault.TIMEOUT, Billing.YES, 200)
    assert failure.words == "the answer came too slowly"


async def test_an_error_that_drips_is_that_error() -> None:
    async with raw_server(reply(401, b"who", length=999), drip) as server:
        failure = (await talk(server.url, HASTY)).failure
    assert (failure.fault, failure.billing, failure.status) == (Fault.UNAUTHORISED, Billing.NO, 401)


async def test_headers_that_drip_end_by_the_deadline() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nX-A: ", drip) as server:
        failure = (await talk(server.url, BRIEF)).failure
    assert (failure.fault, failure.billing, failure.status) == (Fault.TIMEOUT, Billing.MAYBE, None)


# Bytes

SMALL = Bounds(total_s=20, most_bytes=200_000)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED + b"fffffff\r\n"],
    ids=["no length", "chunked"],
)
async def test_an_endless_answer_is_cut_off(head: bytes) -> None:
    sink = CheckedSink()
    async with raw_server(head + png(7)[:40], flood) as server:
        failure = (await talk(server.url, SMALL, sink)).failure
    assert (failure.fault, failure.billing, failure.status) == (Fault.NOT_A_PICTURE, Billing.YES, 200)
    assert failure.words.startswith("more than 200000 bytes")
    assert sink.size_bytes <= SMALL.most_bytes


async def test_an_answer_that_says_it_is_too_long_is_not_read() -> None:
    sink = CheckedSink()
    async with raw_server(ok(png(7), length=10**12), silence) as server:
        failure = (await talk(server.url, AMPLE, sink)).failure
    assert (failure.fault, failure.billing) == (Fault.NOT_A_PICTURE, Billing.YES)
    assert failure.words == f"more than {64 * 1024 * 1024} bytes"
    assert sink.size_bytes == 0


async def test_an_endless_error_is_read_to_64_kib() -> None:
    async with raw_server(b"HTTP/1.1 503 X\r\n\r\n<h1>Busy</h1>", flood) as server:
        failure = (await talk(server.url)).failure
    assert (failure.fault, failure.billing, failure.words) == (Fault.OVERLOADED, Billing.MAYBE, "Busy")


async def test_a_picture_of_20_mb_passes() -> None:
    big = grey_png(4_472, 4_472, level=0)
    assert len(big) > 20_000_000
    async with raw_server(ok(big)) as server:
        picture = (await talk(server.url)).success.picture
    assert (picture.size_bytes, picture.width) == (len(big), 4_472)


# Pixels


def grey_png(width: int, height: int, *, level: int, rows: int | None = None) -> bytes:
    """A grey PNG of this size; with fewer `rows` its data is short, as nobody who doesn't unpack it can tell."""
    data = zlib.compress(bytes((width + 1) * (height if rows is None else rows)), level)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (1, 90_000_000)])
async def test_a_pixel_bomb_is_no_picture(width: int, height: int) -> None:
    async with raw_server(ok(grey_png(width, height, level=9, rows=0))) as server:
        failure = (await talk(server.url)).failure
    assert (failure.fault, failure.billing) == (Fault.NOT_A_PICTURE, Billing.YES)
    assert failure.words.startswith(f"{width} x {height} px are more than 89478485 pixels")


async def test_a_picture_with_as_many_pixels_as_may_be_passes() -> None:
    bounds = Bounds(total_s=20, most_pixels=64)
    for side, kept in ((8, True), (9, False)):
        async with raw_server(ok(png(7, side=side))) as server:
            outcome = (await talk(server.url, bounds)).outcome
        assert (getattr(outcome, "picture", None) is not None) is kept


# Packed answers

BOMB = gzip.compress(bytes(10_000_000))


@pytest.mark.parametrize("coding", ["gzip", "GZip", "br", "deflate", "zstd", "x-gzip", "identity, gzip", "gzip, br"])
async def test_a_packed_answer_is_not_even_read(coding: str) -> None:
    sink = CheckedSink()
    async with raw_server(ok(BOMB, f"Content-Encoding: {coding}", length=len(BOMB) + 1), silence) as server:
        failure = (await talk(server.url, AMPLE, sink)).failure
        assert server.headers()["accept-encoding"] == "identity"
    assert (failure.fault, failure.billing, sink.size_bytes) == (Fault.NOT_A_PICTURE, Billing.YES, 0)
    assert failure.words.startswith("packed with ")


async def test_a_packed_error_is_not_read_either() -> None:
    async with raw_server(reply(503, BOMB, "Content-Encoding: gzip", length=len(BOMB) + 1), silence) as server:
        failure = (await talk(server.url)).failure
    assert (failure.fault, failure.billing) == (Fault.OVERLOADED, Billing.MAYBE)
    assert failure.words == "status 503 with no words"


@pytest.mark.parametrize("coding", ["Content-Encoding: unknown", "Transfer-Encoding: gzip"])
async def test_what_is_packed_in_no_known_way_is_never_unpacked(coding: str) -> None:
    sink, packed = CheckedSink(), gzip.compress(png(7))
    head = f"HTTP/1.1 200 OK\r\n{coding}\r\nConnection: close\r\n\r\n".encode()
    async with raw_server(head + packed) as server:
        failure = (await talk(server.url, AMPLE, sink)).failure
    assert (failure.fault, failure.billing) == (Fault.NOT_A_PICTURE, Billing.YES)
    assert sink.beginning == packed


@pytest.mark.parametrize("coding", ["identity", "", "Identity, identity", "binary", "utf-8"])
async def test_a_picture_under_a_coding_that_packs_nothing_is_kept(coding: str) -> None:
    async with raw_server(ok(b"good", f"Content-Encoding: {coding}")) as server:
        assert (await exchange(call(server.url))).reply.picture == SUCCESS.picture
