"""The places of pictures in an output folder, in one order on the disk and in the ledger: two streams that meet.

A place is a folder and a name without extension. Places go by their folder and then by their name, byte by byte, each
with what ends it (`/` and `.`), so that a million of them are compared with a million rows of the ledger while the
names of one folder are held.
"""

from __future__ import annotations

import heapq
import os
import stat
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from batchgen.store.names import AREAS, PICTURE_PART, PICTURES, SIDECAR, SIDECAR_PART, stem_name
from batchgen.store.rows import PictureRow
from batchgen.verification.findings import Finding, Wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one picture and its sidecar lie, or would."""

    folder: str
    """Relative to the output folder."""
    name: str
    files: frozenset[str] = frozenset()
    """The regular files that are there: the sidecar and pictures."""

    @property
    def sidecar(self) -> str:
        """The sidecar's name in the folder."""
        return self.name + SIDECAR

    @property
    def pictures(self) -> list[str]:
        """The names of the pictures that are there: one, where all is well."""
        return sorted(self.files - {self.sidecar})

    def path(self, file: str) -> str:
        """A file's path, relative to the output folder."""
        return f"{self.folder}/{file}"


def places(root: Path) -> Iterator[Place]:
    """Every place where a sidecar or a picture lies, in order. OSErrors pass through."""
    for folder, entries in _folders(root):
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        named = sorted((_encoded(f"{name}."), name, file) for file in files if (name := _name(file)) is not None)
        for (_, name), group in groupby(named, key=itemgetter(0, 1)):
            yield Place(folder, name, frozenset(file for _, _, file in group))


def matched(root: Path, rows: Iterable[PictureRow]) -> Iterator[tuple[Place, list[PictureRow]]]:
    """Every place of the disk or of the ledger, with its rows; `rows` come as `Ledger.by_place` gives them."""
    there = ((place_key(place.path(f"{place.name}.")), place) for place in places(root))
    known = ((place_key(row.path), row) for row in rows)
    for _, group in groupby(heapq.merge(there, known, key=itemgetter(0)), key=itemgetter(0)):
        both = [each for _, each in group]
        found = [row for row in both if isinstance(row, PictureRow)]
        place = next((each for each in both if isinstance(each, Place)), None)
        yield place or _place_of(found[0]), found


def place_key(path: str) -> Key:
    """The place of a picture's path in the order of all places."""
    return _encoded(path[: path.rfind("/") + 1]), _encoded(path[: path.rfind(".") + 1])


def strays(root: Path) -> Iterator[Finding]:
    """All that is neither a picture nor a sidecar below `images/` and `filtered/`. OSErrors pass through."""
    for area in AREAS:
        if os.path.lexists(root / area) and not _is_folder(root / area):
            yield Finding(path=area, wrong=Wrong.FOREIGN, words=f"{_kind(root / area)}, not a folder of batchgen")
    for folder, entries in _folders(root):
        for entry in sorted(entries, key=lambda each: _encoded(each.name)):
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if stem_name(entry.name) is not None and not _holds_files(entry):
                    yield Finding(path=path, wrong=Wrong.FOREIGN, words="a folder called like a file")
            elif not entry.is_file(follow_symlinks=False):
                yield Finding(path=path, wrong=Wrong.FOREIGN, words=f"{_kind(root / path)}, not a file of batchgen")
            elif entry.name.endswith(PICTURE_PART):
                yield Finding(path=path, wrong=Wrong.PART, words="was left unfinished")
            elif _name(entry.name) is None:
                yield Finding(path=path, wrong=Wrong.FOREIGN, words="not a file of batchgen")


def _folders(root: Path) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Every folder of pictures in order, with what is in it; links are not followed."""
    waiting = sorted((area for area in AREAS if _is_folder(root / area)), reverse=True)
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as found:
            entries = list(found)
        inner = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        inner.sort(key=lambda name: _encoded(f"{name}/"), reverse=True)
        waiting += [f"{folder}/{name}" for name in inner]
        yield folder, entries


def _name(file: str) -> str | None:
    """A picture's or a sidecar's name without extension; None for any other file."""
    if file.endswith(SIDECAR_PART):
        return None
    suffix = next((suffix for suffix in (SIDECAR, *PICTURES) if file.endswith(suffix)), "")
    return file.removesuffix(suffix) if suffix and file != suffix else None


def _place_of(row: PictureRow) -> Place:
    folder, _, file = row.path.rpartition("/")
    return Place(folder, file.rpartition(".")[0])


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _holds_files(folder: os.DirEntry[str]) -> bool:
    """A folder may be called like a file where a job's path says so; then pictures or folders of them are in it."""
    with os.scandir(folder) as found:
        return any(entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False) for entry in found)


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device")
