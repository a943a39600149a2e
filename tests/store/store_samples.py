"""Pictures and tasks that the tests of the store share."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from batchgen.model import Attempt, Billing, Picture, Success, Task
from batchgen.store.sidecar import Cost, Sidecar, sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal


ATTEMPT = Attempt(number=1, started="2026-11-22T02:30:11.123Z", seconds=0.41, billing=Billing.YES, status=200)


@dataclass(frozen=True, slots=True)
class Sample:
    """A whole picture and what a check should say about it."""

    name: str
    content: bytes
    format: str
    width: int
    height: int


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).tobytes())
    pixels = random.Random(7).randbytes(width * height * bands)  # noqa: S311 - a picture, not a secret
    return Image.frombytes(mode, (width, height), pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _small(mode: str = "RGB") -> Image.Image:
    return noise(19, 11, mode)


def samples() -> Iterator[Sample]:
    """Small pictures of every kind that must be accepted."""
    thumbnail = encoded(noise(8, 8), "JPEG")
    kinds = {
        "png": encoded(_small(), "PNG"),
        "png-alpha": encoded(_small("RGBA"), "PNG"),
        "png-palette": encoded(_small().quantize(16), "PNG"),
        "png-grey": encoded(_small("L"), "PNG"),
        "jpeg": encoded(_small(), "JPEG"),
        "jpeg-progressive": encoded(_small(), "JPEG", progressive=True),
        "jpeg-grey": encoded(_small("L"), "JPEG"),
        "jpeg-restarts": encoded(_small(), "JPEG", quality=95, restart_marker_blocks=1),
        "jpeg-thumbnail": encoded(_small(), "JPEG", exif=b"Exif\0\0" + thumbnail),
        "webp": encoded(_small(), "WEBP"),
        "webp-lossless": encoded(_small(), "WEBP", lossless=True),
        "webp-alpha": encoded(_small("RGBA"), "WEBP"),
        "webp-exif": encoded(_small(), "WEBP", exif=b"Exif\0\0odd"),
        "webp-animated": encoded(_small(), "WEBP", save_all=True, append_images=[noise(19, 11, "RGB").rotate(180)]),
    }
    for name, content in kinds.items():
        yield Sample(name, content, name.split("-")[0], 19, 11)


def big_png() -> bytes:
    """About 3 MB: far more than a sink may hold."""
    return encoded(noise(1000, 1000), "PNG", compress_level=0)


def task(task_id: str = "abcdefghijkl", stem: str = "a-red-fox/7-abcdefghijkl") -> Task:
    return Task(
        id=task_id,
        index=7,
        job="otters",
        prompt_id="fox",
        prompt_slug="fox",
        repeat=0,
        fields={"model": "sd3-large", "prompt": "ein Fuchs, «rot» 🦊", "seed": "7"},
        image=None,
        variables={"animal": "fox"},
        place=lambda _: stem,
    )


def sidecar_for(
    of: Task, picture: Picture, attempts: Sequence[Attempt] = (ATTEMPT,), *, usd: Decimal | None = None
) -> Sidecar:
    """What a sink is given."""
    return sidecar(
        of,
        provider="gateway",
        url="http://127.0.0.1:8484/v1/generate",
        version="0.1.0",
        success=Success(picture=picture, status=200, content_type="image/png", seed="7", finish_reason="SUCCESS"),
        picture_file=f"{of.stem.rsplit('/', maxsplit=1)[-1]}.{picture.extension}",
        attempts=attempts,
        cost=None if usd is None else Cost(credits=usd * 100, usd=usd, prices="2025-08"),
        made="2026-11-22T02:30:11.533Z",
    )


def document_for(of: Task, picture: Picture) -> bytes:
    """What lies beside a picture whose digest is known."""
    return sidecar_for(of, picture).naming(picture.sha256)
