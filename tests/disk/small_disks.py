"""File systems of a test's own, small enough to be filled."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1024


@contextmanager
def small_disk(base: Path, options: str) -> Iterator[Path]:
    """A tmpfs below `base` with options such as `size=8m,nr_inodes=80`; skips where none can be mounted."""
    if why := lacking():
        # Only root may mount one. The same errors, raised in its place, are in tests/store/test_store_sink_ends.py,
        # test_store_room.py and tests/disk/test_rescue.py, which need nothing.
        pytest.skip(why)
    with _mounted(base / "disk", options) as folder:
        yield folder


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


@lru_cache(maxsize=1)
def lacking() -> str:
    """Why this machine has no small disks; empty: it has."""
    if os.geteuid() != 0:
        return "a small disk needs root, to mount a tmpfs"
    try:
        with TemporaryDirectory() as base, _mounted(Path(base, "disk"), "size=1m"):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a small disk can't be mounted here ({error})"


def enlarge(folder: Path) -> None:
    """There is room again, as the user makes it when told to."""
    _mount("-o", "remount,size=128m,nr_inodes=10000", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S603, S607


def fill(folder: Path, leave_bytes: int) -> Path:
    """Another program takes all but so many bytes; its file."""
    file = folder / "another-programs"
    free = os.statvfs(folder)
    with file.open("wb") as taken:
        os.posix_fallocate(taken.fileno(), 0, free.f_bavail * free.f_frsize - leave_bytes)
    return file
