"""One attempt at one task, from the check of its input image to its durable sidecar: engine and store composed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio

from batchgen import __version__
from batchgen.engine.attempt import attempt
from batchgen.errors import StorageError
from batchgen.model import Attempt, Billing, Failure, Fault, Success
from batchgen.store.inputs import unchanged
from batchgen.store.sidecar import Cost, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchgen.engine.budget import Caps
    from batchgen.engine.frontier import Work
    from batchgen.engine.limiter import Rules
    from batchgen.engine.policy import RetryBounds
    from batchgen.engine.transport import Transport
    from batchgen.model import InputImage, Outcome, Request, Secret, Task
    from batchgen.providers.conversation import Provider
    from batchgen.store.folder import OutputFolder
    from batchgen.store.pictures import PictureSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that attempts need to know beside their task."""

    provider: Provider
    url: str
    key: Secret
    rules: Rules
    shared_log: Path | None
    """Where processes on one account tell one another what they send; None: nobody else uses it."""
    timeout_s: float
    bounds: RetryBounds
    caps: Caps
    folder: OutputFolder

    def price_of(self, task: Task) -> Decimal:
        """What one attempt at a task costs if it is billed; an unknown price counts nothing against a cap."""
        cost = cost_of(self.provider, task.request)
        return Decimal(0) if cost is None else cost.usd


class Worker:
    """Tries tasks; a picture that it reports is on the disk."""

    def __init__(self, setup: Setup, transport: Transport) -> None:
        self._setup = setup
        self._transport = transport

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try a task once; expected faults come back as the outcome."""
        started, start_s = datetime.now(UTC), anyio.current_time()
        sink = self._setup.folder.sink(work.task)
        try:
            outcome = await self._ask(work.task, sink, on_sent)
            tried = _attempt(work, started, anyio.current_time() - start_s, outcome)
            if isinstance(outcome, Success):
                outcome = await self._keep(work, tried, outcome, sink)
        except (OSError, StorageError) as error:
            outcome = _disk_failure(error, self._setup.folder)
            tried = _attempt(work, started, anyio.current_time() - start_s, outcome)
        finally:
            await sink.discard()
        return tried, outcome

    async def _ask(self, task: Task, sink: PictureSink, on_sent: Callable[[], None]) -> Outcome:
        image = task.request.image
        if image is not None and not await anyio.to_thread.run_sync(unchanged, image):
            return _changed_input(image)
        conversation = self._setup.provider.converse(task.request, self._setup.url, self._setup.key)
        return await attempt(conversation, self._transport, sink, on_sent)

    async def _keep(self, work: Work, tried: Attempt, success: Success, sink: PictureSink) -> Outcome:
        document = sidecar(
            work.task,
            provider=self._setup.provider.kind,
            url=self._setup.url,
            version=__version__,
            success=success,
            picture_file=sink.picture_file,
            attempts=(*work.attempts, tried),
            cost=cost_of(self._setup.provider, work.task.request),
            made=_iso(datetime.now(UTC)),
        )
        await sink.keep(document, filtered=success.filtered)
        return success


def cost_of(provider: Provider, request: Request) -> Cost | None:
    """What a picture costs by the provider's price table; None where the model has no known price."""
    capabilities = provider.capabilities
    credit = capabilities.models[dict(request.fields)["model"]].credits
    if credit is None:
        return None
    return Cost(credits=credit, usd=credit * capabilities.usd_per_credit, prices=capabilities.prices_date)


def _attempt(work: Work, started: datetime, seconds: float, outcome: Outcome) -> Attempt:
    failure = outcome if isinstance(outcome, Failure) else None
    return Attempt(
        number=len(work.attempts) + 1,
        started=_iso(started),
        seconds=round(seconds, 3),
        billing=failure.billing if failure else Billing.YES,
        fault=failure.fault if failure else None,
        status=outcome.status,
        words=failure.words if failure else "",
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _changed_input(image: InputImage) -> Failure:
    words = f"{image.path} is gone or has changed since the job was read; run the job again"
    return Failure(fault=Fault.INVALID, billing=Billing.NO, words=words)


def _disk_failure(error: OSError | StorageError, folder: OutputFolder) -> Failure:
    # The sink is the only part of an attempt whose errors come through, and it is first used by the body of a 200.
    words = str(error)
    if isinstance(error, OSError):
        words = f"{folder.root}: {error.strerror or error}; make room or give another folder with --output"
    return Failure(fault=Fault.DISK, billing=Billing.YES, words=words, status=200)
