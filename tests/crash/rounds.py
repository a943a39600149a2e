"""Crash rounds: each kills runs of one job in its own way, lets the last one end, and calls the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stage import DIE, DIE_RUN, Job, staged

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
    "commit@keeper": (1, 5),
    "send": (1, 5, 9),
    "receive": (1, 2),
    "enter": (1, 3, 5),
    "ledger": (2, 5),
    "put": (2, 4, 6),
    "keep": (1, 2, 3),
    "ledger_commit": (1, 2, 3, 4, 6),
    "answer": (1, 2, 5),
    "headers_leave": (1, 6, 12),
    "request_left": (1, 7),
    "answer_begins": (1, 6, 12),
    "bytes_come": (1, 8),
    "picture_checked": (1, 7, 12),
    "write_new": (3, 4, 8),
    "link": (1, 2, 7, 13),
    "unlink": (5, 7, 12),
    "rename_new": (1, 2, 5, 10, 16),
    "os_fsync": (1, 4),
    "os_fsync@keeper": (1, 5, 10),
    "fsync_folder": (1, 3),
    "fsync_folder@keeper": (1, 2, 4, 5),
}
"""Step, and where it is taken, if in both processes -> which of its calls, of a job of twelve pictures with four in
flight."""

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


ALONE: dict[str, tuple[str, ...]] = {
    "run": (
        "after:commit:6",
        "after:send:1",
        "before:headers_leave:7",
        "after:send:5",
        "after:answer_begins:6",
        "after:picture_checked:7",
        # at the other one's steps, which goes on
        "before:receive:1",
        "before:enter:1",
        "after:write_new:4@keeper",
        "after:rename_new:2",
        "before:rename_new:5",
        "before:ledger_commit:3",
        "after:ledger_commit:4",
        "before:answer:4",
    ),
    "keeper": (
        "before:receive:1",
        "before:answer:1",
        "after:answer:1",
        "before:enter:1",
        "before:ledger_commit:1",
        "after:ledger_commit:1",
        "after:write_new:3",
        "after:write_new:6",
        "after:rename_new:1",
        "before:rename_new:4",
        "after:rename_new:10",
        "after:fsync_folder:3",
        "before:ledger_commit:4",
        "after:ledger_commit:5",
        "before:answer:5",
        "after:answer:6",
    ),
}
"""Which of the two processes is killed, and not the other -> where."""
BIG_ALONE: dict[str, tuple[str, ...]] = {
    "run": ("after:bytes_come:9", "before:put:3", "after:rename_new:1", "before:ledger_commit:3"),
    "keeper": ("before:put:3", "after:write_new:1", "after:rename_new:1", "before:ledger_commit:3"),
}


def step_rounds() -> Iterator[Round]:
    """Each step, before and after several of its calls; some of them kill one of the two processes alone."""
    for job, table, size in ((SMALL, STEPS, ""), (BIG, BIG_STEPS, " (big)")):
        for name, calls in table.items():
            for call in calls:
                for when in ("before", "after"):
                    step = _step(when, name, call)
                    yield Round(group="steps", name=f"{step}{size}", go=deaths(job, step))
    for job, size, alone in ((SMALL, "", ALONE), (BIG, " (big)", BIG_ALONE)):
        for step in alone["run"]:
            yield Round(group="steps", name=f"{step}, the run alone{size}", go=deaths(job, step, how=DIE_RUN))
        for step in alone["keeper"]:
            yield Round(group="steps", name=f"{step}, its keeper alone{size}", go=without_keeper(job, step))


def _step(when: str, name: str, call: int) -> str:
    name, at, where = name.partition("@")
    return f"{when}:{name}:{call}{at}{where}"


def recovery_rounds() -> Iterator[Round]:
    """Runs that die while they recover from a death, several times in a row."""
    for steps in DURING_RECOVERY:
        yield Round(group="recovery", name=" ".join(steps), go=deaths(SMALL, *steps))


def deaths(job: Job, *steps: str, how: str = DIE) -> Callable[[Path], Tally]:
    """A round in which run after run dies at its step."""

    def go(base: Path) -> Tally:
        with staged(base, job) as stage:
            for step in steps:
                stage.die_at(step, how)
            stage.complete()
            return stage.judged()

    return go


def without_keeper(job: Job, step: str) -> Callable[[Path], Tally]:
    """A round in which who keeps the pictures is killed at a step."""

    def go(base: Path) -> Tally:
        with staged(base, job) as stage:
            stage.lose_keeper_at(step)
            stage.complete()
            return stage.judged()

    return go
