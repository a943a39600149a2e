"""A run rehearsed: the engine itself under a virtual clock, against a model of the provider in place of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING

import anyio

from batchgen.engine.budget import Budget, Caps
from batchgen.engine.frontier import Frontier
from batchgen.engine.limiter import Limiter
from batchgen.engine.pool import Gates, Pool
from batchgen.model import Attempt, Billing, Failure, Fault, Picture, Success, Task
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchgen.engine.frontier import Work
    from batchgen.engine.limiter import Rules
    from batchgen.engine.policy import RetryBounds
    from batchgen.model import Outcome
    from batchgen.rehearsal.servers import ServerLimit

MOST_REHEARSED = 100_000
"""Tasks that are rehearsed one by one; more go on at the pace of these."""
ROUND_TRIP_S = 0.05
"""What a refusal takes."""

_TASK = Task(
    id="",
    index=0,
    job="",
    prompt_id="",
    prompt_slug="",
    repeat=0,
    fields={},
    image=None,
    variables={},
    place=lambda _: "",
)
_PICTURE = Picture(format="png", width=1, height=1, size_bytes=1, sha256="")
_SUCCESS = Success(picture=_PICTURE, status=200, content_type="image/png")
_BILLED = {Fault.NOT_A_PICTURE: Billing.YES, Fault.CUT_OFF: Billing.YES, Fault.TIMEOUT: Billing.MAYBE}
"""What a fault costs, where that is not nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a provider is assumed to be."""

    limit: Callable[[], ServerLimit]
    """Makes its rate limit, in the state of a server that nothing was asked yet."""
    latency_s: tuple[float, float]
    """The least and the greatest time that an answer takes; evenly spread."""
    faults: Mapping[Fault, float] = field(default_factory=dict)
    """The share of admitted requests that meet each."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What came of a rehearsal, scaled up to all tasks."""

    tasks: int
    rehearsed: int
    seconds: float
    requests: int
    rejected: int
    """Requests that met a 429."""
    failed: int
    """Tasks without a picture."""
    billed: int
    maybe_billed: int
    left: int
    """Tasks still to do when the run stopped, because the server never worked or did so no more."""
    waits: Mapping[str, float]
    """Seconds of announced waiting by reason, of the rehearsed part."""


def rehearse(tasks: int, model: Model, rules: Rules, bounds: RetryBounds) -> Forecast:
    """Rehearse a run of so many tasks."""
    stage = _Stage(model)
    count = min(tasks, MOST_REHEARSED)

    async def main() -> float:
        chance = Random(model.seed).random  # noqa: S311 - a rehearsal, no secret
        limiter = Limiter(rules, on_wait=stage.waited, chance=chance)
        gates = Gates(limiter, Budget(Caps()), lambda _task: Decimal(0), chance)
        await Pool(Frontier(repeat(_TASK, count)), gates, stage, stage, bounds).run()
        return anyio.current_time()

    seconds = in_virtual_time(main)
    more = (tasks - count) / count if count else 0.0
    return Forecast(
        tasks=tasks,
        rehearsed=count,
        seconds=seconds * (1 + more),
        requests=round(stage.requests * (1 + more)),
        rejected=round(stage.rejected * (1 + more)),
        failed=round(stage.given_up * (1 + more)),
        billed=round(stage.billed[Billing.YES] * (1 + more)),
        maybe_billed=round(stage.billed[Billing.MAYBE] * (1 + more)),
        left=round((count - stage.settled) * (1 + more)),
        waits=stage.waits,
    )


class _Stage:
    """The provider of a rehearsal, and who notes what becomes of the tasks."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._limit = model.limit()
        self._chance = Random(model.seed)  # noqa: S311 - a rehearsal, no secret
        self._faults = list(model.faults.items())
        self.requests = self.rejected = self.given_up = self.settled = 0
        self.billed = dict.fromkeys(Billing, 0)
        self.waits: dict[str, float] = {}

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """See Tries."""
        started, outcome = anyio.current_time(), self._drawn()
        if isinstance(outcome, Failure) and outcome.fault is Fault.UNREACHABLE:
            await anyio.sleep(ROUND_TRIP_S)
        else:
            on_sent()
            outcome = await self._answer(outcome)
        billing = outcome.billing if isinstance(outcome, Failure) else Billing.YES
        self.billed[billing] += 1
        return _attempt(work, anyio.current_time() - started, outcome, billing), outcome

    async def _answer(self, drawn: Outcome) -> Outcome:
        """What the server says to a request that would be answered so, if its limit lets it in."""
        self.requests += 1
        refusal = self._limit.arrive(anyio.current_time())
        if refusal is not None:
            self.rejected += 1
            await anyio.sleep(ROUND_TRIP_S)
            wait_s = refusal.retry_after_s
            return Failure(fault=Fault.THROTTLED, billing=Billing.NO, words="", status=429, retry_after_s=wait_s)
        await anyio.sleep(self._chance.uniform(*self._model.latency_s))
        self._limit.left(anyio.current_time())
        return drawn

    def _drawn(self) -> Outcome:
        point = self._chance.random()
        for fault, share in self._faults:
            if point < share:
                status = None if fault in {Fault.UNREACHABLE, Fault.TIMEOUT} else 503
                return Failure(fault=fault, billing=_BILLED.get(fault, Billing.NO), words="", status=status)
            point -= share
        return _SUCCESS

    def waited(self, seconds: float, why: str) -> None:
        """Nothing is sent for a while."""
        self.waits[why] = self.waits.get(why, 0.0) + seconds

    def made(self, work: Work, success: Success) -> None:  # noqa: ARG002 - the protocol's signature
        """See Listener."""
        self.settled += 1

    def retried(self, work: Work, failure: Failure, after_s: float) -> None:
        """See Listener."""

    def failed(self, work: Work, failure: Failure) -> None:  # noqa: ARG002 - the protocol's signature
        """See Listener."""
        self.given_up += 1
        self.settled += 1

    def stopped(self, work: Work, failure: Failure) -> None:
        """See Listener."""

    def capped(self, cap: str) -> None:
        """See Listener."""


def _attempt(work: Work, seconds: float, outcome: Outcome, billing: Billing) -> Attempt:
    fault = outcome.fault if isinstance(outcome, Failure) else None
    return Attempt(number=len(work.attempts) + 1, started="", seconds=seconds, billing=billing, fault=fault)
