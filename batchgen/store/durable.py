"""The only place that makes things last: every fsync and every rename of the store is one of these.

Two rules: nothing is opened for writing under its final name, and no existing file is replaced (the copy of the job
aside, see `replace`). All of it blocks, so an event loop calls it in a thread; OSErrors pass through.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections import deque
from contextlib import suppress
from fcntl import F_SETFL, fcntl
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

SLOW_S: Final = 0.001
LOOKED_AT: Final = 16
_took_s: Final[deque[float]] = deque(maxlen=LOOKED_AT)

LONG_S: Final = 0.25
LEFT_ALONE_S: Final = 60.0
_LIBC: Final = ctypes.CDLL(None)
_TELLS_ERRORS: Final = hasattr(_LIBC, "syncfs") and [
    int(part) for part in re.findall(r"\d+", os.uname().release)[:2]
] >= [5, 8]
"""Does a flush of a whole file system tell what went wrong? Linux does since 5.8 (syncfs(2))."""

DIRECT_BYTES: Final = 64 * 1024
"""Of a content that is worth going past the system's cache, whose pages cost more than the disk's time."""
BLOCK_BYTES: Final = 4096
"""What goes past it does so in whole blocks; no disk has larger ones."""

_DISK_ERRORS = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def write_new(path: Path | str, content: bytes | bytearray | memoryview, *, lasting: bool = True) -> None:
    """A new file with this content, durable but for its folder; nothing is left of it when that fails.

    One that is not `lasting` is made so by its file system's flush.
    """
    descriptor = os.open(path, NEW_FILE, 0o666)
    try:
        try:
            done = write_directly(descriptor, content) if len(content) >= DIRECT_BYTES else 0
            write_all(descriptor, memoryview(content)[done:])
            if lasting:
                fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a text is quicker
        raise


def write_all(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    """Every byte, in as many writes as it takes."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def write_directly(descriptor: int, content: bytes | bytearray | memoryview) -> int:
    """As much of a new file's content as goes straight to the disk (O_DIRECT, open(2)); how many bytes that is.

    None where the file system can't, or where the content does not begin at a block's boundary in memory; what else
    goes wrong but the disk itself, the write as ever that follows may not meet.
    """
    done, whole = 0, memoryview(content)[: len(content) // BLOCK_BYTES * BLOCK_BYTES]
    try:
        fcntl(descriptor, F_SETFL, os.O_DIRECT)
        while done < len(whole):
            done += os.write(descriptor, whole[done:])
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise
    finally:
        fcntl(descriptor, F_SETFL, 0)
    return done


def fsync(descriptor: int) -> None:
    """What was written to this open file lasts. After an error it is never tried again: the system forgets by then."""
    began_s = monotonic()
    os.fsync(descriptor)
    _took_s.append(monotonic() - began_s)


def is_slow() -> bool:
    """Does the disk take its time? The fourth quickest fsync of late tells: others waited for their turn to run."""
    return len(_took_s) == LOOKED_AT and sorted(_took_s)[3] > SLOW_S


class FileSystem:
    """That of a folder: all that was written there lasts by one flush, however many files it is in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        self._not_before_s = 0.0
        self.took_s = inf
        """So long the last flush took."""

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def is_quick(self) -> bool:
        """Is it worth asking? From then on no error goes unnoticed."""
        if not _TELLS_ERRORS or monotonic() < self._not_before_s:
            return False
        if self._descriptor < 0:
            with suppress(OSError):  # whatever comes next says why
                self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._descriptor >= 0

    def sync(self) -> bool:
        """What was written since it was found quick lasts; False: that is not known, and each file tells for itself.

        Other programs' data are written too: where those take long, it is left alone for a while.
        """
        began_s = monotonic()
        lasts: bool = _LIBC.syncfs(self._descriptor) == 0
        self.took_s = monotonic() - began_s
        if self.took_s > LONG_S:
            self._not_before_s = monotonic() + LEFT_ALONE_S
        return lasts


def fsync_file(path: Path | str) -> None:
    """What was written to this file lasts."""
    _fsync(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def fsync_folder(path: Path | str) -> None:
    """The names in this folder last."""
    _fsync(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _fsync(path: Path | str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: Path) -> None:
    """This folder and those above it that are missing, each durable in its parent."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)
    if not missing:
        path.mkdir(exist_ok=True)  # raises where something else stands there


def rename_new(source: Path | str, target: Path | str) -> None:
    """Another name for a file; FileExistsError when the name is taken, by whatever it is.

    A link and an unlink never replace. Where the file system knows no links, a look and a rename must do.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        refuse_taken(target)
        os.rename(source, target)  # noqa: PTH104
    else:
        os.unlink(source)  # noqa: PTH108


def set_aside(source: Path, target: Path) -> None:
    """As `rename_new`, to a place where nobody else makes files: in one step, so that no crash leaves both names."""
    refuse_taken(target)
    source.rename(target)


def refuse_taken(path: Path | str) -> None:
    """FileExistsError where anything is called like that."""
    if os.path.lexists(path):
        raise _taken(path)


def _taken(path: Path | str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def replace(path: Path, content: bytes) -> None:
    """The one kind of file that may change, replaced in one step: the copy of the job, as last run."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    write_new(part, content)
    part.replace(path)
    fsync_folder(path.parent)
