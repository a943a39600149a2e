"""The input images that a job names, looked at before anything is paid for."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.model import InputImage
from batchgen.store.structure import NotAPicture, Shape, StructureCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BYTES = 10 * 1024 * 1024
"""The API takes a request body of at most 10 MiB."""
SMALLEST_SIDE_PX = 64

_BLOCK_BYTES = 1024 * 1024


def inspect_image(path_in_job: str, base: Path) -> InputImage:
    """An input image as the job at `base` names it: a whole png, jpeg or webp that the API can take.

    Raises:
        ValueError: One line with the cause and the remedy, for the caller to put at its line of the job.
    """
    shown = path_in_job if path_in_job.isprintable() else repr(path_in_job)
    path = base / path_in_job
    try:
        found = _regular(path, shown, base)
        digest, shape = _read(path, shown)
        if (after := path.stat()).st_mtime_ns != found.st_mtime_ns or after.st_size != found.st_size:
            raise ValueError(f"{shown} changed while it was read; try again when it is complete")
    except OSError as error:
        raise ValueError(f"{shown} can't be read: {error.strerror or error}; allow reading it") from error
    _require(shape, shown)
    return InputImage(
        path=path_in_job,
        file=str(path.absolute()),
        sha256=digest,
        size_bytes=found.st_size,
        modified_ns=found.st_mtime_ns,
        media_type=f"image/{shape.format}",
    )


def unchanged(image: InputImage) -> bool:
    """Whether the file still holds what was inspected; read again only where its time of change differs."""
    try:
        found = Path(image.file).stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != image.size_bytes:
            return False
        if found.st_mtime_ns == image.modified_ns:
            return True
        digest = hashlib.sha256()
        for block in _blocks(Path(image.file)):
            digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == image.sha256


def _regular(path: Path, shown: str, base: Path) -> os.stat_result:
    """The file's facts, before it is opened: a pipe would never end."""
    if "\0" in shown or "\0" in str(path):
        raise ValueError(f"{shown} is no path; remove the NUL")
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{shown} does not exist; a path counts from the job's folder, {base}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise ValueError(f"{shown} is {kind}; name a png, jpeg or webp file")
    if found.st_size > LARGEST_BYTES:
        raise ValueError(
            f"{shown} has {found.st_size / 1024**2:.1f} MiB; "
            f"the API takes a request of at most 10 MiB, so make it smaller"
        )
    return found


def _read(path: Path, shown: str) -> tuple[str, Shape]:
    digest, check = hashlib.sha256(), StructureCheck()
    for block in _blocks(path):
        digest.update(block)
        check.feed(block)
    match check.end():
        case Shape() as shape:
            return digest.hexdigest(), shape
        case NotAPicture():
            raise ValueError(f"{shown} is not a png, jpeg or webp picture; convert it to one of these")
        case flaw:
            raise ValueError(f"{shown} is no whole picture ({flaw}); export it again")


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's content; never more than the API takes, were it to grow meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        left = LARGEST_BYTES + 1
        while left and (block := file.read(min(_BLOCK_BYTES, left))):
            left -= len(block)
            yield block


def _require(shape: Shape, shown: str) -> None:
    if min(shape.width, shape.height) < SMALLEST_SIDE_PX:
        raise ValueError(
            f"{shown} is {shape.width} x {shape.height} px; each side must be at least {SMALLEST_SIDE_PX} px"
        )
