"""What a crash left, brought to an end at the next start, without a request.

A sidecar's `.part` that is whole says which picture was paid for. Where that picture is there, under its final name
or as `.part`, with this length and this sha256, the pair is finished; whatever else is a `.part` is removed. Regular
files called `*.part` below `images/` and `filtered/` are ours; links, pipes and folders of that name are not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.store import durable
from batchgen.store.contents import folders, record_of
from batchgen.store.keep import finish, finish_sidecar
from batchgen.store.names import PICTURE_PART, SIDECAR_PART, Spot

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from batchgen.store.sidecar import MadeRecord
    from batchgen.store.tree import Tree

_BLOCK_BYTES = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Leftovers:
    """How many pictures were finished, and how many `.part` files led to none and were removed."""

    finished: int = 0
    cleared: int = 0
    damaged: list[tuple[PurePosixPath, str]] = field(default_factory=list)
    """Folder and name of each file that has a picture's final name and not its content: a lying disk's, or somebody's
    work. No picture can be made there before it is moved away."""


def clear(tree: Tree) -> Leftovers:
    """Bring every leftover of a dead run to its end. OSErrors pass through.

    Afterwards there is no `.part` of ours but of pairs whose final name is another's: they wait until that is moved.
    """
    left = Leftovers()
    for folder, entries in folders(tree.root):
        files = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        parts = {name for name in files if name.endswith(PICTURE_PART)}
        if not parts:
            continue
        path = Path(tree.ready(folder))
        for part in sorted(name for name in parts if name.endswith(SIDECAR_PART)):
            place = Spot(folder, part.removesuffix(SIDECAR_PART))
            try:
                _finish(path, place, left)
            except FileExistsError:
                parts -= {place.picture_part, place.sidecar_part}
        left.cleared += _remove(path, parts)
    return left


def _remove(folder: Path, parts: set[str]) -> int:
    left = [folder / name for name in parts if (folder / name).exists()]
    for path in left:
        path.unlink()
    durable.fsync_folder(folder)
    return len(left)


def _finish(folder: Path, place: Spot, left: Leftovers) -> None:
    """Finish one pair if its sidecar's `.part` allows it; FileExistsError where a final name is another's."""
    record = record_of(folder / place.sidecar_part)
    if record is None or not place.owns(record.picture_file):
        return
    picture, part = folder / record.picture_file, folder / place.picture_part
    if is_picture(picture, record):
        durable.fsync_file(picture)
        durable.fsync_file(folder / place.sidecar_part)
        if not _is_named(folder, place):
            finish_sidecar(folder, place)
        left.finished += 1
    elif is_picture(part, record):
        durable.fsync_file(part)
        durable.fsync_file(folder / place.sidecar_part)
        finish(folder, place, record.picture_file)
        left.finished += 1
    elif picture.is_file() and not picture.is_symlink():
        left.damaged.append((place.folder, picture.name))


def waiting(folder: Path, sidecar_part: str) -> str | None:
    """The picture that has its final name already, and waits for its sidecar to get one; None where none does."""
    record = record_of(folder / sidecar_part)
    return record.picture_file if record is not None and is_picture(folder / record.picture_file, record) else None


def is_picture(path: Path, record: MadeRecord) -> bool:
    """Is this the picture that a sidecar tells of, by its length and its SHA-256?"""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != record.size_bytes:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest() == record.sha256


def _is_named(folder: Path, place: Spot) -> bool:
    """Has the sidecar its final name already? A crash between the two halves of a rename left both."""
    sidecar = folder / place.sidecar
    return sidecar.is_file() and not sidecar.is_symlink() and cmp(sidecar, folder / place.sidecar_part, shallow=False)
