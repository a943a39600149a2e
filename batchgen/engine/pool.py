"""The one loop: a bounded number of workers pull what is due, wait for permission, try, and settle what came of it.

A worker holds nothing while a task waits for its next try: the task is back in the frontier. Draining cancels only
what has not been sent yet; what is in flight ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import random
from typing import TYPE_CHECKING, Protocol

import anyio

from batchgen.engine.frontier import Frontier, Later, Work
from batchgen.engine.policy import verdict
from batchgen.model import Billing, Failure, Fault, GiveUp, Retry, Stop, Success

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from batchgen.engine.budget import Budget
    from batchgen.engine.limiter import Limiter, Permit
    from batchgen.engine.policy import RetryBounds
    from batchgen.model import Attempt, Outcome, Task


class Tries(Protocol):
    """Makes attempts, wherever they happen."""

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try a task once; what it brought is kept before this returns."""


class Listener(Protocol):
    """Hears what becomes of each task; calls return at once."""

    def made(self, work: Work, success: Success) -> None:
        """The task's picture is kept."""

    def retried(self, work: Work, failure: Failure, after_s: float) -> None:
        """The task will be tried again."""

    def failed(self, work: Work, failure: Failure) -> None:
        """The task has ended without a picture."""

    def stopped(self, work: Work, failure: Failure) -> None:
        """Every further task would meet this too: no more is sent."""

    def capped(self, cap: str) -> None:
        """A cap on cost or pictures is reached: no more is sent."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What each attempt passes before it is sent: the budget, then the limiter."""

    limiter: Limiter
    budget: Budget
    price_of: Callable[[Task], Decimal]


class Pool:
    """Runs the tasks of a frontier through at most `workers` attempts at a time."""

    def __init__(self, frontier: Frontier, gates: Gates, tries: Tries, listener: Listener, bounds: RetryBounds) -> None:
        self._frontier = frontier
        self._limiter = gates.limiter
        self._budget = gates.budget
        self._price_of = gates.price_of
        self._tries = tries
        self._listener = listener
        self._bounds = bounds
        self._open = 0  # taken from the frontier and not settled
        self._changed = anyio.Event()
        self._unsent: set[anyio.CancelScope] = set()
        self._draining = False

    async def run(self, workers: int) -> None:
        """Work until nothing is due or in flight, or until drained."""
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(self._work)

    def drain(self) -> None:
        """Send nothing more; `run` returns when what is in flight has ended."""
        self._draining = True
        for scope in self._unsent:
            scope.cancel()

    async def _work(self) -> None:
        while (found := await self._next()) is not None:
            work, permit = found
            try:
                attempt, outcome = await self._tries(work, permit.sent)
            finally:
                permit.release()
            billed = attempt.billing is not Billing.NO
            self._budget.settle(self._price_of(work.task), billed=billed, made=isinstance(outcome, Success))
            self._settle(replace(work, attempts=(*work.attempts, attempt)), outcome, permit)
            self._open -= 1
            self._wake()

    async def _next(self) -> tuple[Work, Permit] | None:
        """The next work and the permission to send it; None when there is nothing more to send."""
        with anyio.CancelScope() as scope:
            self._unsent.add(scope)
            try:
                if self._draining or (work := await self._due()) is None:
                    return None
                if cap := await self._budget.reserve(self._price_of(work.task)):
                    self.drain()
                    self._listener.capped(cap)
                    return None
                return work, await self._limiter.turn()
            finally:
                self._unsent.discard(scope)
        return None

    async def _due(self) -> Work | None:
        while True:
            now = anyio.current_time()
            match self._frontier.take(now):
                case Work() as work:
                    self._open += 1
                    return work
                case Later(due_at):
                    with anyio.move_on_after(due_at - now):
                        await self._changed.wait()
                case None if self._open == 0:
                    return None
                case None:
                    await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _settle(self, work: Work, outcome: Outcome, permit: Permit) -> None:
        if isinstance(outcome, Success):
            self._listener.made(work, outcome)
            return
        if outcome.fault is Fault.THROTTLED:
            permit.throttled(outcome.retry_after_s)
        before = work.attempts[:-1]
        chance = random()  # noqa: S311 - spreads retries, guards nothing
        match verdict(outcome, before, waited_s=work.waited_s, bounds=self._bounds, chance=chance):
            case Retry(after_s=after_s):
                again = replace(work, waited_s=work.waited_s + after_s)
                self._frontier.put_back(again, anyio.current_time() + after_s)
                self._listener.retried(work, outcome, after_s)
            case GiveUp():
                self._listener.failed(work, outcome)
            case Stop():
                self.drain()
                self._listener.stopped(work, outcome)
