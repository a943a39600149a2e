"""What the files of one picture are called.

Beside each other lie `<stem>.png` (or .jpg, .webp) and `<stem>.json`; on their way there they are `<stem>.part`, whose
format is not known before its bytes are, and `<stem>.json.part`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

IMAGES = "images"
FILTERED = "filtered"
AREAS = (IMAGES, FILTERED)

PICTURE_PART = ".part"
SIDECAR = ".json"
SIDECAR_PART = ".json.part"
PICTURES = (".png", ".jpg", ".webp")

_SUFFIXES = (SIDECAR_PART, SIDECAR, PICTURE_PART, *PICTURES)
_LONGEST_NAME_BYTES = 255 - len(SIDECAR_PART)
LONGEST_STEM_BYTES = 2_000
"""A job's paths stay below this: 16 parts of at most 121 bytes."""
LONGEST_BELOW_BYTES = LONGEST_STEM_BYTES + 100
"""Of a file's path below the output folder: `images/` and the like before the stem, and what comes behind it."""


class Spot(NamedTuple):
    """Where a picture and its sidecar lie: a folder, relative to the output folder, and a name without extension."""

    folder: PurePosixPath
    name: str

    @property
    def picture_part(self) -> str:
        """The picture while it comes."""
        return self.name + PICTURE_PART

    @property
    def sidecar(self) -> str:
        """The file whose presence means `made`."""
        return self.name + SIDECAR

    @property
    def sidecar_part(self) -> str:
        """The sidecar until its picture has its final name."""
        return self.name + SIDECAR_PART

    def owns(self, picture_file: str) -> bool:
        """Whether a picture of this name would be this spot's."""
        return picture_file in {self.name + suffix for suffix in PICTURES}


def spot(area: str, stem: str) -> Spot:
    """The spot of a stem; a stem that is not plainly below its area is a bug."""
    name = stem[stem.rfind("/") + 1 :]
    _check(name, stem)
    if len(stem.encode()) > LONGEST_STEM_BYTES:
        raise ValueError(f"stem {stem!r} has more than {LONGEST_STEM_BYTES} bytes")
    return Spot(_folder(area, stem.removesuffix(name)), name)


@lru_cache(maxsize=2048)
def _folder(area: str, parents: str) -> PurePosixPath:
    """A folder below an area by its path with its last `/`; looked at once for all of its pictures."""
    parts = parents.split("/")[:-1]
    for part in parts:
        _check(part, parents)
    return PurePosixPath(area, *parts)


def _check(part: str, stem: str) -> None:
    if part in {"", ".", ".."} or "\0" in part:
        raise ValueError(f"unsafe stem {stem!r}")
    if len(part.encode()) > _LONGEST_NAME_BYTES:
        raise ValueError(f"stem {stem!r} has a part of more than {_LONGEST_NAME_BYTES} bytes")


def sidecar_of(picture: str) -> str:
    """The path of the sidecar beside a picture."""
    return picture.rpartition(".")[0] + SIDECAR


def stem_name(file: str) -> str | None:
    """The name that a file takes from the stems of its folder, or None when no file of ours is called like that.

    Told in any case: where case does not count, `7.PNG` takes the place of `7.png`.
    """
    low = file.lower()
    return next((file[: -len(suffix)] for suffix in _SUFFIXES if low.endswith(suffix) and low != suffix), None)


def folded(path: str) -> str:
    """The same for names that some file system holds for the same: NFC and case-folded."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
