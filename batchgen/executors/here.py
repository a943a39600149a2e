"""Attempts in this process, on one event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio

from batchgen.engine.bounds import Bounds
from batchgen.engine.budget import Budget
from batchgen.engine.frontier import Frontier
from batchgen.engine.limiter import Limiter
from batchgen.engine.pool import Gates, Listener, Pool
from batchgen.engine.shared import SharedLog
from batchgen.engine.transport import open_transport
from batchgen.executors.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchgen.executors.worker import Setup
    from batchgen.model import Task
    from batchgen.store.writer import Writer


class RunListener(Listener, Protocol):
    """Hears of waits too."""

    def waiting(self, seconds: float, why: str) -> None:
        """Nothing may be sent for a while."""


async def execute(
    tasks: Iterable[Task],
    setup: Setup,
    writer: Writer,
    listener: RunListener,
    drain: anyio.Event,
) -> None:
    """Try every task until it is made or has ended; once `drain` is set, end what is in flight and send no more."""
    async with open_transport(Bounds(total_s=setup.timeout_s)) as transport, anyio.create_task_group() as group:
        shared = await anyio.to_thread.run_sync(_shared_log, setup)
        limiter = Limiter(setup.rules, on_wait=listener.waiting, shared=shared)
        gates = Gates(limiter, Budget(setup.caps), setup.price_of)
        pool = Pool(Frontier(tasks, setup.earlier), gates, Worker(setup, transport, writer), listener, setup.bounds)
        group.start_soon(_drain, drain, pool)
        await pool.run()
        group.cancel_scope.cancel()


def _shared_log(setup: Setup) -> SharedLog | None:
    """What other processes send on this account; a state folder that can't be written leaves each to itself."""
    with suppress(OSError):
        return None if setup.shared_log is None else SharedLog(setup.shared_log)
    return None


async def _drain(drain: anyio.Event, pool: Pool) -> None:
    await drain.wait()
    pool.drain()
