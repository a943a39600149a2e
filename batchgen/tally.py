"""What becomes of each task, told as events and counted: made, failed, and what was and may have been billed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from batchgen.errors import StorageError
from batchgen.events import Ending, RunEnded, Stopping, TaskFailed, TaskMade, TaskRetried, TaskUnkept, Waiting
from batchgen.executors.worker import costs_of
from batchgen.model import Billing, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchgen.engine.frontier import Work
    from batchgen.events import Event
    from batchgen.model import Failure, Success
    from batchgen.providers.conversation import Provider


# What to do about a fault that stops a run; a full disk says so itself.
REMEDIES = {
    Fault.UNAUTHORISED: "check the key, in the variable that provider.api_key_env names",
    Fault.OUT_OF_CREDIT: "add credit to the account",
    Fault.MISDIRECTED: "check provider.url",
}


class Tally:
    """The listener of a run's pool."""

    def __init__(
        self,
        provider: Provider,
        *,
        record: Callable[[Event], None],
        emit: Callable[[Event], None],
        on_unheard: Callable[[], None],
    ) -> None:
        self._provider = provider
        self._costs = costs_of(provider)
        self._record = record
        self._emit = emit
        self._on_unheard = on_unheard
        self._heard = True
        self._made = self._failed = self._filtered = self._in_doubt = 0
        self._spent: Decimal | None = Decimal(0)
        self._at_most: Decimal | None = Decimal(0)
        self._stopped: tuple[Ending, str] | None = None

    def tell(self, event: Event) -> None:
        """Keep an event and pass it on; once nobody can be told the run stops in order, and the rest is kept."""
        self._record(event)
        if not self._heard:
            return
        try:
            self._emit(event)
        except BrokenPipeError:
            self._unheard(Ending.INTERRUPTED, "whoever read the events is gone")
        except StorageError as error:
            self._unheard(Ending.STORAGE, str(error))

    def _unheard(self, ending: Ending, why: str) -> None:
        self._heard = False
        self.stop(ending, why)
        self._on_unheard()

    def made(self, work: Work, success: Success) -> None:
        """The task's picture is kept."""
        usd = self._bill(work, Billing.YES)
        self._made += not success.filtered
        self._filtered += success.filtered
        self.tell(
            TaskMade(
                id=work.task.id,
                index=work.task.index,
                prompt_id=work.task.prompt_id,
                picture=success.path,
                seconds=work.attempts[-1].seconds,
                attempts=len(work.attempts),
                filtered=success.filtered,
                usd=None if usd is None else float(usd),
            )
        )

    def retried(self, work: Work, failure: Failure, after_s: float) -> None:
        """The task will be tried again."""
        self._bill(work, failure.billing)
        self.tell(
            TaskRetried(
                id=work.task.id,
                index=work.task.index,
                fault=failure.fault,
                words=failure.words,
                attempt=len(work.attempts),
                after_s=round(after_s, 3),
            )
        )

    def failed(self, work: Work, failure: Failure) -> None:
        """The task has ended without a picture."""
        self._bill(work, failure.billing)
        self._failed += 1
        self.tell(
            TaskFailed(
                id=work.task.id,
                index=work.task.index,
                prompt_id=work.task.prompt_id,
                fault=failure.fault,
                words=failure.words,
                attempts=len(work.attempts),
                billing=failure.billing,
                status=failure.status,
            )
        )

    def stopped(self, work: Work, failure: Failure) -> None:
        """Every further task would meet this too: no more is sent."""
        self._bill(work, failure.billing)
        if failure.fault is Fault.DISK and failure.billing is Billing.YES:
            task = work.task
            self.tell(TaskUnkept(id=task.id, index=task.index, prompt_id=task.prompt_id, words=failure.words))
        remedy = REMEDIES.get(failure.fault, "")
        why = f"{failure.words} ({failure.fault})" + (f"; {remedy}" if remedy else "")
        self.stop(Ending.STORAGE if failure.fault is Fault.DISK else Ending.PROVIDER, why)

    def capped(self, cap: str) -> None:
        """A cap on cost or pictures is reached: no more is sent."""
        self.stop(Ending.CAP, cap)

    def stop(self, ending: Ending, why: str, what_now: str = "sending nothing more") -> None:
        """The run ends before its tasks do; the first reason counts."""
        if self._stopped is None:
            self._stopped = (ending, why)
            self.tell(Stopping(why=why, what_now=what_now))

    def waiting(self, seconds: float, why: str) -> None:
        """Nothing may be sent for a while."""
        self.tell(Waiting(seconds=round(seconds, 3), why=why))

    def abandoned(self, prices: Iterable[Decimal | None]) -> None:
        """Attempts were sent and their answers were not waited for: they may have been billed at these prices."""
        for usd in prices:
            self._in_doubt += 1
            self._at_most = None if usd is None or self._at_most is None else self._at_most + usd

    def ended(self, *, output: str, asked: int, left: int, given_up: int, seconds: float) -> RunEnded:
        """The end of a run that was to make `asked` pictures and leaves `left` more of the job for later.

        `given_up` tasks of the job ended for good in earlier runs.
        """
        settled = self._made + self._filtered + self._failed
        complete = self._made == asked and not given_up
        ending, why = self._stopped or (Ending.COMPLETE if complete else Ending.INCOMPLETE, "")
        return RunEnded(
            ending=Ending.COMPLETE if complete else ending,
            in_doubt=self._in_doubt,
            why=why,
            output=output,
            provider=self._provider.kind,
            made=self._made,
            failed=self._failed,
            filtered=self._filtered,
            left=left + asked - settled,
            seconds=round(seconds, 3),
            spent_usd=None if self._spent is None else float(self._spent),
            at_most_usd=None if self._at_most is None else float(self._at_most),
        )

    def _bill(self, work: Work, billing: Billing) -> Decimal | None:
        """Add what an attempt cost; a price that is not known makes the sums unknown."""
        if billing is Billing.NO:
            return Decimal(0)
        cost = self._costs[work.task.fields["model"]]
        if cost is None:
            self._spent = self._at_most = None
            return None
        if billing is Billing.YES and self._spent is not None:
            self._spent += cost.usd
        if self._at_most is not None:
            self._at_most += cost.usd
        return cost.usd
