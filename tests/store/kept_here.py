"""The other end of a writer's line in this process, so that a test can patch what it does and see what it did.

All that travels is pickled, framed, sent and read back as between two processes, by the very code of the other one.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from batchgen.store import folder
from batchgen.store.keeper import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEEPER = "batchgen-keeper"
"""The thread's name."""


@contextmanager
def keeper_thread(_lock: int, memory: int) -> Iterator[socket.socket]:
    """What `keeper_process` is, in a thread; what goes wrong in it is raised at the end."""
    ours, theirs = socket.socketpair()
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            with theirs:
                serve(theirs, memory)
        except BaseException as error:  # noqa: BLE001 - raised below
            wrong.append(error)

    thread = threading.Thread(target=work, name=KEEPER, daemon=True)
    thread.start()
    try:
        with ours:
            try:
                yield ours
            finally:
                with suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)
    finally:
        thread.join()
        for error in wrong:
            raise error


def keep_here(patch: Callable[[Any, str, Any], None]) -> None:
    """From now on runs keep their pictures so; `patch` is `setattr` or a monkeypatch of it."""
    patch(folder, "keeper_process", keeper_thread)
