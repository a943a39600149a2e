"""Where the pictures of a measurement go: memory, so that no disk is measured, or the disk that the project is on."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "batchgen-bench-"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which others are made and removed."""

    folder: Path
    in_memory: bool

    @property
    def words(self) -> str:
        """The place in the words of the tables."""
        return "tmpfs" if self.in_memory else f"disk ({self._file_system()})"

    def absent(self, need_bytes: int = 0) -> str | None:
        """Why nothing can be measured there, or None."""
        if not os.access(self.folder, os.W_OK):
            return f"{self.folder} is not there, or can't be written to"
        if (self._file_system() == "tmpfs") != self.in_memory:
            return f"{self.folder} is {self._file_system()}"
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < need_bytes:
            return f"{self.folder} has {free_bytes >> 20:,} MiB free, and {need_bytes >> 20:,} are needed"
        return None

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A folder of its own, removed afterwards.

        On a disk not before this process ends: ext4 looks at each inode that was given back in the last five minutes
        before it gives a new file one, and whoever is measured next would pay for what another left.
        """
        if self.in_memory:
            with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self.folder) as name:
                yield Path(name)
        else:
            os.sync()  # nor for what it wrote
            folder = tempfile.mkdtemp(prefix=_PREFIX, dir=self.folder)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            yield Path(folder)

    def _file_system(self) -> str:
        asked = ["df", "--output=fstype", str(self.folder)]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
        return said[-1].strip() if said else "unknown"


MEMORY = Place(Path("/dev/shm"), in_memory=True)  # noqa: S108 - the one tmpfs that every Linux has
DISK = Place(Path(__file__).parents[2], in_memory=False)
"""Beside the project."""
