"""The events of a run, kept in its folder: `runs/<run id>.ndjson`, one JSON object a line."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchgen.store import durable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.store.tree import Tree

RUNS = "runs"


class RunLog:
    """One run's file; all of it blocks. It is there to be read later: a disk that takes no more of it stops no run."""

    def __init__(self, tree: Tree, run: str) -> None:
        """Begin the file.

        Raises:
            OSError: As the disk says.
        """
        path = Path(tree.ready(PurePosixPath(RUNS)), f"{run}.ndjson")
        self._descriptor = os.open(path, durable.NEW_FILE | os.O_APPEND, 0o666)
        self._whole = True

    def write(self, lines: Sequence[bytes]) -> None:
        """Add these lines, as long as none was refused."""
        if lines and self._whole:
            try:
                durable.write_all(self._descriptor, b"".join(lines))
            except OSError:
                self._whole = False

    def close(self) -> None:
        """What was written lasts."""
        try:
            if self._whole:
                os.fsync(self._descriptor)
        except OSError:
            self._whole = False
        finally:
            os.close(self._descriptor)
