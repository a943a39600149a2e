"""A process from exec to end, watched from outside: wall and CPU seconds, peak memory, and memory as it went."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

from benchmarks.servers import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY_ENV = "BENCH_KEY"
_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a process took."""

    began: float
    """Seconds since the epoch, just before it was started."""
    wall_s: float
    cpu_s: float
    """User and system, with the children that it waited for."""
    peak_mb: float
    """The most that was resident at any time, in MiB; 0 for one that ended before it was looked at.

    VmHWM, and what its children have for themselves (RssAnon): programs, libraries and shared memory are in both.
    """
    memory: tuple[tuple[float, float], ...]
    """Seconds since the epoch and MiB that were resident then, some twenty times a second."""
    fault: str | None
    """What went wrong with it."""


def how_busy() -> str:
    """What else goes on here, for whoever reads the figures: a busy machine measures itself."""
    return f"load before it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def turns(rounds: int, within_s: float) -> Iterator[int]:
    """The rounds, at least one; none begins once so many seconds have passed, and that is printed."""
    began = time.monotonic()
    for number in range(rounds):
        if number and time.monotonic() - began > within_s:
            print(f"({number} of {rounds} rounds: {within_s:g} s were over)")
            return
        yield number


def watch(command: Sequence[str], folder: Path, *, within_s: float) -> Watched:
    """Run a command to its end; its words go to `folder`/said.txt, and what it remembers below state/ there.

    A command that takes longer is killed with all that it started.
    """
    environment = {**os.environ, KEY_ENV: KEY, "XDG_STATE_HOME": str(folder / "state")}
    samples: list[tuple[float, float, float]] = []
    over = Event()
    began, started = time.time(), time.perf_counter()
    with (folder / "said.txt").open("w") as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
    looking = Thread(target=_look, args=(child.pid, samples, over))
    late = Timer(within_s, _kill, (child.pid,))
    try:
        looking.start()
        late.start()
        _, status, usage = os.wait4(child.pid, 0)  # tells of this process alone, as no other call does
        wall_s = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        over.set()
        late.cancel()
        looking.join()
        if child.returncode is None:
            _kill(child.pid)
            child.wait()
    return Watched(
        began=began,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=max((peak for _, _, peak in samples), default=0.0),
        memory=tuple((at, resident) for at, resident, _ in samples),
        fault=_fault(child.returncode, wall_s, within_s, folder),
    )


def _kill(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, SIGKILL)


def _look(process: int, samples: list[tuple[float, float, float]], over: Event) -> None:
    # ru_maxrss of wait4 would be no less than this process's own: a child begins as its parent.
    status = Path(f"/proc/{process}/status")
    while not over.wait(_EVERY_S):
        with suppress(OSError):
            text = status.read_text()
            if "VmHWM" in text:  # else it has ended
                beside = sum(map(_own_mib, _children(process)))
                samples.append((time.time(), _mib(text, "VmRSS") + beside, _mib(text, "VmHWM") + beside))


def _children(process: int) -> list[str]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def _own_mib(process: str) -> float:
    with suppress(OSError, IndexError):  # it has ended
        return _mib(Path(f"/proc/{process}/status").read_text(), "RssAnon")
    return 0.0


def _mib(status: str, field: str) -> float:
    return int(status.partition(f"{field}:")[2].split(maxsplit=1)[0]) / 1024


def _fault(code: int, wall_s: float, within_s: float, folder: Path) -> str | None:
    if code == 0:
        return None
    if wall_s >= within_s:
        return f"did not end within {within_s:g} s"
    lines = (folder / "said.txt").read_text(errors="replace").strip().splitlines()
    return f"ended with {code}: {lines[-1] if lines else 'it said nothing'}"
