"""Pictures and tasks that the tests of the store share."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from PIL import Image

from batchgen.model import Attempt, Billing, Picture, Success, Task
from batchgen.store import contents, leftovers
from batchgen.store.folder import OutputFolder
from batchgen.store.rows import AttemptRow
from batchgen.store.sidecar import sidecar
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchgen.store.contents import Contents
    from batchgen.store.leftovers import Leftovers
    from batchgen.store.pictures import PictureSink
    from batchgen.store.writer import Writer


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


def sidecar_for(of: Task, picture: Picture) -> bytes:
    return sidecar(
        of,
        provider="gateway",
        url="http://127.0.0.1:8484/v1/generate",
        version="0.1.0",
        success=Success(picture=picture, status=200, content_type="image/png", seed="7", finish_reason="SUCCESS"),
        picture_file=f"{of.stem.rsplit('/', maxsplit=1)[-1]}.{picture.extension}",
        attempts=[ATTEMPT],
        cost=None,
        made="2026-11-22T02:30:11.533Z",
    )


_OPEN: dict[Path, OutputFolder] = {}


def opened(path: Path) -> OutputFolder:
    """A folder, owned by this process; opened again it is as if the run before had ended."""
    if path in _OPEN:
        _OPEN.pop(path).close()
    _OPEN[path] = OutputFolder.open(path, "a-run")
    return _OPEN[path]


def clear(folder: OutputFolder) -> Leftovers:
    """Bring to its end what a dead run left."""
    return leftovers.clear(Tree(folder.root))


def scan(folder: OutputFolder) -> Contents:
    """What the folder holds, by its sidecars alone."""
    return contents.scan(folder.root, None)


async def keep(folder: OutputFolder, of: Task, content: bytes, *, filtered: bool = False) -> str:
    """One attempt that goes well, from the first byte to the final name; where it lies then."""
    async with folder.writer(uuid4().hex) as writer:
        number = await writer.begin(AttemptRow(of.id, of.index, ATTEMPT, None))
        sink = folder.sink(of)
        try:
            for start in range(0, len(content), 60_000):
                await sink.write(content[start : start + 60_000])
            picture = await sink.finish()
            assert isinstance(picture, Picture)
            return await kept(writer, number, sink, sidecar_for(of, picture), filtered=filtered)
        finally:
            await sink.discard()


async def kept(writer: Writer, number: int, sink: PictureSink, document: bytes, *, filtered: bool = False) -> str:
    """Keep what a sink found whole; where it lies then."""
    parcel = await sink.wrap(document, filtered=filtered)
    await writer.keep(number, ATTEMPT, parcel)
    return parcel.row.path


async def keep_sink(folder: OutputFolder, of: Task, sink: PictureSink, document: bytes) -> str:
    """The same with a writer of its own."""
    async with folder.writer(uuid4().hex) as writer:
        number = await writer.begin(AttemptRow(of.id, of.index, ATTEMPT, None))
        return await kept(writer, number, sink, document)


def files(root: Path) -> dict[str, str]:
    """Every file of pictures below a folder, by its relative path, with a digest of its content."""
    found = sorted(path for path in root.rglob("*") if not path.is_dir())
    names = {path: path.relative_to(root) for path in found}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for path, name in names.items()
        if name.parts[0] not in {"runs", ".lock"} and not name.parts[0].startswith("batchgen.sqlite")
    }
