"""Answers that arrive in order and are not what was asked for."""

import hashlib
import io
import json
import struct
import zlib
from itertools import pairwise

import pytest
from PIL import Image
from sandbox_client import PICTURE, SEEDED, Answer, Serve, always, entry_of, make_image

from batchgen.sandbox.faults import WHOLE, Fault

pytest_plugins = ["sandbox_fixtures"]


async def test_a_200_without_a_picture(serve: Serve, whole: Answer) -> None:
    client = await serve(limits=())
    await client.control(script=["html", "json", "empty", "204", "gzip", "pixels", "trailing"])
    page, error, empty, none, bomb, pixels, trailing = [await client.raw(SEEDED) for _ in range(7)]
    assert page.body.startswith(b"<!DOCTYPE html>")
    assert sorted(json.loads(error.body)) == ["errors", "id", "name"]
    assert "Content-Length: 0" in empty.head
    assert none.head.startswith("HTTP/1.1 204 ")
    assert "Content-Encoding: gzip" in bomb.head
    assert len(bomb.body) < 2_000_000
    assert pixels.body[:8] == whole.body[:8]
    assert struct.unpack(">II", pixels.body[16:24]) == (60_000, 60_000)
    assert trailing.body.startswith(whole.body)
    assert len(trailing.body) > len(whole.body)
    log = (await client.log())["requests"]
    assert [entry["status"] for entry in log] == [200, 200, 200, 204, 200, 200, 200]
    assert {(entry["billed_credits"], entry["picture_sha256"]) for entry in log} == {(PICTURE, None)}


async def test_a_gzip_bomb_is_sound(serve: Serve) -> None:
    """Its every byte decompresses, its checksum and length are right: 1 GiB."""
    answer = await (await always(serve, Fault.GZIP)).raw()
    bomb, rest, size = zlib.decompressobj(wbits=31), answer.body, 0
    while not bomb.eof:
        size += len(bomb.decompress(rest, 1 << 20))
        rest = bomb.unconsumed_tail
    assert size == 1 << 30


async def test_every_chunk_of_a_pixel_bomb_is_sound(serve: Serve) -> None:
    answer = await (await always(serve, Fault.PIXELS)).raw()
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(answer.body))


async def test_a_picture_under_a_wrong_type(serve: Serve, whole: Answer) -> None:
    client = await always(serve, Fault.WRONG_TYPE)
    answer = await client.post(SEEDED)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == whole.body


@pytest.mark.parametrize(
    ("fault", "asked", "came"),
    [
        (Fault.OTHER_FORMAT, "png", "jpeg"),
        (Fault.OTHER_FORMAT, "jpeg", "png"),
        (Fault.WEBP, "png", "webp"),
        (Fault.WEBP, "jpeg", "webp"),
    ],
)
async def test_another_format_than_asked(serve: Serve, fault: Fault, asked: str, came: str) -> None:
    answer = await (await always(serve, fault)).post({**SEEDED, "output_format": asked})
    assert (answer.headers["Content-Type"], answer.picture.format) == (f"image/{came}", came.upper())


async def test_a_filtered_picture_is_blurred_and_says_so(serve: Serve, whole: Answer) -> None:
    answer = await (await always(serve, Fault.FILTERED)).post(SEEDED)
    assert (whole.headers["finish-reason"], answer.headers["finish-reason"]) == ("SUCCESS", "CONTENT_FILTERED")
    assert answer.picture.size == whole.picture.size
    assert _roughness(answer.picture) < _roughness(whole.picture) / 2


def _roughness(image: Image.Image) -> int:
    """How much neighbours differ, in all."""
    grey = image.convert("L").tobytes()
    return sum(abs(one - other) for one, other in pairwise(grey))


@pytest.mark.parametrize("fault", sorted(WHOLE - {Fault.TRICKLE, Fault.SLOW}))
async def test_what_comes_whole_is_what_the_log_says(serve: Serve, fault: Fault) -> None:
    client = await always(serve, fault)
    form = {**SEEDED, "mode": "image-to-image", "image": make_image("PNG", mode="RGBA"), "strength": "0.5"}
    for number, fields in enumerate((SEEDED, form), 1):
        answer, entry = await client.post(fields), await entry_of(client, number)
        assert entry["picture_sha256"] == hashlib.sha256(answer.body).hexdigest()
        assert (entry["fault"], entry["billed_credits"]) == (fault, PICTURE)
