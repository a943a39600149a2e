"""The one loop: what is due gets permission, is tried, and what came of it is settled.

A task that waits for its next try holds nothing: it is back in the frontier. Nothing is taken from there before it may
be sent, so what comes back in the meantime still goes first. Draining cancels only what has not been sent yet; what is
in flight ends by itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from random import random
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from batchgen.engine import clock
from batchgen.engine.exchange import HeldBack
from batchgen.engine.frontier import Work
from batchgen.engine.policy import verdict
from batchgen.engine.retry_budget import RetryBudget
from batchgen.engine.signal import Signal
from batchgen.model import Billing, Failure, Fault, GiveUp, Retry, Stop, Success

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from batchgen.engine.budget import Budget
    from batchgen.engine.frontier import Frontier
    from batchgen.engine.limiter import Limiter, Permit
    from batchgen.engine.policy import RetryBounds
    from batchgen.model import Attempt, Outcome, Task

AGAIN_S = 1.0
"""What an outage cost is tried again so soon, or when the outage is over."""
LONGEST_OUTAGE_S = 70 * 60.0
"""A few tasks that can never work look like an outage once nothing else is left, so this has an end."""
LONGEST_SILENCE_S = 300.0
"""How long to wait for a server that never answered anything in this run."""


class Tries(Protocol):
    """Makes attempts, wherever they happen."""

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try a task once; what it brought is kept before this returns.

        `on_sent` is called when the request's headers leave; the HeldBack that it may raise passes through: nothing was
        sent and it was no attempt.
        """


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
    """What each attempt passes before it is sent."""

    limiter: Limiter
    budget: Budget
    price_of: Callable[[Task], Decimal]
    chance: Callable[[], float] = random
    """A number from 0 to 1, to spread retries with."""


class _Try(NamedTuple):
    """An attempt that may be made: its price is set aside."""

    work: Work
    permit: Permit
    price: Decimal
    """US dollars."""


class Pool:
    """Runs the tasks of a frontier."""

    def __init__(self, frontier: Frontier, gates: Gates, tries: Tries, listener: Listener, bounds: RetryBounds) -> None:
        self._frontier = frontier
        self._limiter = gates.limiter
        self._budget = gates.budget
        self._price_of = gates.price_of
        self._tries = tries
        self._listener = listener
        self._bounds = bounds
        self._chance = gates.chance
        self._retries = RetryBudget()
        self._in_flight = 0
        self._changed = Signal()
        self._idle: list[asyncio.Future[_Try | None]] = []
        """Tasks of the event loop that have done their work: to wake one costs a fifth of starting another."""
        self._sending: anyio.CancelScope | None = None
        self._draining = False
        self._ended = False
        """Nothing more will be handed over."""

    async def run(self) -> None:
        """Work until nothing is due or in flight, or until drained."""
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as self._sending:
                while not self._draining and (self._frontier.has_new() or await self._is_due()):
                    permit = self._limiter.at_once() or await self._limiter.turn()
                    if self._draining:
                        permit.release()
                        break
                    work = self._frontier.take(permit.given_at)
                    price = self._price_of(work.task)
                    if cap := self._budget.reserve(price):
                        await self._cannot_pay(work, permit, cap)
                        continue
                    self._in_flight += 1
                    if self._idle and not self._idle[-1].done():  # cancelled
                        self._idle.pop().set_result(_Try(work, permit, price))
                    else:
                        group.start_soon(self._keep_trying, _Try(work, permit, price))
            self._ended = True
            for idle in self._idle:
                if not idle.done():
                    idle.set_result(None)

    def drain(self) -> None:
        """Send nothing more; `run` returns when what is in flight has ended."""
        self._draining = True
        self._limiter.close()
        if self._sending is not None:
            self._sending.cancel()

    async def _is_due(self) -> bool:
        """Wait until some work is due; False: there is no more and will be none."""
        while True:
            due_at = self._frontier.due_at()
            if due_at is None and self._in_flight == 0:
                return False
            if due_at == -inf:
                return True
            wait_s = inf if due_at is None else due_at - clock.now()
            if wait_s <= 0:
                return True
            if self._in_flight == 0:
                self._limiter.announce(clock.now(), wait_s, "all that is left failed and waits for its next try")
            await self._changed.wait(wait_s)

    async def _cannot_pay(self, work: Work, permit: Permit, cap: str) -> None:
        """The price of an attempt can't be set aside: the permit is given back and the work put back."""
        permit.release()
        self._frontier.put_back(work, clock.now())
        if self._in_flight:
            await self._changed.wait()  # others may give theirs back
        else:
            self.drain()
            self._listener.capped(cap)

    async def _keep_trying(self, following: _Try | None) -> None:
        """One attempt after another, each handed over by `run`."""
        loop = asyncio.get_running_loop()
        while following is not None:
            await self._try(*following)
            if self._ended:
                return
            idle = loop.create_future()
            self._idle.append(idle)
            following = await idle

    async def _try(self, work: Work, permit: Permit, price: Decimal) -> None:
        try:
            attempt, outcome = await self._tries(work, permit.sent)
            outage_s = permit.answered(outcome)
            self._note(work, attempt, outcome, outage_s, price)
        except HeldBack:
            self._budget.settle(price, billed=False, made=False)
            self._frontier.put_back(work, clock.now())
        finally:
            permit.release()
            self._in_flight -= 1
            self._changed.fire()

    def _note(self, work: Work, attempt: Attempt, outcome: Outcome, outage_s: float | None, price: Decimal) -> None:
        """An attempt has come to this."""
        billed = attempt.billing is not Billing.NO
        self._budget.settle(price, billed=billed, made=isinstance(outcome, Success))
        task, attempts, counted, waited_s = work
        attempts = (*attempts, attempt)
        if isinstance(outcome, Success):
            if not counted:
                self._retries.earn()
            self._listener.made(Work(task, attempts, counted, waited_s), outcome)
        elif outage_s is not None and not billed:
            self._wait_out(Work(task, attempts, counted, waited_s), outcome, outage_s)
        else:
            self._go_on(Work(task, attempts, (*counted, attempt), waited_s), outcome)

    def _go_on(self, work: Work, failure: Failure) -> None:
        """What a failure means for its task, or for all of them."""
        *before, _ = work.counted
        if not before:
            self._retries.earn()
        match verdict(failure, before, waited_s=work.waited_s, bounds=self._bounds, chance=self._chance()):
            case Retry(after_s=after_s, back_off_s=back_off_s):
                self._retry(work._replace(waited_s=work.waited_s + back_off_s), failure, after_s)
            case GiveUp():
                self._listener.failed(work, failure)
            case Stop():
                self.drain()
                self._listener.stopped(work, failure)

    def _wait_out(self, work: Work, failure: Failure, outage_s: float) -> None:
        """What an outage cost is no task's fault; one that has no end stops the run."""
        if outage_s > (LONGEST_OUTAGE_S if self._limiter.has_answered else LONGEST_SILENCE_S):
            self.drain()
            self._listener.stopped(work, failure)
        else:
            self._put_back(work, failure, AGAIN_S)

    def _retry(self, work: Work, failure: Failure, after_s: float) -> None:
        """Put a task back; one whose retry can't be paid for waits until nothing new is left."""
        if failure.fault is Fault.THROTTLED or self._retries.spend():
            self._put_back(work, failure, after_s)
            return
        self._frontier.park(work, clock.now() + after_s)
        self._listener.retried(work, failure, after_s)

    def _put_back(self, work: Work, failure: Failure, after_s: float) -> None:
        self._frontier.put_back(work, clock.now() + after_s)
        self._listener.retried(work, failure, after_s)
