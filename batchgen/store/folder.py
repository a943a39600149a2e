"""One `output/<name>`: what is in it, what a crash left there, and the sinks that new pictures go to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

from anyio import CapacityLimiter

from batchgen.errors import StorageError
from batchgen.store import contents, durable, leftovers
from batchgen.store.names import AREAS, Spot, spot
from batchgen.store.pictures import PictureSink
from batchgen.store.tree import Tree, disk_errors, is_folder

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.model import Task
    from batchgen.store.contents import Contents
    from batchgen.store.leftovers import Leftovers
    from batchgen.store.sidecar import MadeRecord

DISK_THREADS = 16
"""Threads of its own, so that a slow disk never holds up name look-ups or anything else that needs a thread."""

JOB = "job.yaml"
REPLACED = "replaced"


class OutputFolder:
    """A folder that was there and writable when it was opened. All but the sinks' methods block."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._disk = CapacityLimiter(DISK_THREADS)

    @classmethod
    def open(cls, path: Path) -> OutputFolder:
        """Make the folder if it is missing, and prove that it can be written to.

        Raises:
            StorageError: One line with the place, the cause and the remedy.
        """
        root = path.absolute()
        with disk_errors(root):
            if root.exists() and not root.is_dir():
                raise StorageError(f"{root}: is not a folder; choose another one with --output, or move it away")
            durable.make_folders(root)
            _probe(root)
            for area in AREAS:
                is_folder(root / area)
        return cls(Tree(root))

    @property
    def root(self) -> Path:
        """The folder itself, as an absolute path."""
        return self._tree.root

    def clear_leftovers(self) -> Leftovers:
        """Finish or remove what a killed run left; before `scan`, and never while a run writes here."""
        with disk_errors(self.root):
            return leftovers.clear(self._tree)

    def scan(self) -> Contents:
        """What is made, missing and taken, from one pass over the sidecars."""
        with disk_errors(self.root):
            return contents.scan(self.root)

    def sink(self, task: Task) -> PictureSink:
        """Where the bytes of one attempt at this task go; touches no disk yet."""
        return PictureSink(self._tree, task.stem, self._disk)

    def forget(self, stem: str) -> None:
        """Move the stale sidecar of a missing picture out of the way, so that the picture can be made again.

        A picture that is there but not as its sidecar says may be somebody's work: both go to `replaced/`. A pair
        that fits, and JSON that is none of ours, stay.
        """
        with disk_errors(self.root):
            for area in AREAS:
                self._forget(spot(area, stem))

    def save_job(self, text: bytes) -> None:
        """Keep the job as last run, in one step."""
        with disk_errors(self.root / JOB):
            durable.replace(self.root / JOB, text)

    def _forget(self, place: Spot) -> None:
        folder = self.root / place.folder
        sidecar = folder / place.sidecar
        if not _is_regular(sidecar):
            return
        record = contents.record_of(sidecar)
        if record is None or _fits(folder / record.picture_file, record):
            return
        if os.path.lexists(folder / record.picture_file):
            self._set_aside(place, record.picture_file)
        else:
            sidecar.unlink()
        durable.fsync_folder(folder)

    def _set_aside(self, place: Spot, picture_file: str) -> None:
        folder = self.root / place.folder
        aside = self._tree.ready(REPLACED / place.folder)
        number = 0
        while any(os.path.lexists(_numbered(aside / name, number)) for name in (picture_file, place.sidecar)):
            number += 1
        for name in (picture_file, place.sidecar):
            durable.rename_new(folder / name, _numbered(aside / name, number))
        durable.fsync_folder(aside)


def contents_of(path: Path) -> Contents:
    """What a folder holds, without changing anything in it; nothing where there is none."""
    with disk_errors(path):
        return contents.scan(path.absolute())


def picture_digests(path: Path) -> set[str]:
    """The SHA-256 of every picture in a folder, by their sidecars."""
    with disk_errors(path):
        return {record.sha256 for record in contents.records(path.absolute())}


def _probe(root: Path) -> None:
    probe = root / f".probe-{uuid4().hex}"
    durable.write_new(probe, b"batchgen looks whether it can write here\n")
    probe.unlink()


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _fits(path: Path, record: MadeRecord) -> bool:
    return _is_regular(path) and path.stat().st_size == record.size_bytes


def _numbered(path: Path, number: int) -> Path:
    return path.with_stem(f"{path.stem}.{number}") if number else path
