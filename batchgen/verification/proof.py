"""What the bytes of a picture prove: length, SHA-256, whether it is whole and, if asked, whether it decodes."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from batchgen.errors import one_line
from batchgen.store.structure import Shape, StructureCheck

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK_BYTES = 256 * 1024
_FORMATS = ("PNG", "JPEG", "WEBP")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One look at the bytes of one picture."""

    size_bytes: int
    sha256: str
    shape: Shape | str
    """What they are a picture of, or in one line why they are no whole picture."""


def prove(path: Path, *, deep: bool) -> Proof | None:
    """Read a picture once, and decode it if `deep`; None where there is no regular file. OSErrors name the path."""
    with opened(path) as file:
        if file is None:
            return None
        digest, check, size_bytes = hashlib.sha256(), StructureCheck(), 0
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            check.feed(block)
            size_bytes += len(block)
        shape = check.end()
        if deep and isinstance(shape, Shape):
            file.seek(0)
            shape = _undecodable(file) or shape
        return Proof(size_bytes=size_bytes, sha256=digest.hexdigest(), shape=shape)


def read_up_to(path: Path, most_bytes: int) -> bytes | None:
    """What a file holds, or its beginning, one byte longer, where it has more; None where there is no regular file."""
    with opened(path) as file:
        # The room for a read is taken at once: never more than there is.
        return None if file is None else file.read(min(os.fstat(file.fileno()).st_size, most_bytes) + 1)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """A regular file, to be read; None where there is none. Neither a link nor a pipe is followed or waited for."""
    try:
        try:
            descriptor = os.open(path, _READ)
        except FileNotFoundError:
            yield None
            return
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            yield file if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError as error:  # a failing read does not say of what
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def silent_decoders() -> Iterator[None]:
    """Around all threads that decode: Pillow warns of nothing, and what has too many pixels is not decoded.

    How many are too many is Pillow's own MAX_IMAGE_PIXELS, 89 million, as for what comes from a server.
    """
    from PIL import Image  # noqa: PLC0415 - takes a while, and most of verifying needs none of it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _undecodable(file: BinaryIO) -> str:
    """Why a picture of a sound structure can't be decoded, or nothing."""
    from PIL import Image  # noqa: PLC0415 - see above

    try:
        with Image.open(file, formats=_FORMATS) as image:
            for frame in range(getattr(image, "n_frames", 1)):
                image.seek(frame)
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "has more pixels than are safe to decode"
    except MemoryError:
        raise
    except Exception as error:  # decoders fail in any way on broken bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return f"can't be decoded ({one_line(str(error) or type(error).__name__, 100)})"
    return ""
