"""A job, its folder and the server that it asks, for runs that find what others left."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from in_process import called
from processes import Ended, events
from whole_runs import job_text

from batchgen.job import load_job
from batchgen.model import Attempt, Billing
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.rows import Asked, AttemptRow, Changes, RunRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from page_server import PageServer

    from batchgen.store.rows import Bill

JOB = "otters.yaml"
TWO: Mapping[str, Any] = {"prompts": ["a fox", "an owl"], "sweep": {"seed": [1]}}
"""The two tasks that most runs are to make."""
STARTED = "2026-11-22T02:30:11.123Z"
"""When the attempts of a killed run began."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows."""

    bill: Bill
    failed: list[str]
    """Prompts."""
    in_doubt: list[str]
    """Prompts."""

    @property
    def sums(self) -> tuple[Decimal, Decimal]:
        """What was spent, surely and at most."""
        return self.bill.spent, self.bill.at_most


@dataclass(frozen=True, slots=True)
class Stage:
    """Where runs go one after the other."""

    base: Path
    page: PageServer

    @property
    def folder(self) -> Path:
        """Where the pictures are."""
        return self.base / "output/otters"

    @property
    def asked(self) -> list[str]:
        """The prompt of each request so far."""
        assert not any(seen.problems for seen in self.page.seen)
        return [seen.fields["prompt"] for seen in self.page.seen]

    def call(self, *command: str) -> Ended:
        """Call batchgen."""
        return called(*command, cwd=self.base, env={"PICTURE_KEY": self.page.key})

    def run(self, *options: str, code: int = 0, job: Mapping[str, Any] = TWO) -> list[dict[str, Any]]:
        """Run the job to its end; what it said."""
        (self.base / JOB).write_text(job_text(self.page.url, job))
        ended = self.call("run", JOB, "--json", *options)
        assert ended.code == code, ended.err
        return events(ended.out)

    def killed(self, *prompts: str, job: Mapping[str, Any] = TWO) -> None:
        """The ledger, as a run leaves it that is killed while it waits for the answers to these."""
        (self.base / JOB).write_text(job_text(self.page.url, job))
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest = load_job(self.base / JOB, run_id="1")
        attempt = Attempt(number=1, started=STARTED, seconds=0.0, billing=Billing.MAYBE)
        price = manifest.settings.provider.capabilities.price_usd("sd3-large")
        rows = [
            AttemptRow(task.id, task.index, attempt, price) for task in manifest if task.fields["prompt"] in prompts
        ]
        with closing(Ledger.open(self.folder)) as ledger:
            asked = Asked(job=str(self.base / JOB))
            ledger.begin(RunRow(id="dead", started=STARTED, tasks=len(manifest), orphaned=0, asked=asked))
            ledger.commit(Changes(started=list(enumerate(rows, start=ledger.next_attempt()))))

    def killed_before_the_commit(self) -> None:
        """The ledger, as a run leaves it that is killed between its last sidecars and their commit."""
        with closing(Ledger.open(self.folder)) as ledger:
            ledger._db.execute("DELETE FROM pictures")
            ledger._db.execute("UPDATE attempts SET billing = NULL, seconds = NULL, status = NULL, words = NULL")
            ledger._db.execute("UPDATE runs SET ended = NULL")

    def known(self) -> Known:
        """What the ledger knows; a task that the job no longer has is `another`."""
        prompts = {task.id: task.fields["prompt"] for task in load_job(self.base / JOB, run_id="1")}
        ledger = LedgerReader.look(self.folder)
        assert ledger is not None
        with closing(ledger):
            return Known(
                bill=ledger.bill(),
                failed=[prompts.get(row.task_id, "another") for row in ledger.failures()],
                in_doubt=[prompts.get(row.task_id, "another") for row in ledger.in_doubt()],
            )
