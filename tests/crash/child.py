"""The real command line in processes that end at a step: `child.py --die before:rename_new:3 run otters.yaml`.

A step may be taken in the run's process or in the one that keeps its pictures; each counts its own calls, and
`before:rename_new:3@keeper` is of the latter alone. `--die` ends both at one instant, `--die-run` the run's process and
`--die-keeper` the other one. `--hold` stops both, for their power to be cut. `--without fsync|sync` leaves a step of
the order of writing out, ours or the ledger's own, to see that its absence is found. `--checkpoints` has SQLite move
its log into the database often. Whoever starts it gives it a process group of its own.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from steps import Fuse, connect_as

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUN, KEEPER = "run", "keeper"
COMMAND = "import sys; sys.path[:] = sys.argv[3:]; from child import keep; keep({})"


class _Careless(sqlite3.Connection):
    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *args)


class _Tidy(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA wal_autocheckpoint = 8")


def _together(number: signal.Signals) -> None:
    """SIGKILL ends both without a handler or a flush; SIGSTOP holds them, for whoever watches them to do worse."""
    os.killpg(0, number)
    threading.Event().wait()  # a stop reaches every thread, but this one not at once


def _alone(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _lay(step: str, here: str, blow: Callable[[], None]) -> None:
    step, _, where = step.partition("@")
    if where in {"", here}:
        Fuse(step, blow).lay()


def _prepare(arguments: Sequence[str], here: str) -> Sequence[str]:
    """Take the options at the beginning to heart; what follows them."""
    while arguments and arguments[0].startswith("--"):
        match arguments:
            case ["--die", step, *arguments]:
                _lay(step, here, partial(_together, signal.SIGKILL))
            case ["--hold", step, *arguments]:
                _lay(step, here, partial(_together, signal.SIGSTOP))
            case ["--die-run", step, *arguments]:
                _lay(step, here, partial(_alone, os.getpid() if here == RUN else os.getppid()))
            case ["--die-keeper", step, *arguments]:
                _lay(f"{step}@{KEEPER}", here, partial(_alone, os.getpid()))
            case ["--without", "fsync", *arguments]:
                os.fsync = lambda fd: None  # noqa: ARG005
                import_module("batchgen.store.durable").FileSystem.sync = lambda self: True  # noqa: ARG005
            case ["--without", "sync", *arguments]:
                connect_as(_Careless)
            case ["--checkpoints", *arguments]:
                connect_as(_Tidy)
            case _:
                raise ValueError(f"{arguments[0]}: is not known")
    return arguments


def keep(options: Sequence[str]) -> None:
    """The process that keeps the pictures, with the same options."""
    _prepare(options, KEEPER)
    from batchgen.store.keeper import main  # noqa: PLC0415 - as below

    main()


def _main() -> None:
    if os.getpgrp() != os.getpid():
        raise RuntimeError("it ends its process group, so it must have one of its own")
    arguments = sys.argv[1:]
    rest = _prepare(arguments, RUN)
    sys.argv = ["batchgen", *rest]
    from batchgen.__main__ import main  # noqa: PLC0415 - its modules are imported by the steps that are laid, or here
    from batchgen.store import keeper  # noqa: PLC0415

    keeper.COMMAND = COMMAND.format(arguments[: len(arguments) - len(rest)])  # type: ignore[misc]
    main()


if __name__ == "__main__":
    _main()
