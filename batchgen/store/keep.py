"""The order of writing that gives each crash point one meaning, for all pictures that wait at once.

    1. each picture's `.part` and its sidecar's `.part` are whole and durable      crash before: both are cleared
    2. the pictures get their final names, and their folders are made durable      crash from here on: all is finished
    3. the sidecars get their final names, and their folders are made durable      made

A rename never replaces. What goes wrong with one picture leaves the others alone. A part that meets an I/O error is
written once more as another file: what could not be made durable is never asked to be again.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batchgen.errors import StorageError
from batchgen.store import durable
from batchgen.store.names import PICTURE_PART
from batchgen.store.side_by_side import apply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from batchgen.store.names import Spot
    from batchgen.store.rows import PictureRow
    from batchgen.store.tree import Tree

TOGETHER: Final = 4
"""So many pictures are worth a flush of their whole file system."""
_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Parcel:
    """A whole picture on its way to its final name."""

    place: Spot
    file: str
    """The picture's final name, without its folder."""
    sidecar: bytes
    row: PictureRow
    content: bytes | bytearray | memoryview = field(default=b"", repr=False)
    """The picture, where no file holds it."""
    descriptor: int = -1
    """A file that holds it, open for reading; whoever keeps the parcel closes it."""
    streamed: str | None = None
    """That file's path where it is this parcel's own `.part`: then no other tells of every write that failed."""
    folder: str = ""
    """The folder that it lies in, once that is ready."""
    whole: bool = False
    """Do both parts last? Then the next start finishes what this one does not."""
    error: OSError | StorageError | None = None
    """Why it is not kept."""


def put(tree: Tree, parcels: Sequence[Parcel]) -> None:
    """Put all of them under their final names; blocks. What is not has an `error`, and leaves what can be finished."""
    made: dict[str, list[str]] = {}
    sound = _find_folders(tree, parcels, made)
    sound = _write_all(tree, made, sound)
    sound = _let_last(tree, made, sound)
    sound = _each(sound, lambda parcel: _rename(parcel, parcel.place.picture_part, parcel.file))
    sound = _fsync_folders(tree, sound)
    sound = _each(sound, lambda parcel: _rename(parcel, parcel.place.sidecar_part, parcel.place.sidecar))
    _fsync_folders(tree, sound)


def _find_folders(tree: Tree, parcels: Sequence[Parcel], made: dict[str, list[str]]) -> list[Parcel]:
    """Each folder looked at once for all of a batch, and made if it is missing."""
    looked_at: set[str] = set()

    def find(parcel: Parcel) -> None:
        parcel.folder = tree.ready(parcel.place.folder, looked_at, made)

    return _each(parcels, find)


def _write_all(tree: Tree, made: dict[str, list[str]], parcels: Sequence[Parcel]) -> list[Parcel]:
    """All parts whole and durable: many by one flush, which the folders made for them share; else each by its own."""
    if len(parcels) >= TOGETHER and tree.file_system.is_quick():
        # Side by side, if the disk is slow: what goes past the cache waits for it.
        written = _each(parcels, lambda parcel: _write_parts(parcel, lasting=False), side_by_side=True)
        if tree.file_system.sync():
            tree.lasts(path for paths in made.values() for path in paths)
            made.clear()
            return written
        for parcel in written:
            _unlink(*_parts(parcel))
            parcel.whole = False
        parcels = written
    return _each(parcels, _write_parts, side_by_side=True)


def _each(parcels: Sequence[Parcel], step: Callable[[Parcel], None], *, side_by_side: bool = False) -> list[Parcel]:
    """Those for which the step went well."""

    def take(parcel: Parcel) -> None:
        try:
            step(parcel)
        except (OSError, StorageError) as error:
            parcel.error = error

    apply(take, parcels, side_by_side=side_by_side)
    return [parcel for parcel in parcels if parcel.error is None]


def _parts(parcel: Parcel) -> tuple[str, str]:
    """The picture's and the sidecar's."""
    return f"{parcel.folder}/{parcel.place.picture_part}", f"{parcel.folder}/{parcel.place.sidecar_part}"


def _write_parts(parcel: Parcel, *, lasting: bool = True) -> None:
    """Both parts, whole and, if `lasting`, durable; where that fails none stays."""
    written = [parcel.streamed] if parcel.streamed else []
    try:
        durable.refuse_taken(f"{parcel.folder}/{parcel.place.sidecar}")  # of the picture's name its rename tells
        picture, sidecar = _parts(parcel)
        _twice(picture, lambda path: _write_picture(parcel, path, lasting=lasting))
        written = [picture]
        _twice(sidecar, lambda path: durable.write_new(path, parcel.sidecar, lasting=lasting))
        parcel.whole = True
    except BaseException:
        _unlink(*written)
        parcel.streamed = None
        raise


