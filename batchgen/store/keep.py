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
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from batchgen.errors import StorageError
from batchgen.store import durable
from batchgen.store.names import PICTURE_PART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    _Apply = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

    from batchgen.store.names import Spot
    from batchgen.store.rows import PictureRow
    from batchgen.store.tree import Tree

FEW: Final = 4
"""So many pictures go one after another; more go side by side, so that a slow disk takes its time once for all."""
AT_ONCE: Final = 32
"""Threads for that; each holds a file descriptor."""
_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Parcel:
    """A whole picture on its way to its final name."""

    place: Spot
    file: str
    """The picture's final name, without its folder."""
    sidecar: bytes
    row: PictureRow
    content: bytes | bytearray = field(default=b"", repr=False)
    """The picture, where no file holds it."""
    descriptor: int = -1
    """A file that holds it, open for reading; whoever keeps the parcel closes it."""
    streamed: Path | None = None
    """That file's path where it is this parcel's own `.part`: then no other tells of every write that failed."""
    whole: bool = False
    """Do both parts last? Then the next start finishes what this one does not."""
    error: OSError | StorageError | None = None
    """Why it is not kept."""


def put(tree: Tree, parcels: Sequence[Parcel]) -> None:
    """Put all of them under their final names; blocks. What is not has an `error`, and leaves what can be finished."""
    if not parcels:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="batchgen-disk") as threads:
        apply: _Apply = threads.map if len(parcels) > FEW else map
        sound = _each(parcels, partial(_write_parts, tree), apply)
        sound = _each(sound, lambda parcel: _rename(tree, parcel, parcel.place.picture_part, parcel.file))
        sound = _fsync_folders(tree, sound, apply)
        sound = _each(sound, lambda parcel: _rename(tree, parcel, parcel.place.sidecar_part, parcel.place.sidecar))
        _fsync_folders(tree, sound, apply)


def _each(parcels: Sequence[Parcel], step: Callable[[Parcel], None], apply: _Apply = map) -> list[Parcel]:
    """Those for which the step went well."""

    def take(parcel: Parcel) -> None:
        try:
            step(parcel)
        except (OSError, StorageError) as error:
            parcel.error = error

    deque(apply(take, parcels), maxlen=0)
    return [parcel for parcel in parcels if parcel.error is None]


def _write_parts(tree: Tree, parcel: Parcel) -> None:
    """Both parts, whole and durable; where that fails none stays."""
    written = [parcel.streamed] if parcel.streamed else []
    try:
        folder = tree.ready(parcel.place.folder)
        _refuse_taken(folder / parcel.file, folder / parcel.place.sidecar)
        part = folder / parcel.place.picture_part
        _twice(part, partial(_write_picture, parcel))
        written = [part]
        _twice(folder / parcel.place.sidecar_part, lambda path: durable.write_new(path, parcel.sidecar))
        parcel.whole = True
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        parcel.streamed = None
        raise


def _twice(part: Path, write: Callable[[Path], None]) -> None:
    """A part, whole and durable; after an I/O error as a new file, since a failed fsync is never repeated."""
    try:
        write(part)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        fresh = part.with_name(f"{uuid4().hex}{PICTURE_PART}")
        write(fresh)
        try:
            durable.rename_new(fresh, part)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _write_picture(parcel: Parcel, part: Path) -> None:
    if parcel.descriptor < 0:
        durable.write_new(part, parcel.content)
    elif parcel.streamed is None:
        _copy_new(parcel.descriptor, part, parcel.row)
    else:
        streamed, parcel.streamed = parcel.streamed, None
        try:
            durable.fsync(parcel.descriptor)
            if streamed != part:
                durable.rename_new(streamed, part)
        except BaseException:
            streamed.unlink(missing_ok=True)
            raise


def _copy_new(source: int, part: Path, row: PictureRow) -> None:
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
        with suppress(OSError):
            part.unlink()
        raise


def copy(source: int, target: int, size_bytes: int) -> None:
    """The first so many bytes of an open file, wherever it stands, to the end of another."""
    done = 0
    while done < size_bytes and (block := os.pread(source, min(_BLOCK_BYTES, size_bytes - done), done)):
        durable.write_all(target, block)
        done += len(block)


def check(path: Path, row: PictureRow) -> None:
    """An OSError where a file is not this picture: a disk that failed need not give back what it took."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != row.sha256:
            raise OSError(errno.EIO, "what was written does not read back", str(path))


def _rename(tree: Tree, parcel: Parcel, part: str, file: str) -> None:
    folder = tree.root / parcel.place.folder
    try:
        durable.rename_new(folder / part, folder / file)
    except FileExistsError:
        _forsake(folder, parcel)
        raise


def _forsake(folder: Path, parcel: Parcel) -> None:
    """A final name became another's meanwhile: no start could finish this pair, so its parts go."""
    parcel.whole = False
    for part in (parcel.place.picture_part, parcel.place.sidecar_part):
        with suppress(OSError):
            (folder / part).unlink(missing_ok=True)


def _fsync_folders(tree: Tree, parcels: Sequence[Parcel], apply: _Apply) -> list[Parcel]:
    """Each folder once, however many pictures it got."""
    folders = list(dict.fromkeys(tree.root / parcel.place.folder for parcel in parcels))
    errors = dict(zip(folders, apply(_fsync_folder, folders), strict=True))
    for parcel in parcels:
        parcel.error = errors[tree.root / parcel.place.folder]
    return [parcel for parcel in parcels if parcel.error is None]


def _fsync_folder(folder: Path) -> OSError | None:
    try:
        durable.fsync_folder(folder)
    except OSError as error:
        return error
    return None


def _refuse_taken(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def finish(folder: Path, place: Spot, file: str) -> None:
    """Steps 2 and 3 for a pair that a dead run left: both parts are whole and durable."""
    durable.rename_new(folder / place.picture_part, folder / file)
    finish_sidecar(folder, place)


def finish_sidecar(folder: Path, place: Spot) -> None:
    """Step 3: the picture has its final name; once that is durable, so has its sidecar."""
    durable.fsync_folder(folder)
    durable.rename_new(folder / place.sidecar_part, folder / place.sidecar)
    durable.fsync_folder(folder)
