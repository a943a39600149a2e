"""Crash rounds: each kills runs of one job in its own way, lets the last one end, and calls the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stage import Job, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from judge import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One output folder from its first run to its verdict."""

    group: str
    name: str
    go: Callable[[Path], Tally]
    """Plays it below an empty folder."""
    lacking: Callable[[], str] = str
    """Why it can't be played on this machine; empty: it can."""


SMALL = Job()
BIG = Job(seeds=3, size="full")

STEPS: dict[str, tuple[int, ...]] = {
    "make_folders": (1,),
    "replace": (1,),
    "scan": (1,),
    "commit": (1, 2, 4, 6),
    "batch": (1, 3, 5),
    "keep": (3, 4, 6),
    "ledger_commit": (1, 2, 3, 4, 6),
    "headers_leave": (1, 6, 12),
    "request_left": (1, 7),
    "answer_begins": (1, 6, 12),
    "bytes_come": (1, 8),
    "picture_checked": (1, 7, 12),
    "write_new": (3, 4, 8),
    "link": (1, 2, 7, 13),
    "unlink": (5, 7, 12),
    "rename_new": (1, 2, 5, 10, 16),
    "os_fsync": (1, 4, 9, 14),
    "fsync_folder": (1, 3, 4, 5, 7, 8),
}
"""Step -> which of its calls, of a job of twelve pictures with four in flight."""

BIG_STEPS: dict[str, tuple[int, ...]] = {
    "bytes_come": (2, 9),
    "os_fsync": (5,),
    "rename_new": (1, 4),
    "ledger_commit": (3,),
}
"""The same where pictures stream to a `.part`."""

DURING_RECOVERY = (
    ("before:rename_new:1", "after:rename_new:1", "before:rename_new:1", "after:commit:1"),
    ("after:rename_new:1", "before:fsync_file:1", "after:fsync_folder:2", "before:scan:1"),
    ("after:write_new:3", "after:unlink:2", "before:clear_leftovers:1", "after:clear_leftovers:1"),
    ("before:ledger_commit:4", "before:commit:1", "after:commit:1", "before:commit:2", "after:commit:2"),
    ("after:ledger_commit:3", "after:scan:1", "before:commit:1", "after:replace:1", "before:headers_leave:1"),
    ("after:answer_begins:2", "after:answer_begins:2", "after:answer_begins:2", "after:answer_begins:2"),
)
"""A run dies at the first step, and each that is to recover from it at the next one."""


def step_rounds() -> Iterator[Round]:
    """Each step, before and after several of its calls."""
    for job, table, size in ((SMALL, STEPS, ""), (BIG, BIG_STEPS, " (big)")):
        for name, calls in table.items():
            for call in calls:
                for when in ("before", "after"):
                    step = f"{when}:{name}:{call}"
                    yield Round(group="steps", name=f"{step}{size}", go=deaths(job, step))


def recovery_rounds() -> Iterator[Round]:
    """Runs that die while they recover from a death, several times in a row."""
    for steps in DURING_RECOVERY:
        yield Round(group="recovery", name=" ".join(steps), go=deaths(SMALL, *steps))


def deaths(job: Job, *steps: str) -> Callable[[Path], Tally]:
    """A round in which run after run dies at its step."""

    def go(base: Path) -> Tally:
        with staged(base, job) as stage:
            for step in steps:
                stage.die_at(step)
            stage.complete()
            return stage.judged()

    return go