def _twice(part: str, write: Callable[[str], None]) -> None:
    """A part, whole and durable; after an I/O error as a new file, since a failed fsync is never repeated."""
    try:
        write(part)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        fresh = f"{os.path.dirname(part)}/{os.urandom(16).hex()}{PICTURE_PART}"  # noqa: PTH120 - text, as the others
        write(fresh)
        try:
            durable.rename_new(fresh, part)
        except OSError:
            _unlink(fresh)
            raise


def _write_picture(parcel: Parcel, part: str, *, lasting: bool) -> None:
    if parcel.descriptor < 0:
        durable.write_new(part, parcel.content, lasting=lasting)
    elif parcel.streamed is None:
        _copy_new(parcel.descriptor, part, parcel.row)
    else:
        streamed, parcel.streamed = parcel.streamed, None
        try:
            if lasting:
                durable.fsync(parcel.descriptor)
            if streamed != part:
                durable.rename_new(streamed, part)
        except BaseException:
            _unlink(streamed)
            raise


def _unlink(*paths: str) -> None:
    """What a disk does not let go of, the next start clears."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - text, as the others


def _copy_new(source: int, part: str, row: PictureRow) -> None:
    """The picture in an open file as a new file, durable but for its folder; nothing is left of it when that fails."""
    descriptor = os.open(part, durable.NEW_FILE, 0o666)
    try:
        try:
            copy(source, descriptor, row.size_bytes)
            durable.fsync(descriptor)
        finally:
            os.close(descriptor)
        check(part, row)
    except BaseException:
        _unlink(part)
        raise


def copy(source: int, target: int, size_bytes: int) -> None:
    """The first so many bytes of an open file, wherever it stands, to the end of another."""
    done = 0
    while done < size_bytes and (block := os.pread(source, min(_BLOCK_BYTES, size_bytes - done), done)):
        durable.write_all(target, block)
        done += len(block)


def check(path: Path | str, row: PictureRow) -> None:
    """An OSError where a file is not this picture: a disk that failed need not give back what it took."""
    with open(path, "rb") as file:  # noqa: PTH123 - text, as the others
        if hashlib.file_digest(file, "sha256").hexdigest() != row.sha256:
            raise OSError(errno.EIO, "what was written does not read back", str(path))


def _rename(parcel: Parcel, part: str, file: str) -> None:
    try:
        durable.rename_new(f"{parcel.folder}/{part}", f"{parcel.folder}/{file}")
    except FileExistsError:  # another's: the pair can't be finished here, so its parts go
        parcel.whole = False
        _unlink(*_parts(parcel))
        raise


def _fsync_folders(tree: Tree, parcels: Sequence[Parcel]) -> list[Parcel]:
    """Each folder once, however many pictures it got; those whose folder lasts."""
    errors = _fsync_each(tree, (parcel.folder for parcel in parcels))
    for parcel in parcels if errors else ():
        parcel.error = errors.get(parcel.folder)
    return [parcel for parcel in parcels if parcel.error is None]


def _let_last(tree: Tree, made: Mapping[str, Sequence[str]], parcels: Sequence[Parcel]) -> list[Parcel]:
    """The folders that were made for a batch last, before anything in them counts: what each is in, once."""
    errors = _fsync_each(tree, made)
    tree.lasts(path for parent, paths in made.items() if parent not in errors for path in paths)
    for parent, error in errors.items():
        for parcel in parcels:
            if any(f"{parcel.folder}/".startswith(f"{path}/") for path in made[parent]):
                parcel.error = error
    return [parcel for parcel in parcels if parcel.error is None]


def _fsync_each(tree: Tree, folders: Iterable[str]) -> dict[str, OSError]:
    """Each once, or all by one flush; what went wrong, by folder."""
    errors: dict[str, OSError] = {}
    each = list(dict.fromkeys(folders))
    if len(each) >= TOGETHER and tree.file_system.is_quick() and tree.file_system.sync():
        return errors

    def fsync(folder: str) -> None:
        try:
            durable.fsync_folder(folder)
        except OSError as error:
            errors[folder] = error

    apply(fsync, each)
    return errors


def finish(folder: Path, place: Spot, file: str) -> None:
    """Steps 2 and 3 for a pair that a dead run left: both parts are whole and durable."""
    durable.rename_new(folder / place.picture_part, folder / file)
    finish_sidecar(folder, place)


def finish_sidecar(folder: Path, place: Spot) -> None:
    """Step 3: the picture has its final name; once that is durable, so has its sidecar."""
    durable.fsync_folder(folder)
    durable.rename_new(folder / place.sidecar_part, folder / place.sidecar)
    durable.fsync_folder(folder)
