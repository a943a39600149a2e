"""The k-th system call of a run fails, by strace: it ends in order, and the next one ends the job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import LEDGER
from rounds import Round
from stage import Job, reference, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from judge import Tally

WRITTEN_ONCE = {".png", ".json", ".part"}
"""Not the folders, which are the next picture's too, nor the ledger, where SQLite writes anew what was not synced."""
JOB = Job(in_flight=2)
KINDS = {
    "write": "write,pwrite64",
    "fsync": "fsync,fdatasync",
    "rename": "rename,renameat,renameat2,link,linkat",
    "close": "close",
}
PICTURES: dict[tuple[str, str], tuple[int, ...]] = {
    ("write", "EIO"): (1, 2, 3, 4, 15),
    ("write", "ENOSPC"): (1, 2, 3, 4),
    ("fsync", "EIO"): (1, 2, 3, 4, 5, 20),
    ("fsync", "ENOSPC"): (1, 3),
    ("rename", "EIO"): (1, 2, 3),
    ("rename", "ENOSPC"): (1, 2, 3, 16),
    ("close", "EIO"): (1, 2, 3),
}
"""Kind and error -> which of a thread's calls on the pictures, their sidecars, their `.part`s and folders: who keeps
them makes all of them, in one thread while the disk is quick."""
LEDGERS: dict[tuple[str, str], tuple[int, ...]] = {
    ("write", "EIO"): (1, 6, 20, 42),
    ("write", "ENOSPC"): (1, 10, 20, 50),
    ("fsync", "EIO"): (1, 2, 3, 5, 7, 9, 12),
    ("close", "EIO"): (1, 2, 3, 4),
}
"""The same on a ledger that is being made: the run's process writes to it some forty times and syncs it nine times,
most of that before a request; the later calls are made by the process that keeps the pictures."""
USED_LEDGERS: dict[tuple[str, str], tuple[int, ...]] = {
    ("write", "EIO"): (2, 12, 24, 32, 40),
    ("write", "ENOSPC"): (4, 18, 27, 40),
    ("fsync", "EIO"): (1, 3, 4, 6, 9, 13),
}
"""The same on one that a killed run left: after some twenty writes and four syncs the calls are made by the process
that keeps the pictures, while requests are on their way."""


def lacking() -> str:
    """Why this machine can't do it; empty: it can."""
    return "" if shutil.which("strace") else "failing system calls need strace"


def system_call_rounds() -> Iterator[Round]:
    """Every kind of call, at several places, on the ledger and on the pictures."""
    for where, table in (("pictures", PICTURES), ("ledger", LEDGERS), ("used ledger", USED_LEDGERS)):
        for (kind, error), calls in table.items():
            for call in calls:
                name = f"{where}: {kind} {call} is {error}"
                yield Round(group="system calls", name=name, go=_go(where, KINDS[kind], error, call), lacking=lacking)


def _go(where: str, calls: str, error: str, number: int) -> Callable[[Path], Tally]:
    def go(base: Path) -> Tally:
        with staged(base, JOB) as stage:
            if where == "used ledger":
                stage.die_at("before:headers_leave:1")
            trace = base / "strace.txt"
            paths = _pictures(stage.output) if where == "pictures" else _ledger(stage.output)
            wrapper = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-o", str(trace)]
            wrapper += [option for path in paths for option in ("-P", path)]
            wrapper += ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={number}"]
            code = stage.run(*wrapper, allowed=(0, 5))
            if code != 0:
                stage.died()  # where the ledger itself failed, nobody could write the run's end into it
                stage.findings += stage.unsaid()
            stage.findings += _repeated(trace.read_text())
            stage.complete()
            return stage.judged()

    return go


def _ledger(output: Path) -> list[str]:
    return [str(output / f"{LEDGER}{ending}") for ending in ("", "-wal", "-shm", "-journal")]


def _pictures(output: Path) -> list[str]:
    """Every name that a picture or its sidecar goes by, and the folders."""
    found = {str(output / "images")}
    for pair in reference(JOB).values():
        picture = output / pair.picture
        found |= {str(picture), str(picture.parent)}
        found |= {str(picture.with_suffix(ending)) for ending in (".part", ".json", ".json.part")}
    return sorted(found)


def _repeated(trace: str) -> Iterator[str]:
    """A call that failed, and what must not follow: a failed fsync is not repeated on the same file."""
    if "(INJECTED)" not in trace:
        yield "no call failed: there are fewer"
    failed: set[str] = set()
    for line in trace.splitlines():
        if "fsync(" not in line and "fdatasync(" not in line:
            continue
        file = line.partition("<")[2].partition(">")[0]
        if file in failed:
            yield f"{file}: its fsync failed and was called again"
        if "(INJECTED)" in line and Path(file).suffix in WRITTEN_ONCE:
            failed.add(file)
