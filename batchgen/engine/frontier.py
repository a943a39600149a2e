"""What is due now, and when the next thing is due.

A retry is a value put back here with a time, never a worker asleep. What was put back and is due goes before what is
new; what was parked goes after it. Pure: `now` is an argument; new tasks are pulled from their iterator one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchgen.model import Attempt, Task


NOTHING: Final[Mapping[str, Sequence[Attempt]]] = MappingProxyType({})


class Work(NamedTuple):
    """A task with what was tried so far."""

    task: Task
    attempts: tuple[Attempt, ...] = ()
    counted: tuple[Attempt, ...] = ()
    """Those that count against the bounds on trying again: not what an outage cost and what was surely not billed."""
    waited_s: float = 0.0
    """Back-off so far, waits for a limit not counted."""


@dataclass(order=True, slots=True)
class _Later:
    due_at: float
    order: int
    work: Work = field(compare=False)


class Frontier:
    """The tasks of a run that are neither in flight nor ended."""

    def __init__(self, tasks: Iterable[Task], earlier: Mapping[str, Sequence[Attempt]] = NOTHING) -> None:
        """`earlier` holds by task what other runs tried."""
        self._new = iter(tasks)
        self._earlier = earlier
        self._next: Task | None = None
        self._put_back: list[_Later] = []
        self._parked: list[_Later] = []
        self._order = count()

    def has_new(self) -> bool:
        """Is there work that was never tried, and so is due?"""
        self._next = self._next or next(self._new, None)
        return self._next is not None

    def due_at(self) -> float | None:
        """When the next work is due, -inf for what is new; None: all is in flight or ended."""
        if self.has_new():
            return -inf
        soonest = [heap[0].due_at for heap in (self._put_back, self._parked) if heap]
        return min(soonest, default=None)

    def take(self, now: float) -> Work:
        """The first of what is due at `now`; `due_at` said that something is."""
        if self._put_back and self._put_back[0].due_at <= now:
            return heappop(self._put_back).work
        if self._next is not None:
            task, self._next = self._next, None
            return Work(task=task, attempts=tuple(self._earlier.get(task.id, ())))
        return heappop(self._parked).work

    def put_back(self, work: Work, due_at: float) -> None:
        """Try this again at `due_at` or after."""
        heappush(self._put_back, _Later(due_at, next(self._order), work))

    def park(self, work: Work, due_at: float) -> None:
        """Try this again at `due_at` or after, once nothing new is left."""
        heappush(self._parked, _Later(due_at, next(self._order), work))
