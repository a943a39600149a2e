"""One attempt at one task, from the check of its input image to its durable sidecar: engine and store composed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from batchgen import __version__
from batchgen.engine.attempt import attempt
from batchgen.engine.clock import KeptClock
from batchgen.errors import StorageError
from batchgen.model import Attempt, Billing, Failure, Fault, Success
from batchgen.store.inputs import unchanged
from batchgen.store.rescue import LostError, words_of
from batchgen.store.rows import AttemptRow
from batchgen.store.sidecar import Cost, Sidecar, sidecar
from batchgen.utc import utc_now

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
        self._clock = KeptClock()

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """Try a task once; expected faults come back as the outcome."""
        task = work.task
        begun = Begun(len(work.attempts) + 1, utc_now(), self._clock.now(), self._setup.cost_of(task))
        try:
            number = await self._writer.begin(AttemptRow(task.id, task.index, begun.in_doubt(), begun.usd))
        except StorageError as error:
            failure = Failure(fault=Fault.DISK, billing=Billing.NO, words=str(error))
            return begun.ended(failure, self._clock.now()), failure
        sent = False

        def leave() -> None:
            nonlocal sent
            on_sent()
            sent = True

        sink = self._setup.folder.sink(task)
        try:
            return await self._end(work, number, begun, await self._ask(task, sink, leave), sink)
        except (OSError, StorageError) as error:
            failure = _disk_failure(error, self._setup.folder, begun.usd)
            return self._settle(number, begun.ended(failure, self._clock.now())), failure
        except BaseException:
            if not sent:
                self._writer.settle(number, None)
            raise  # what was sent and is abandoned is in doubt, and stays so in the ledger
        finally:
            await sink.discard()

    async def _ask(self, task: Task, sink: PictureSink, on_sent: Callable[[], None]) -> Outcome:
        image = task.image
        if image is not None and not await anyio.to_thread.run_sync(unchanged, image):
            return _changed_input(image)
        conversation = self._setup.provider.converse(task.request, self._setup.url, self._setup.key)
        return await attempt(conversation, self._transport, sink, on_sent)

    async def _end(
        self, work: Work, number: int, begun: Begun, outcome: Outcome, sink: PictureSink
    ) -> tuple[Attempt, Outcome]:
        """What an answer brought is kept."""
        tried = begun.ended(outcome, self._clock.now())
        if isinstance(outcome, Failure):
            return self._settle(number, tried), outcome
        sidecar = self._describe(work, tried, outcome, sink.picture_file, begun.cost)
        wrapped = await sink.wrap(sidecar, filtered=outcome.filtered)
        await self._writer.keep(number, tried, wrapped)
        return tried, outcome._replace(path=wrapped.path)

    def _settle(self, number: int, tried: Attempt) -> Attempt:
        self._writer.settle(number, tried)
        return tried

    def _describe(self, work: Work, tried: Attempt, success: Success, file: str, cost: Cost | None) -> Sidecar:
        return sidecar(
            work.task,
            provider=self._setup.provider.kind,
            url=self._setup.url,
            version=__version__,
            success=success,
            picture_file=file,
            attempts=(*work.attempts, tried),
            cost=cost,
            made=utc_now(),
        )


class Begun(NamedTuple):
    """An attempt that has begun."""

    number: int
    started: str
    """UTC, ISO 8601."""
    start_s: float
    """By the loop's clock."""
    cost: Cost | None

    @property
    def usd(self) -> Decimal | None:
        """What it costs if it is billed; None where that is not known."""
        return None if self.cost is None else self.cost.usd

    def in_doubt(self) -> Attempt:
        """As it stands as long as nothing is known of its end."""
        return Attempt(number=self.number, started=self.started, seconds=0.0, billing=Billing.MAYBE)

    def ended(self, outcome: Outcome, end_s: float) -> Attempt:
        """With what came of it, by the same clock."""
        seconds = round(end_s - self.start_s, 3)
        if isinstance(outcome, Success):
            return Attempt(self.number, self.started, seconds, Billing.YES, None, outcome.status)
        return Attempt(
            number=self.number,
            started=self.started,
            seconds=seconds,
            billing=outcome.billing,
            fault=outcome.fault,
            status=outcome.status,
            words=outcome.words,
        )


def costs_of(provider: Provider) -> dict[str, Cost | None]:
    """What a picture of each model costs by the provider's price table; None where that is not known."""
    capabilities = provider.capabilities

    def cost(credits_: Decimal) -> Cost:
        return Cost(credits=credits_, usd=credits_ * capabilities.usd_per_credit, prices=capabilities.prices_date)

    models = capabilities.models.items()
    return {name: None if model.credits is None else cost(model.credits) for name, model in models}


def _changed_input(image: InputImage) -> Failure:
    words = f"{image.path} is gone or has changed since the job was read; run the job again"
    return Failure(fault=Fault.INVALID, billing=Billing.NO, words=words)


def _disk_failure(error: OSError | StorageError, folder: OutputFolder, usd: Decimal | None) -> Failure:
    # The sink is the only part of an attempt whose errors come through, and it is first used by the body of a 200.
    words = words_of(error, folder.root)
    if isinstance(error, LostError):
        words += f"; the picture is lost, and cost {'what is not known' if usd is None else f'${usd}'}"
    return Failure(fault=Fault.DISK, billing=Billing.YES, words=words, status=200)
