"""The order of writing that gives each crash point one meaning, for all pictures that wait at once.

    1. each picture's `.part` and its sidecar's `.part` are whole and durable      crash before: both are cleared
    2. the pictures get their final names, and their folders are made durable      crash from here on: all is finished
    3. the sidecars get their final names, and their folders are made durable      made

A rename never replaces. What goes wrong with one picture leaves the others alone.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchgen.errors import StorageError
from batchgen.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchgen.store.names import Spot
    from batchgen.store.rows import PictureRow
    from batchgen.store.tree import Tree


@dataclass(slots=True, kw_only=True)
class Parcel:
    """A whole picture on its way to its final name."""

    place: Spot
    file: str
    """The picture's final name, without its folder."""
    sidecar: bytes
    row: PictureRow
    content: bytes | bytearray = field(default=b"", repr=False)
    """The picture, where it was not streamed to the disk as it came."""
    streamed: Path | None = None
    """Its `.part` that holds all of it."""
    descriptor: int = -1
    """That file, still open: only it tells of every write that failed. Closed here."""
    error: OSError | StorageError | None = None
    """Why it is not kept."""


def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
    """Keep all of them; blocks. What is not kept has an `error`, and nothing of it stays but what can be finished."""
    sound = _each(parcels, lambda parcel: _write_parts(tree, parcel))
    sound = _each(sound, lambda parcel: _rename(tree, parcel, parcel.place.picture_part, parcel.file))
    sound = _fsync_folders(tree, sound)
    sound = _each(sound, lambda parcel: _rename(tree, parcel, parcel.place.sidecar_part, parcel.place.sidecar))
    _fsync_folders(tree, sound)


def _each(parcels: Sequence[Parcel], step: Callable[[Parcel], None]) -> list[Parcel]:
    """Those for which the step went well."""
    for parcel in parcels:
        try:
            step(parcel)
        except (OSError, StorageError) as error:
            parcel.error = error
    return [parcel for parcel in parcels if parcel.error is None]


def _write_parts(tree: Tree, parcel: Parcel) -> None:
    """Both parts, whole and durable; where that fails none stays."""
    written = [parcel.streamed] if parcel.streamed else []
    try:
        folder = tree.ready(parcel.place.folder)
        _refuse_taken(folder / parcel.file, folder / parcel.place.sidecar)
        part = folder / parcel.place.picture_part
        if parcel.streamed is None:
            durable.write_new(part, parcel.content)
        else:
            durable.fsync(parcel.descriptor)
            if parcel.streamed != part:
                durable.rename_new(parcel.streamed, part)
        written = [part]
        durable.write_new(folder / parcel.place.sidecar_part, parcel.sidecar)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    finally:
        if parcel.descriptor >= 0:
            os.close(parcel.descriptor)


def _rename(tree: Tree, parcel: Parcel, part: str, file: str) -> None:
    folder = tree.root / parcel.place.folder
    try:
        durable.rename_new(folder / part, folder / file)
    except FileExistsError:
        _forsake(folder, parcel)
        raise


def _forsake(folder: Path, parcel: Parcel) -> None:
    """A final name became another's meanwhile: no start could finish this pair, so its parts go."""
    for part in (parcel.place.picture_part, parcel.place.sidecar_part):
        with suppress(OSError):
            (folder / part).unlink(missing_ok=True)


def _fsync_folders(tree: Tree, parcels: Sequence[Parcel]) -> list[Parcel]:
    """Each folder once, however many pictures it got."""
    errors: dict[Path, OSError] = {}
    for folder in dict.fromkeys(tree.root / parcel.place.folder for parcel in parcels):
        try:
            durable.fsync_folder(folder)
        except OSError as error:
            errors[folder] = error
    for parcel in parcels:
        parcel.error = errors.get(tree.root / parcel.place.folder)
    return [parcel for parcel in parcels if parcel.error is None]


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
