"""Runs of batchgen against the server that never waits, for the part `flat`: each in its own process, in memory."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.file_server import TINY, serving
from benchmarks.throughput_clients import IN_FLIGHT, job_of
from benchmarks.watched import watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.file_server import Noise
    from benchmarks.watched import Watched

_ENDS_WITHIN_S = 400.0


class Failed(RuntimeError):  # noqa: N818 - what became of a run
    """A run did not do what it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One run that made what it was asked for."""

    watched: Watched
    first_s: float
    """From exec to the first request's arrival."""
    answered: Sequence[float]
    """When the server had sent each picture, in seconds since the epoch, in order."""
    pause_s: float
    """The longest pause of its event loop."""
    work_s: float
    """The longest that the loop's thread itself was on a core without looking up."""


def write_job(folder: Path, *seeds: str, url: str = "http://127.0.0.1:9/") -> Path:
    """A job of one prompt and these ranges of seeds."""
    job = folder / "job.yaml"
    job.write_text(json.dumps(job_of(url, *seeds)))
    return job


def fill(folder: Path, output: Path, tasks: int, *seeds: str) -> None:
    """Have the first tasks of a job made, by flat_folder.py, which then has ended: its memory is none of a run's.

    Raises:
        Failed: They were not.
    """
    job = write_job(folder, *seeds)
    command = [sys.executable, "-m", "benchmarks.flat_folder", str(job), str(output), str(tasks)]
    if fault := watch(command, folder, within_s=_ENDS_WITHIN_S).fault:
        raise Failed(fault)


def make(folder: Path, output: Path, pictures: int, *seeds: str, picture: Noise = TINY) -> Made:
    """Have so many of what a job asks for made, 64 in flight.

    Raises:
        Failed: They were not.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        here = Path(name)
        seen = here / "loop.json"
        with serving(picture, here / "server") as server:
            job = write_job(here, *seeds, url=server.url)
            run = ["run", str(job), "--output", str(output), "--limit", str(pictures), "--concurrency", str(IN_FLIGHT)]
            command = [sys.executable, "-m", "benchmarks.flat_loop", str(seen), *run]
            watched = watch(command, here, within_s=_ENDS_WITHIN_S)
        answered = server.answered()
        if watched.fault or len(answered) != pictures:
            raise Failed(watched.fault or f"was served {len(answered):,} of {pictures:,} pictures")
        loop = json.loads(seen.read_text())
        return Made(
            watched=watched,
            first_s=server.first_arrival() - watched.began,
            answered=answered,
            pause_s=loop["pause_s"],
            work_s=loop["work_s"],
        )
