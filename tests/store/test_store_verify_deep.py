"""Pictures that were broken when they came: their structure is told always, what does not decode only by --deep."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from store_samples import samples
from verify_samples import content_of, findings, made, pair, repaired, some_pairs, whole_pairs

from batchgen.store.structure import Shape, StructureCheck
from batchgen.verification.findings import Wrong

if TYPE_CHECKING:
    from pathlib import Path


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(data: bytes, width: int = 19, height: int = 11) -> bytes:
    """A PNG of right checksums around any picture data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def jpeg_without_tables() -> bytes:
    """A JPEG whose quantisation tables are gone: every segment is whole."""
    content = content_of("jpeg")
    while (at := content.find(b"\xff\xdb")) >= 0:
        content = content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]
    return content


def webp_of_noise() -> bytes:
    """A WebP whose picture data is anything behind a right header."""
    content = content_of("webp")
    return content[:40] + bytes(byte ^ 0xA5 for byte in content[40:])


BROKEN = {
    "png": png(b"no zlib stream"),
    "png too short": png(zlib.compress(b"\0" * 100)),
    "jpeg": jpeg_without_tables(),
    "webp": webp_of_noise(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_decode_is_found_when_it_is_decoded(tmp_path: Path, name: str) -> None:
    check = StructureCheck()
    check.feed(BROKEN[name])
    assert isinstance(check.end(), Shape)
    victim = pair(9, kind=name.partition(" ")[0], content=BROKEN[name])
    root = made(tmp_path, [*some_pairs(), victim])
    assert not findings(root)
    assert findings(root, deep=True) == {victim.picture: Wrong.PICTURE_BROKEN}
    assert repaired(root, deep=True)[2] == 1
    assert not findings(root, deep=True)
    assert len(whole_pairs(root, some_pairs())) == len(some_pairs())


def test_what_has_no_sound_structure_is_always_found(tmp_path: Path) -> None:
    victims = [
        pair(0, content=content_of("png")[:-7]),
        pair(1, content=content_of("png") + b"more"),
        pair(2, kind="jpeg", content=b"<html>"),
    ]
    root = made(tmp_path, victims)
    assert findings(root) == {each.picture: Wrong.PICTURE_BROKEN for each in victims}


def test_what_has_too_many_pixels_is_not_decoded(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    data = zlib.compress(bytes(1000))
    victims = [
        pair(number, content=png(data, *size), size=size)
        for number, size in enumerate([(9_500, 9_500), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
    ]
    root = made(tmp_path, victims)
    assert not findings(root)
    assert findings(root, deep=True) == {each.picture: Wrong.PICTURE_BROKEN for each in victims}
    assert not recwarn.list


def test_every_kind_that_is_kept_decodes(tmp_path: Path) -> None:
    pairs = [pair(number, kind=each.format, content=each.content) for number, each in enumerate(samples())]
    assert len(pairs) > 12
    assert not findings(made(tmp_path, pairs), deep=True)


def test_a_picture_in_another_format_than_its_sidecar_says(tmp_path: Path) -> None:
    named = pair(0, kind="jpeg", content=content_of("png"))
    root = made(tmp_path, [named])
    assert findings(root) == {named.sidecar: Wrong.SIDECAR_WRONG}


def test_a_picture_of_another_size_in_pixels_than_its_sidecar_says(tmp_path: Path) -> None:
    wide = pair(0, size=(20, 11))
    assert findings(made(tmp_path, [wide])) == {wide.sidecar: Wrong.SIDECAR_WRONG}
