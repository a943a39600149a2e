"""Servers as child processes: found, started, waited for, and ended by their own id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from signal import SIGTERM
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_STARTS_WITHIN_S = 15.0
_ENDS_WITHIN_S = 10.0


def found(program: str) -> str | None:
    """Where a program is, or None."""
    # Debian keeps servers where a user's own PATH does not look.
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(child: subprocess.Popen[str], port: int, folder: Path) -> None:
    """Return once the port of a server is open; RuntimeError, with its words, if that takes too long."""
    give_up_at = time.monotonic() + _STARTS_WITHIN_S
    while child.poll() is None and time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server does not listen on port {port}; it says:\n{(folder / 'errors.txt').read_text()}")


@contextmanager
def child_of(
    command: Sequence[str], folder: Path, stdout: IO[str] | int = subprocess.DEVNULL, end: int = SIGTERM
) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the block, by the signal `end` if that is heeded."""
    with (folder / "errors.txt").open("a") as errors:
        child = subprocess.Popen(command, stdout=stdout, stderr=errors, text=True)
    try:
        yield child
    finally:
        child.send_signal(end)
        try:
            child.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()
