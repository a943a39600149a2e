"""What is due now, and when the next thing is due.

A retry is a value put back here with a time, never a worker asleep. What was put back and is due goes before what is
new. Pure: `now` is an argument; new tasks are pulled from their iterator one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchgen.model import Attempt, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task with what was tried so far."""

    task: Task
    attempts: tuple[Attempt, ...] = ()
    waited_s: float = 0.0
    """Back-off so far, waits for a limit not counted."""


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is due yet: something was put back until `due_at`."""

    due_at: float


@dataclass(order=True, slots=True)
class _PutBack:
    due_at: float
    order: int
    work: Work = field(compare=False)


class Frontier:
    """The tasks of a run that are neither in flight nor ended."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._new = iter(tasks)
        self._put_back: list[_PutBack] = []
        self._order = count()

    def take(self, now: float) -> Work | Later | None:
        """What is due at `now`, or when something will be, or None: all is in flight or ended."""
        if self._put_back and self._put_back[0].due_at <= now:
            return heappop(self._put_back).work
        if (task := next(self._new, None)) is not None:
            return Work(task=task)
        return Later(self._put_back[0].due_at) if self._put_back else None

    def put_back(self, work: Work, due_at: float) -> None:
        """Try this again at `due_at` or after."""
        heappush(self._put_back, _PutBack(due_at, next(self._order), work))
