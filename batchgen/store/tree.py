"""What stands below one output folder: no symbolic link, no file of another name, no path too long for its pictures.

A folder is durable before a file in it counts.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from batchgen.errors import StorageError, one_line
from batchgen.store import durable
from batchgen.store.names import LONGEST_BELOW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePosixPath

_REMEMBERED = 50_000
_LONGEST_PATH_BYTES = 4095
"""Linux's PATH_MAX without its NUL."""
_LONGEST_SHOWN = 1_000

_REMEDIES = {
    errno.ENOSPC: "free some space, then run again: what is made stays",
    errno.EDQUOT: "free some of your quota, then run again: what is made stays",
    errno.EROFS: "choose another folder with --output",
    errno.EACCES: "choose a folder of yours with --output, or allow writing there",
    errno.EPERM: "choose a folder of yours with --output, or allow writing there",
    errno.EMFILE: "allow more open files (ulimit -n), or ask for less at a time with --concurrency",
    errno.ENOENT: "put it back, then run again: what is made stays",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away, or choose another folder with --output",
    errno.ENAMETOOLONG: "choose a folder with a shorter path with --output",
    errno.ELOOP: "a symbolic link leads to itself: remove it, or choose another folder with --output",
    errno.EEXIST: "something else stands there: move it away, or choose another folder with --output",
}


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """An OSError in here becomes one line that names the place, the cause and the remedy."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or type(error).__name__
        remedy = _REMEDIES.get(
            error.errno or 0, "look at the disk, or choose another folder with --output: what is made stays"
        )
        raise StorageError(f"{_shown(error.filename or place)}: {cause}; {remedy}") from error


class Tree:
    """The folders below `root`; safe to use from several threads."""

    def __init__(self, root: Path, rescue: Path | None = None) -> None:
        """StorageError where a picture's path could become longer than a path may be, and be found so once paid for."""
        if len(os.fsencode(root)) + LONGEST_BELOW_BYTES > _LONGEST_PATH_BYTES:
            raise StorageError(
                f"{_shown(root)}: is too long a path for pictures below it; {_REMEDIES[errno.ENAMETOOLONG]}"
            )
        self.root = root
        self.file_system = durable.FileSystem(root)
        self.rescue = rescue
        """A folder elsewhere for what can't be kept below this one (see rescue.py)."""
        self._durable: set[str] = set()
        self._making = threading.Lock()

    def ready(
        self, folder: PurePosixPath, looked_at: set[str] | None = None, made: dict[str, list[str]] | None = None
    ) -> str:
        """The path of a folder, made if it is missing, and durable: one that is found may be a killed run's.

        What is in `looked_at` is taken to be ready, and what is found to be is added there. With `made`, what is not
        durable yet is listed there by the folder that it is in, and is to be made so by whoever asks (`lasts`).

        Raises:
            StorageError: A symbolic link is on the way.
            OSError: As the disk says.
        """
        looked_at = set() if looked_at is None else looked_at
        path = str(self.root)
        for part in folder.parts:
            parent, path = path, f"{path}/{part}"
            if path not in looked_at:
                if not is_folder(path) or path not in self._durable:
                    self._make(parent, path, made)
                looked_at.add(path)
        return path

    def lasts(self, folders: Iterable[str]) -> None:
        """These are durable."""
        if len(self._durable) >= _REMEMBERED:
            self._durable.clear()
        self._durable.update(folders)

    def _make(self, parent: str, path: str, made: dict[str, list[str]] | None) -> None:
        with self._making:
            if not is_folder(path):
                with suppress(FileExistsError):  # a run and what keeps its pictures both make folders
                    os.mkdir(path)  # noqa: PTH102 - text, which is quicker
                is_folder(path)
                self._durable.discard(path)
            if path in self._durable:
                return
            if made is None:
                durable.fsync_folder(parent)
                self.lasts([path])
            else:
                made.setdefault(parent, []).append(path)


def is_folder(path: Path | str) -> bool:
    """False when it is missing; what is there must be a folder and no link to one."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise StorageError(
            f"{_shown(path)}: is a symbolic link, and pictures stay inside the output folder; put a real folder there"
        )
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return True


def is_file(path: Path) -> bool:
    """False when it is missing; what is there must be a plain file that has no other name.

    Another name may lie outside the output folder, or in a backup, and what is written to one is written to both.

    Raises:
        StorageError: It is something else.
        OSError: As the disk says.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{_shown(path)}: is no file of batchgen; {_MOVE}")
    if found.st_nlink > 1:
        raise StorageError(f"{_shown(path)}: is a file that has another name too (a hard link); {_MOVE}")
    return True


_MOVE = "move it away, or choose another folder with --output"


def _shown(path: object) -> str:
    return one_line(os.fsdecode(path) if isinstance(path, bytes) else str(path), _LONGEST_SHOWN)
