"""One run at a time on an output folder: a lock that dies with its process, and says whose it is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from batchgen.errors import OwnedError, StorageError
from batchgen.store.tree import is_file

if TYPE_CHECKING:
    from pathlib import Path

LOCK = ".lock"
LAST_WORDS_S = 10.0
"""How long to wait for the process that keeps the pictures of a run that was killed (see keeper.py)."""
LOOK_AGAIN_S = 0.01
_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The run that has a folder."""

    pid: int
    host: str
    run: str

    @property
    def is_dead(self) -> bool:
        """Is there no such process on this machine any more?"""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return self.host == socket.gethostname()
        except OSError:  # somebody else's
            return False
        return False

    def __str__(self) -> str:
        return f"run {self.run}, process {self.pid} on {self.host}"


class FolderLock:
    """Held until `release`, or until this process ends in whatever way: the system lets go of it then.

    The file stays: to remove it would let two runs each lock a file of their own.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """Whoever has it open too holds the lock as well."""

    @classmethod
    def take(cls, root: Path, run: str) -> Self:
        """Take the folder for this run.

        Raises:
            OwnedError: Another run has it.
            StorageError: Something else than a file of ours is in the lock's place.
            OSError: As the disk says.
        """
        path = root / LOCK
        is_file(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            _own(descriptor, root)
            _refuse_foreign(descriptor, path)
            os.ftruncate(descriptor, 0)
            said = {"pid": os.getpid(), "host": socket.gethostname(), "run": run}
            os.pwrite(descriptor, json.dumps(said).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let the next run have the folder."""
        with suppress(OSError):  # a disk that takes nothing more leaves a name of nobody there
            os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)


def owner(root: Path) -> Owner | None:
    """The run that has the folder just now, or None, as where it is dead and its last words are kept; takes nothing."""
    path = root / LOCK
    try:
        if not is_file(path):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, StorageError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _read(descriptor) or Owner(pid=0, host="?", run="?")
        return None if found.is_dead else found
    finally:
        os.close(descriptor)
    return None


def _own(descriptor: int, root: Path) -> None:
    """Lock it, unless another run has; who only looks has it for an instant too, but shared."""
    until_s = time.monotonic() + LAST_WORDS_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read(descriptor)
            if owner is not None and owner.is_dead and time.monotonic() < until_s:
                time.sleep(LOOK_AGAIN_S)
                continue
            raise OwnedError(
                f"{root}: another run owns this folder ({owner or 'it does not say which'}); "
                "wait for its end, or give another folder with --output"
            ) from None
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _read(descriptor: int) -> Owner | None:
    try:
        said = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        return Owner(pid=int(said["pid"]), host=str(said["host"]), run=str(said["run"]))
    except (ValueError, LookupError, TypeError):
        return None


def _refuse_foreign(descriptor: int, path: Path) -> None:
    """What is in somebody's file of this name is not written over; after a power cut ours may hold zeros."""
    if os.pread(descriptor, _MOST_BYTES, 0).strip(b"\0") and _read(descriptor) is None:
        raise StorageError(f"{path}: is no file of batchgen; move it away, or choose another folder with --output")
