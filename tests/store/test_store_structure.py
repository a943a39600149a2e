"""A picture is whole, or it is said in one line why not; in any chunking."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import Sample, encoded, noise, samples

from batchgen.store.structure import CutOff, NotAPicture, Shape, StructureCheck, look_at
from batchgen.store.walks import whole_png

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = list(samples())
PNG, JPEG, WEBP = (next(sample for sample in SAMPLES if sample.name == kind) for kind in ("png", "jpeg", "webp"))

of_each = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def judged(*chunks: bytes) -> Shape | str:
    check = StructureCheck()
    for chunk in chunks:
        check.feed(chunk)
    return check.end()


@of_each
def test_whole_pictures_are_accepted_with_their_size(sample: Sample) -> None:
    assert judged(sample.content) == Shape(sample.format, sample.width, sample.height)


@of_each
def test_every_strict_prefix_is_cut_off(sample: Sample) -> None:
    assert judged() == "0 bytes"
    # The last 300 lengths and a spread of the rest: JPEG tables and scans, PNG and WebP chunks all have their turn.
    lengths = {*range(max(1, len(sample.content) - 300), len(sample.content)), *range(3, len(sample.content), 7)}
    for length in lengths:
        assert isinstance(judged(sample.content[:length]), CutOff), length


def changed(content: bytes) -> Iterator[bytes]:
    """Every prefix, every byte another one, a byte less somewhere, and a few more behind the end."""
    for at in range(len(content)):
        yield content[:at]
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        yield content[:at] + content[at + 1 :]
    yield from (content + b"x", content + content)


@of_each
def test_what_is_all_here_is_judged_as_what_came_in_pieces(sample: Sample) -> None:
    assert look_at(memoryview(sample.content)) == judged(sample.content)
    for content in changed(sample.content[:2000]):
        assert look_at(memoryview(content)) == judged(content)


def test_a_look_at_a_whole_png_says_yes_to_nothing_else() -> None:
    """Damaged in ways that its checksums do not show."""
    assert whole_png(memoryview(PNG.content)) == Shape("png", PNG.width, PNG.height)
    head, body, end = PNG.content[:33], PNG.content[33:-12], PNG.content[-12:]
    empty = chunk(b"IHDR", b"\0" * 8 + head[24:29])
    for content in (head + end, head[:8] + empty + body + end, head[:8] + body + end, head + body, end, b""):
        assert whole_png(memoryview(content)) is None
        assert isinstance(look_at(memoryview(content)), str)


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_any_chunking_gives_the_same_answer(sample: Sample, data: st.DataObject) -> None:
    content = sample.content[: data.draw(st.integers(1, len(sample.content)))] + data.draw(st.binary(max_size=2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=12)))
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert judged(*pieces) == judged(content)


@of_each
def test_one_byte_at_a_time_gives_the_same_answer(sample: Sample) -> None:
    assert judged(*(bytes([byte]) for byte in sample.content)) == judged(sample.content)


@given(sample=st.sampled_from(SAMPLES), tail=st.binary(min_size=1, max_size=40))
def test_bytes_behind_the_end_are_found(sample: Sample, tail: bytes) -> None:
    flaw = judged(sample.content + tail)
    assert isinstance(flaw, str)
    assert flaw.startswith(f"{len(tail)} byte")
    assert judged(sample.content, tail) == flaw


@given(at=st.integers(0, len(PNG.content) - 1), by=st.integers(1, 255))
def test_every_flipped_byte_of_a_png_is_found(at: int, by: int) -> None:
    flipped = bytearray(PNG.content)
    flipped[at] ^= by
    assert isinstance(judged(bytes(flipped)), str)


@given(content=st.binary(max_size=200))
def test_noise_is_no_picture_and_no_crash(content: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x64\0\0\0WEBP"):
        flaw = judged(head + content)
        assert isinstance(flaw, str)
        assert "\n" not in flaw
        assert len(flaw) < 250


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"<html>", "not a picture (begins with '<html>')"),
        (
            b"<html><body>Bad gateway, please come back</body>",
            "not a picture (begins with '<html><body>Bad gateway, please …')",
        ),
        (b"\x1b[2J", "not a picture (begins with '\\x1b[2J')"),
        (b"ok", "not a picture (begins with 'ok')"),
        (b"RIFF\x04\0\0\0WAVEfmt ", "not a picture (begins with 'RIFF\\x04\\x00\\x00\\x00WAVEfmt ')"),
    ],
)
def test_what_is_no_picture_is_quoted_harmlessly(content: bytes, flaw: str) -> None:
    assert judged(content) == flaw
    assert isinstance(judged(content), NotAPicture)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        parts += [len(data).to_bytes(4, "big"), name, data, zlib.crc32(name + data).to_bytes(4, "big")]
    return b"".join(parts)


HEADER = (b"IHDR", b"\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0")


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (png((b"IDAT", b"x")), "PNG does not begin with IHDR"),
        (png(HEADER, (b"IEND", b"")), "PNG has no picture data (no IDAT)"),
        (png((b"IHDR", bytes(13))), "PNG says it is 0 x 0 px"),
        (png(HEADER, (b"I\0AT", b"")), "PNG has a damaged chunk header"),
        (png(HEADER, (b"IDAT", b"abc"))[:-1] + b"!", "PNG chunk IDAT has a wrong CRC"),
        (png(HEADER, (b"IDAT", b"abcd"))[:-6], "PNG cut off in IDAT"),
        (png(HEADER, (b"IDAT", b"abcd")), "PNG cut off after IDAT"),
        (png(HEADER, (b"IDAT", b"abc"), (b"IEND", b"")) + bytes(12), "12 bytes after the end of the PNG"),
    ],
)
def test_flaws_of_a_png_are_named(content: bytes, flaw: str) -> None:
    assert judged(content) == flaw


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (JPEG.content[:-2], "JPEG cut off in its picture data"),
        (JPEG.content[:20], "JPEG cut off in its headers"),
        (b"\xff\xd8\xff\xd9", "JPEG has no picture data"),
        (b"\xff\xd8\xff\xe0\0\x01", "JPEG has a segment of impossible length"),
        (b"\xff\xd8\xff\xe0\0\x02AB", "JPEG has stray bytes between its segments"),
        (b"\xff\xd8\xff\xd8", "JPEG has a marker FFD8 where none can be"),
        (b"\xff\xd8\xff\xc0\0\x08\x08\0\0\0\x05\x01", "JPEG says it is 5 x 0 px"),
    ],
)
def test_flaws_of_a_jpeg_are_named(content: bytes, flaw: str) -> None:
    assert judged(content) == flaw


def test_fill_bytes_and_lone_markers_belong_to_a_jpeg() -> None:
    filled = JPEG.content[:2] + b"\xff\xff\xff" + JPEG.content[2:-2] + b"\xff\xff" + JPEG.content[-2:]
    assert judged(filled) == Shape("jpeg", 19, 11)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + len(data).to_bytes(4, "little") + data + bytes(len(data) & 1) for name, data in chunks)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (WEBP.content[:-1], "WebP cut off in VP8"),
        (webp((b"ICCP", b"abcd")), "WebP begins with ICCP, not with a picture"),
        (webp((b"VP8X", bytes(10))), "WebP has no picture data"),
        (webp((b"VP8L", bytes(6))), "WebP has a damaged VP8L chunk"),
        (webp((b"VP8 ", bytes(4))), "WebP has a VP8 chunk of 4 bytes"),
        (webp(), "WebP has no picture data"),
        (b"RIFF\x0c\0\0\0WEBPVP8 \xff\0\0\0", "WebP has a chunk that reaches beyond its end"),
        (b"RIFF\x01\0\0\0WEBP", "WebP is longer than its chunks"),
    ],
)
def test_flaws_of_a_webp_are_named(content: bytes, flaw: str) -> None:
    assert judged(content) == flaw


def test_the_check_holds_no_more_than_a_field() -> None:
    content = encoded(noise(400, 400), "PNG", compress_level=0)
    check = StructureCheck()
    for start in range(0, len(content), 4096):
        check.feed(content[start : start + 4096])
    assert len(check._beginning) <= 32
    assert check.end() == Shape("png", 400, 400)
