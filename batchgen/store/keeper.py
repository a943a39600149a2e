"""The process that keeps a run's pictures: beside the one that asks for them, since Python runs one thread at a time.

It holds the folder's lock too, and ends with the run: when that is killed, it brings to its end what it was given, and
only then may another run have the folder. Signals are for the run, which tells it when to end.
"""

from __future__ import annotations

import gc
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Final

from batchgen.errors import StorageError
from batchgen.store.desk import Desk
from batchgen.store.handed import Answer, Begin, Close, Keep, Settle, framed, receive
from batchgen.store.ledger import Ledger
from batchgen.store.run_log import RunLog
from batchgen.store.slots import Slots
from batchgen.store.tree import Tree, disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchgen.store.handed import Item, Opening

FOR_THE_RUN: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
MOST_AT_ONCE: Final = 256
"""Of all that waits, so much goes in one batch."""
EARLY_BYTES: Final = 2 * 1024 * 1024
"""Where a flush takes no time there is none to share, and after so much of pictures their callers hear of them."""
COMMAND: Final = (
    "import gc, sys; gc.set_threshold(20_000); sys.path[:] = sys.argv[3:]; "
    "from batchgen.store.keeper import main; main()"
)


@contextmanager
def keeper_process(lock: int, memory: int) -> Iterator[socket.socket]:
    """The line to such a process, which has ended when this does.

    `lock` is the folder's, and `memory` that of the slots, as they are open here.

    Raises:
        OSError: The system gives no more processes.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, _no_signals():
            process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-S", "-c", COMMAND, str(theirs.fileno()), str(memory), *sys.path],
                pass_fds=(theirs.fileno(), memory, lock),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        with process:
            try:
                yield ours
            finally:
                with suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)


@contextmanager
def _no_signals() -> Iterator[None]:
    """What is started in here gets none, from its first moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_RUN)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(line: socket.socket, memory: int) -> None:
    """Keep what comes along a line until its end; blocks."""
    with suppress(EOFError, OSError), ExitStack() as stack:
        opening: Opening = receive(line)
        try:
            desk = _opened(opening, memory, stack)
        except (OSError, StorageError) as error:
            _answer(line, [Answer(error=error)])
            return
        _answer(line, [Answer()])
        _keep_all(line, desk)


def _opened(opening: Opening, memory: int, stack: ExitStack) -> Desk:
    tree = Tree(opening.root, opening.rescue)
    with disk_errors(opening.root):
        log = stack.enter_context(closing(RunLog(tree, opening.run)))
        ledger = stack.enter_context(closing(Ledger.go_on(opening.root, opening.run_number)))
    return Desk(tree, ledger, log, Slots(memory))


def _keep_all(line: socket.socket, desk: Desk) -> None:
    waiting: list[Item] = []
    is_open = True
    while waiting or is_open or desk.owes_answers:
        try:
            while len(waiting) < MOST_AT_ONCE:
                waiting += receive(line, socket.MSG_DONTWAIT if waiting or desk.owes_answers else 0)
        except BlockingIOError:
            pass
        except (EOFError, OSError):
            is_open = False
        if not is_open:  # nobody is left to send what would begin
            known = {item.number for item in waiting if isinstance(item, Keep | Settle)}
            waiting = [item for item in waiting if not isinstance(item, Begin) or item.number in known]
            desk.let_none_begin()
        batch, waiting = _share(waiting, EARLY_BYTES if desk.flushes_at_once else inf)
        is_open = is_open and not any(isinstance(item, Close) for item in batch)
        answers = desk.enter(batch)
        with suppress(OSError):  # the run is gone
            _answer(line, answers)
        desk.put(batch)
    _answer(line, [Answer(error=desk.unforeseen)])  # to the Close, if the run is there to read it


def _share(waiting: Sequence[Item], most_bytes: float) -> tuple[list[Item], list[Item]]:
    """What of all that waits is one batch, and what is left for the next: the pictures beyond so many bytes."""
    batch: list[Item] = []
    left: list[Item] = []
    size_bytes = 0
    for item in waiting:
        held_bytes = item.wrapped.size_bytes if isinstance(item, Keep) and item.wrapped.streamed is None else 0
        fits = not held_bytes or not size_bytes or size_bytes + held_bytes <= most_bytes
        if fits and len(batch) < MOST_AT_ONCE:
            batch.append(item)
            size_bytes += held_bytes
        else:
            left.append(item)
    return batch, left


def _answer(line: socket.socket, answers: list[Answer]) -> None:
    if answers:
        line.sendall(b"".join(framed(answers)))


def main() -> None:
    """The process itself, given the numbers of its line and of the memory."""
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as line:
        serve(line, int(sys.argv[2]))
