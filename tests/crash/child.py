"""The real command line in a process that ends at a step: `child.py --die before:rename_new:3 run otters.yaml`.

`--hold` stops it there, for its power to be cut. `--without fsync|sync` leaves a step of the order of writing out, ours
or the ledger's own, to see that its absence is found. `--checkpoints` has SQLite move its log into the database often.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from typing import Any

from steps import Fuse, connect_as


class _Careless(sqlite3.Connection):
    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *args)


class _Tidy(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA wal_autocheckpoint = 8")


def _main() -> None:
    arguments = sys.argv[1:]
    while arguments[0].startswith("--"):
        match arguments:
            case ["--die", step, *arguments]:
                Fuse(step, signal.SIGKILL).lay()
            case ["--hold", step, *arguments]:
                Fuse(step, signal.SIGSTOP).lay()
            case ["--without", "fsync", *arguments]:
                os.fsync = lambda fd: None  # noqa: ARG005
            case ["--without", "sync", *arguments]:
                connect_as(_Careless)
            case ["--checkpoints", *arguments]:
                connect_as(_Tidy)
            case _:
                raise ValueError(f"{arguments[0]}: is not known")
    sys.argv = ["batchgen", *arguments]
    from batchgen.__main__ import main  # noqa: PLC0415 - its modules are imported by the steps that are laid, or here

    main()


if __name__ == "__main__":
    _main()
