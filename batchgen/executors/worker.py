"""One attempt at one task, from the check of its input image to its durable sidecar: engine and store composed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio

from batchgen import __version__
from batchgen.engine import clock
from batchgen.engine.attempt import attempt
from batchgen.errors import StorageError
from batchgen.model import Attempt, Billing, Failure, Fault, Success
from batchgen.store.inputs import unchanged
from batchgen.store.rescue import LostError, words_of
from batchgen.store.rows import AttemptRow
from batchgen.store.sidecar import Cost, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batchgen.engine.budget import Caps
    from batchgen.engine.frontier import Work
    from batchgen.engine.limiter import Rules
    from batchgen.engine.policy import RetryBounds
    from batchgen.engine.transport import Transport
    from batchgen.model import InputImage, Outcome, Secret, Task
    from batchgen.providers.conversation import Provider
    from batchgen.store.folder import OutputFolder
    from batchgen.store.keep import Parcel
    from batchgen.store.pictures import PictureSink
    from batchgen.store.writer import Writer


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
    earlier: Mapping[str, Sequence[Attempt]]
    """By task, what runs before this one tried."""
    costs: Mapping[str, Cost | None]
    """See `costs_of`."""

    def cost_of(self, task: Task) -> Cost | None:
        """What one attempt at a task costs if it is billed."""
        return self.costs[task.fields["model"]]

    def price_of(self, task: Task) -> Decimal:
        """The same in US dollars; an unknown price counts nothing against a cap."""
        cost = self.cost_of(task)
        return _NOTHING if cost is None else cost.usd


_NOTHING: Final = Decimal(0)


class Worker:
    """Tries tasks. Before a request leaves it is in the ledger, and a picture that is reported is on the disk."""

    def __init__(self, setup: Setup, transport: Transport, writer: Writer) -> None:
        self._setup = setup
        self._transport = transport
        self._writer = writer

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try a task once; expected faults come back as the outcome."""
        begun = Begun(len(work.attempts) + 1, iso(datetime.now(UTC)), clock.now())
        try:
            row = AttemptRow(work.task.id, work.task.index, begun.in_doubt(), self._usd(work.task))
            number = await self._writer.begin(row)
        except StorageError as error:
            failure = Failure(fault=Fault.DISK, billing=Billing.NO, words=str(error))
            return begun.ended(failure), failure
        sent = False

        def leave() -> None:
            nonlocal sent
            on_sent()
            sent = True

        try:
            return await self._try(work, number, begun, leave)
        except BaseException:
            if not sent:
                self._writer.settle(number, None)
            raise  # what was sent and is abandoned is in doubt, and stays so in the ledger

    async def _try(self, work: Work, number: int, begun: Begun, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        sink = self._setup.folder.sink(work.task)
        try:
            outcome = await self._ask(work.task, sink, on_sent)
            tried = begun.ended(outcome)
            if isinstance(outcome, Success):
                parcel = await self._wrap(work, tried, outcome, sink)
                await self._writer.keep(number, tried, parcel)
                return tried, outcome
        except (OSError, StorageError) as error:
            outcome = _disk_failure(error, self._setup.folder, self._usd(work.task))
            tried = begun.ended(outcome)
        finally:
            await sink.discard()
        self._writer.settle(number, tried)
        return tried, outcome

    async def _ask(self, task: Task, sink: PictureSink, on_sent: Callable[[], None]) -> Outcome:
        image = task.image
        if image is not None and not await anyio.to_thread.run_sync(unchanged, image):
            return _changed_input(image)
        conversation = self._setup.provider.converse(task.request, self._setup.url, self._setup.key)
        return await attempt(conversation, self._transport, sink, on_sent)

    async def _wrap(self, work: Work, tried: Attempt, success: Success, sink: PictureSink) -> Parcel:
        document = sidecar(
            work.task,
            provider=self._setup.provider.kind,
            url=self._setup.url,
            version=__version__,
            success=success,
            picture_file=sink.picture_file,
            attempts=(*work.attempts, tried),
            cost=self._setup.cost_of(work.task),
            made=iso(datetime.now(UTC)),
        )
        return await sink.wrap(document, filtered=success.filtered)

    def _usd(self, task: Task) -> Decimal | None:
        cost = self._setup.cost_of(task)
        return None if cost is None else cost.usd


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that has begun."""

    number: int
    started: str
    """UTC, ISO 8601."""
    start_s: float
    """By the loop's clock."""

    def in_doubt(self) -> Attempt:
        """As it stands as long as nothing is known of its end."""
        return Attempt(number=self.number, started=self.started, seconds=0.0, billing=Billing.MAYBE)

    def ended(self, outcome: Outcome) -> Attempt:
        """With what came of it, just now."""
        failure = outcome if isinstance(outcome, Failure) else None
        return Attempt(
            number=self.number,
            started=self.started,
            seconds=round(clock.now() - self.start_s, 3),
            billing=failure.billing if failure else Billing.YES,
            fault=failure.fault if failure else None,
            status=outcome.status,
            words=failure.words if failure else "",
        )


def costs_of(provider: Provider) -> dict[str, Cost | None]:
    """What a picture of each model costs by the provider's price table; None where that is not known."""
    capabilities = provider.capabilities

    def cost(credits_: Decimal) -> Cost:
        return Cost(credits=credits_, usd=credits_ * capabilities.usd_per_credit, prices=capabilities.prices_date)

    models = capabilities.models.items()
    return {name: None if model.credits is None else cost(model.credits) for name, model in models}


def iso(moment: datetime) -> str:
    """UTC in ISO 8601, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _changed_input(image: InputImage) -> Failure:
    words = f"{image.path} is gone or has changed since the job was read; run the job again"
    return Failure(fault=Fault.INVALID, billing=Billing.NO, words=words)


def _disk_failure(error: OSError | StorageError, folder: OutputFolder, usd: Decimal | None) -> Failure:
    # The sink is the only part of an attempt whose errors come through, and it is first used by the body of a 200.
    words = words_of(error, folder.root)
    if isinstance(error, LostError):
        words += f"; the picture is lost, and cost {'what is not known' if usd is None else f'${usd}'}"
    return Failure(fault=Fault.DISK, billing=Billing.YES, words=words, status=200)
