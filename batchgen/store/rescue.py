"""What was paid for and can't be kept in the output folder goes to a rescue place, and comes home at the next start.

The rescue place is a folder of the user's state folder, one for each output folder, laid out like that and written in
the same order: a sidecar there means that its picture is whole. Where it fails too, a picture is lost, and it is said.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from batchgen.errors import StorageError
from batchgen.store import durable, leftovers
from batchgen.store.contents import folders, record_of
from batchgen.store.keep import Parcel, check, put
from batchgen.store.names import SIDECAR, Spot
from batchgen.store.rows import PictureRow
from batchgen.store.tree import Tree, disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path, PurePosixPath

    from batchgen.store.sidecar import MadeRecord


class LostError(StorageError):
    """A picture that was paid for is nowhere: neither the output folder nor the rescue place took it."""


def rescue_place(state: Path | None, output: Path) -> Path | None:
    """The rescue place of an output folder, below the user's state folder; None where there is none."""
    return state and state / "rescued" / hashlib.sha256(os.fsencode(os.path.realpath(output))).hexdigest()[:32]


def rescue_tree(tree: Tree) -> Tree:
    """The rescue place of an output folder, made if it is missing.

    Raises:
        StorageError: There is none.
        OSError: As the disk says.
    """
    if tree.rescue is None:
        raise StorageError("no rescue place is known, since neither XDG_STATE_HOME nor HOME names a folder")
    durable.make_folders(tree.rescue)
    tree.rescue.chmod(0o700)
    return Tree(tree.rescue)


def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
    """Keep them in the output folder, or else in its rescue place; blocks.

    What is not in the output folder has an `error` that says where it is: a LostError where it is nowhere. One that
    has an error already goes to the rescue place at once.
    """
    try:
        put(tree, [parcel for parcel in parcels if parcel.error is None])
        for parcel in parcels:
            if parcel.error is not None:
                parcel.error = _rescued(tree, parcel, parcel.error)
    finally:
        for parcel in parcels:
            if parcel.descriptor >= 0:
                with suppress(OSError):  # what it had to say, its fsync said
                    os.close(parcel.descriptor)


def _rescued(tree: Tree, parcel: Parcel, error: OSError | StorageError) -> StorageError:
    """What there is to say of a picture that can't be kept in the output folder, once it is kept elsewhere."""
    why, at_home = words_of(error, tree.root / parcel.place.folder), parcel.whole
    try:
        place = rescue_tree(tree)
        _put_there(place, parcel)
    except (OSError, StorageError) as second:
        if at_home:
            return StorageError(f"{why}; its picture is whole there, and the next run finishes it")
        return lost(why, second, tree)
    return StorageError(
        f"{why}; its picture is kept as {place.root / parcel.row.path}: the next run into this folder brings it home"
    )


def _put_there(place: Tree, parcel: Parcel) -> None:
    """Into the rescue place: what streamed to a `.part` at home is copied, since its path may be gone by now."""
    at_home = None if (parcel.streamed or "").startswith(f"{place.root}/") else parcel.streamed
    parcel.streamed, parcel.error = None if at_home else parcel.streamed, None
    put(place, [parcel])
    if parcel.error is None:
        check(place.root / parcel.row.path, parcel.row)
    elif not _is_there(place, parcel):
        raise parcel.error
    if at_home:
        with suppress(OSError):  # the next start clears it
            os.unlink(at_home)  # noqa: PTH108 - text, as in keep.py


def _is_there(place: Tree, parcel: Parcel) -> bool:
    """Who put it there was ended before it could say so."""
    with suppress(OSError):
        check(place.root / parcel.row.path, parcel.row)
        return (place.root / parcel.place.folder / parcel.place.sidecar).read_bytes() == parcel.sidecar
    return False


def lost(why: str, error: OSError | StorageError, tree: Tree) -> LostError:
    """Why a picture is lost: the output folder failed so, and the rescue place with this error."""
    return LostError(f"{why}; nor can it be rescued ({words_of(error, tree.rescue or tree.root)})")


def words_of(error: OSError | StorageError, place: Path) -> str:
    """The place, the cause and the remedy, in one line."""
    try:
        with disk_errors(place):
            raise error
    except StorageError as told:
        return str(told)


def has_rescued(tree: Tree) -> bool:
    """Is there a rescue place? One that can't be looked at is none."""
    return tree.rescue is not None and os.path.isdir(tree.rescue)  # noqa: PTH112


def bring_home(tree: Tree) -> int:
    """Keep in the output folder what an earlier run could not, without a request; how many pictures that were.

    What has lost its place to something else stays where it is.

    Raises:
        OSError, StorageError: The output folder still can't take them, or the rescue place can't be read.
    """
    if tree.rescue is None or not has_rescued(tree):
        return 0
    place = Tree(tree.rescue)
    leftovers.clear(place)
    found = {folder: [entry.name for entry in entries] for folder, entries in folders(place.root)}
    spots = [
        Spot(folder, name.removesuffix(SIDECAR)) for folder in found for name in found[folder] if name.endswith(SIDECAR)
    ]
    home = sum(_bring_home(tree, place.root, each) for each in spots)
    _remove_empty(place.root, found)
    return home


def _bring_home(tree: Tree, rescue: Path, place: Spot) -> bool:
    """One picture; one that is at home already only leaves the rescue place."""
    sidecar = rescue / place.folder / place.sidecar
    record = record_of(sidecar)
    if record is None or not place.owns(record.picture_file):
        return False
    picture = sidecar.with_name(record.picture_file)
    is_home = _is_home(tree.root / place.folder / place.sidecar, record)
    if not is_home:
        if not leftovers.is_picture(picture, record):
            return False
        try:
            _put_home(tree, place, record, picture, sidecar.read_bytes())
        except FileExistsError:
            return False
    picture.unlink(missing_ok=True)
    sidecar.unlink()
    return not is_home


def _is_home(sidecar: Path, record: MadeRecord) -> bool:
    known = record_of(sidecar) if sidecar.is_file() else None
    return (
        known is not None
        and known.sidecar_sha256 == record.sidecar_sha256
        and leftovers.is_picture(sidecar.with_name(record.picture_file), record)
    )


def _put_home(tree: Tree, place: Spot, record: MadeRecord, picture: Path, sidecar: bytes) -> None:
    """Copied and checked by its SHA-256, in the order of writing."""
    parcel = Parcel(
        place=place,
        file=record.picture_file,
        sidecar=sidecar,
        row=PictureRow(
            task_id=record.task_id,
            task_index=record.index,
            path=f"{place.folder}/{record.picture_file}",
            size_bytes=record.size_bytes,
            sha256=record.sha256,
            sidecar_sha256=record.sidecar_sha256,
        ),
        descriptor=os.open(picture, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC),
    )
    try:
        put(tree, [parcel])
    finally:
        os.close(parcel.descriptor)
    if parcel.error is not None:
        raise parcel.error


def _remove_empty(root: Path, filled: Iterable[PurePosixPath]) -> None:
    """The folders that nothing is left in, the rescue place itself included."""
    below = {parent for folder in filled for parent in (folder, *folder.parents)}
    for folder in sorted(below, key=lambda each: len(each.parts), reverse=True):
        with suppress(OSError):
            (root / folder).rmdir()
