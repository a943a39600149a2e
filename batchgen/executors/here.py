"""Attempts in this process, on one event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from batchgen.engine.budget import Budget
from batchgen.engine.frontier import Frontier
from batchgen.engine.limiter import Limiter
from batchgen.engine.pool import Gates, Pool
from batchgen.engine.transport import open_transport
from batchgen.executors.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchgen.engine.pool import Listener
    from batchgen.executors.worker import Setup
    from batchgen.model import Task


async def execute(
    tasks: Iterable[Task],
    setup: Setup,
    listener: Listener,
    on_wait: Callable[[float, str], None],
    drain: anyio.Event,
) -> None:
    """Try every task until it is made or has ended; once `drain` is set, end what is in flight and send no more."""
    async with open_transport(setup.timeout_s) as transport, anyio.create_task_group() as group:
        limiter = Limiter(setup.windows, penalty_s=setup.provider.penalty_s, on_wait=on_wait)
        gates = Gates(limiter, Budget(setup.caps), setup.price_of)
        pool = Pool(Frontier(tasks), gates, Worker(setup, transport), listener, setup.bounds)
        group.start_soon(_drain, drain, pool)
        await pool.run(setup.concurrency)
        group.cancel_scope.cancel()


async def _drain(drain: anyio.Event, pool: Pool) -> None:
    await drain.wait()
    pool.drain()
