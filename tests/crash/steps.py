"""Where a run can be made to die: the steps of the order of writing, and what lies before them."""

from __future__ import annotations

import inspect
import itertools
import sqlite3
import sys
import threading
from functools import partial, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

COMMIT = "commit"
"""Every transaction of the ledger, also those that make it."""

PLACES = {
    # durable writes
    "make_folders": "batchgen.store.durable:make_folders",
    "write_new": "batchgen.store.durable:write_new",
    "fsync_file": "batchgen.store.durable:fsync_file",
    "fsync_folder": "batchgen.store.durable:fsync_folder",
    "flush": "batchgen.store.durable:FileSystem.sync",
    "rename_new": "batchgen.store.durable:rename_new",
    "set_aside": "batchgen.store.durable:set_aside",
    "replace": "batchgen.store.durable:replace",
    "link": "os:link",
    "unlink": "os:unlink",
    "os_fsync": "os:fsync",
    # what is handed over, its batches, and the answers
    "send": "batchgen.store.writer:Writer._send",
    "receive": "batchgen.store.handed:receive",
    "enter": "batchgen.store.desk:Desk.enter",
    "ledger": "batchgen.store.desk:Desk._commit",
    "put": "batchgen.store.desk:Desk.put",
    "keep": "batchgen.store.rescue:keep",
    "answer": "batchgen.store.keeper:_answer",
    "ledger_commit": "batchgen.store.ledger:Ledger.commit",
    # a request and its answer
    "headers_leave": "batchgen.engine.exchange:Exchange.note_sent",
    "request_left": "batchgen.engine.transport:_Request.send",
    "answer_begins": "batchgen.engine.exchange:Exchange.note_answer",
    "bytes_come": "batchgen.store.pictures:PictureSink.write",
    "picture_checked": "batchgen.store.pictures:PictureSink.finish",
    # a run's beginning
    "clear_leftovers": "batchgen.store.leftovers:clear",
    "scan": "batchgen.store.contents:scan",
}


class Fuse:
    """Does something before or after the k-th call of a step in this process."""

    def __init__(self, step: str, blow: Callable[[], None]) -> None:
        self._when, self._name, call = step.split(":")
        if self._when not in {"before", "after"}:
            raise ValueError(f"{step}: is neither before nor after")
        self._call = int(call)
        self._calls = itertools.count(1)
        self._lock = threading.Lock()
        self._what = blow

    def lay(self) -> None:
        """Put it into the step's place."""
        if self._name == COMMIT:
            _connect_with(self)
            return
        module_name, path = PLACES[self._name].split(":")
        owner: Any = import_module(module_name)
        *parents, attribute = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        real = getattr(owner, attribute)
        fused = self.around(real)
        setattr(owner, attribute, fused)
        for module in [module for name, module in sys.modules.items() if name.startswith("batchgen.")]:
            if getattr(module, attribute, None) is real:
                setattr(module, attribute, fused)

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """The step with the fuse in it."""
        if inspect.iscoroutinefunction(real):

            @wraps(real)
            async def step(*args: Any, **kwargs: Any) -> Any:
                call = self._begins()
                result = await real(*args, **kwargs)
                self._is_done(call)
                return result

            return step

        @wraps(real)
        def plain_step(*args: Any, **kwargs: Any) -> Any:
            call = self._begins()
            result = real(*args, **kwargs)
            self._is_done(call)
            return result

        return plain_step

    def _begins(self) -> int:
        """The number of a call that begins."""
        with self._lock:
            call = next(self._calls)
        self._blow("before", call)
        return call

    def _is_done(self, call: int) -> None:
        self._blow("after", call)

    def _blow(self, when: str, call: int) -> None:
        if (self._when, self._call) == (when, call):
            self._what()


def _connect_with(fuse: Fuse) -> None:
    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql.strip().upper() not in {"COMMIT", "END"}:
                return super().execute(sql, *args)
            cursor: sqlite3.Cursor = fuse.around(super().execute)(sql, *args)
            return cursor

        def commit(self) -> None:
            fuse.around(super().commit)()

    connect_as(Connection)


def connect_as(factory: type[sqlite3.Connection]) -> None:
    """Every connection to a database is one of these from here on."""
    sqlite3.connect = partial(sqlite3.connect, factory=factory)  # type: ignore[assignment]
