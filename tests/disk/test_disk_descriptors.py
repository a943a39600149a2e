"""Open files are no more than were asked for, and few of them make a run slower and nothing else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from disk_stage import tell
from stage import Job, staged

if TYPE_CHECKING:
    from stage import Process

MANY = Job(seeds=12, in_flight=24)
BESIDE = 64
"""Descriptors of a run that no request needs, at most."""


def most_open(process: Process) -> int:
    """How many descriptors a run's two processes had at most, until its end."""
    most = 0
    while process.poll() is None:
        with suppress(OSError):  # it ends
            most = max(most, sum(map(count_open, (str(process.pid), *children(process.pid)))))
    return most


def children(pid: int) -> list[str]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for each in found for child in each.read_text().split()]


def count_open(pid: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.parametrize(("limit", "in_flight"), [(None, 24), (76, 4)])
def test_descriptors_stay_within_what_is_in_flight_and_64(tmp_path: Path, limit: int | None, in_flight: int) -> None:
    if not Path("/proc/self/fd").is_dir() or not shutil.which("prlimit"):
        # Nothing else tells how many files another process has open; batchgen itself asks for neither.
        pytest.skip("counting a process's descriptors needs /proc, limiting them prlimit")
    with staged(tmp_path, MANY) as stage:
        tell(stage, latency=0.2)
        run = stage.start(*(() if limit is None else ("prlimit", f"--nofile={limit}:{limit}")))
        assert 0 < most_open(run) <= in_flight + BESIDE
        assert stage._wait(run) == 0
        assert stage._summary()["peak_in_flight"] == in_flight
        assert len(stage.snapshot().safe) == stage._summary()["requests"] == 2 * MANY.seeds
