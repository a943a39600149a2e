"""A crash round's stage: a job, a sandbox that outlives every death, runs that die, and the case for the judge."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evidence
from judge import Case, Tally, judge
from processes import BATCHGEN, DEADLINE_S, KEY, environment, job_for, outside_sandbox, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evidence import Pair, Snapshot
    from processes import OutsideSandbox

    Process = subprocess.Popen[bytes]

CHILD = (sys.executable, str(Path(__file__).with_name("child.py")))
DIE = "--die"
DIE_RUN = "--die-run"
DIE_KEEPER = "--die-keeper"
STORAGE = 5
"""The exit code where nothing more can be kept."""
ENDED_RUNS = 3
"""So many runs may be needed to the end where the server itself fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be made, and by what server."""

    seeds: int = 6
    """Of each of two prompts."""
    in_flight: int = 4
    size: str = "small"
    """`full`: pictures of more than 384 KiB, which stream to a `.part`."""
    server: tuple[str, ...] = ()
    """Options of the sandbox."""
    set_aside: str = ""
    """Further lines of the job."""

    def text(self, url: str) -> str:
        """The job file."""
        return job_for(url, seeds=f"1..{self.seeds}", more=f"retry: {{paid: 5}}\n{self.set_aside}")

    @contextmanager
    def sandbox(self, log: Path, *options: str) -> Iterator[OutsideSandbox]:
        """Its server, which writes its log to a file."""
        with outside_sandbox("--limit", "none", "--size", self.size, "--log", str(log), *options) as sandbox:
            yield sandbox


class Stage:
    """One output folder, run after run. What goes wrong on the way is noted and ends in the tally."""

    def __init__(self, base: Path, job: Job, sandbox: OutsideSandbox, log: Path, output: Path) -> None:
        self.output = output
        self.deaths = 0
        self.findings: list[str] = []
        self.ledger_gone: Snapshot | None = None
        self._base = base
        self._job = job
        self._sandbox = sandbox
        self._log = log
        self._snapshots: list[Snapshot] = []
        self._runs = 0
        self._running: Process | None = None
        (base / "otters.yaml").write_text(job.text(sandbox.url))

    # Runs

    def start(self, *wrapper: str, program: Sequence[str] = BATCHGEN) -> Process:
        """Begin a run; its events go to a file. `wrapper`: a program that runs it, and its arguments."""
        self._runs += 1
        command = [*wrapper, *program, "run", "otters.yaml", "--output", str(self.output), "--json"]
        command += ["--concurrency", str(self._job.in_flight)]
        with self.events.open("wb") as out, self.errors.open("wb") as err:
            self._running = subprocess.Popen(  # noqa: S603 - the very program under test
                command,
                cwd=self._base,
                env=environment({**KEY, "XDG_STATE_HOME": str(self._base / "state")}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # so that what belongs to it is one process group
            )
        return self._running

    @property
    def events(self) -> Path:
        """What the latest run says on stdout."""
        return self._base / f"events-{self._runs}.ndjson"

    @property
    def errors(self) -> Path:
        """What it says on stderr."""
        return self._base / f"errors-{self._runs}.txt"

    def run(self, *wrapper: str, allowed: Sequence[int] = (0,), program: Sequence[str] = BATCHGEN) -> int:
        """A run to its end, which must be one of the allowed exit codes, without a traceback."""
        code = self._wait(self.start(*wrapper, program=program))
        said = self.errors.read_text(errors="replace")
        if code not in allowed or "Traceback" in said:
            self.findings.append(f"run {self._runs} ended with {code}, not with {allowed}; it said: {said.strip()}")
        return code

    def die_at(self, step: str, how: str = DIE) -> None:
        """A run that kills itself at a step, such as `before:rename_new:3`; `how`: see child.py."""
        code = self._wait(self.start(program=(*CHILD, how, step)))
        if code != -signal.SIGKILL:
            said = self.errors.read_text(errors="replace").strip()
            self.findings.append(f"{step}: never came to this, it ended with {code}; it said: {said}")
        self.died()

    def lose_keeper_at(self, step: str) -> None:
        """A run whose other process, that keeps its pictures, is killed at a step: it ends by itself, and says why."""
        self.run(program=(*CHILD, DIE_KEEPER, step), allowed=(STORAGE,))
        self.findings += self.unsaid()
        self.died()

    def kill_after(self, seconds: float, *, begun: bool = True, whole: bool = True, seen: bool = True) -> None:
        """A run that is killed so long after it began: to work, or as a process.

        `whole`: all that belongs to it. Unless it is `seen` what is safe by then, the next run may begin at once.
        """
        process = self.start()
        if begun:
            wait_until(lambda: self.events.stat().st_size or process.poll() is not None, "the run began")
        time.sleep(seconds)
        if whole:
            kill(process)
        else:
            process.kill()
            process.wait()
        if seen:
            self.died()
        else:
            self.deaths += 1

    def died(self) -> None:
        """Note what is safe, once nothing of it runs: who keeps the pictures of a killed run has its last words."""
        wait_until(self._is_free, "the folder is nobody's")
        self.deaths += 1
        self._snapshots.append(self.snapshot())

    def _is_free(self) -> bool:
        """Is there nobody who has the folder's lock?"""
        with suppress(FileNotFoundError), (self.output / ".lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def unsaid(self) -> Iterator[str]:
        """Whoever runs it is told why it ended: in one line on stderr, or in its last event."""
        on_stderr = self.errors.read_text().splitlines()
        ended = [json.loads(line) for line in self.events.read_text().splitlines()][-1:]
        why = on_stderr or [event.get("why", "") for event in ended]
        if len(why) != 1 or not why[0] or "\n" in why[0]:
            yield f"it did not say in one line why it ended, but {why}"

    def snapshot(self) -> Snapshot:
        """What is safe at this moment, and how far the server's log has come."""
        return evidence.snapshot(self.output, int(self._summary()["requests"]))

    # The end

    def complete(self) -> None:
        """Run to the end; once everything is made one more run has nothing to do."""
        faulty = bool(self._job.server)
        for _ in range(ENDED_RUNS if faulty else 1):
            if self.run(allowed=(0, 1) if faulty else (0,)) == 0:
                break
        self._snapshots.append(self.snapshot())
        self.run()

    def case(self) -> Case:
        """All that the judge needs, once the server is quiet."""
        wait_until(self._is_quiet, "the server answered everything")
        return Case(
            folder=self.output,
            log=self._log,
            reference=reference(self._job),
            snapshots=self._snapshots,
            said=self._said(),
            deaths=self.deaths,
            in_flight=self._job.in_flight,
            ledger_gone=self.ledger_gone,
        )

    def judged(self) -> Tally:
        """The judge's word and what went wrong on the way."""
        return judge(self.case()) + Tally(findings=tuple(self.findings))

    def leave(self) -> None:
        """Nothing of it runs on, whatever broke the round off."""
        if self._running is not None:
            kill(self._running)

    def _wait(self, process: Process) -> int:
        try:
            return process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            kill(process)
            self.findings.append(f"run {self._runs} never ended")
            return process.returncode

    def _said(self) -> list[str]:
        """Tasks that any run called made; the last line of one that was killed may be torn."""
        lines = [
            line for path in self._base.glob("events-*.ndjson") for line in path.read_text().splitlines(keepends=True)
        ]
        events = [json.loads(line) for line in lines if line.endswith("}\n")]
        return [event["id"] for event in events if event["event"] == "task_made"]

    def _summary(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._sandbox.log_url}?summary=1", timeout=DEADLINE_S) as answer:  # noqa: S310
            summary: dict[str, Any] = json.load(answer)["summary"]
            return summary

    def _is_quiet(self) -> bool:
        summary = self._summary()
        return not summary["in_flight"] and summary["requests"] == len(evidence.requests(self._log))


def kill(process: Process) -> None:
    """At one instant, with all that belongs to it."""
    with suppress(ProcessLookupError):  # all of it is gone
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def staged(base: Path, job: Job, *, output: Path | None = None) -> Iterator[Stage]:
    """A stage below `base`, with a sandbox of its own."""
    base.mkdir(parents=True, exist_ok=True)
    log = base / "server.ndjson"
    with job.sandbox(log, *job.server) as sandbox:
        stage = Stage(base, job, sandbox, log, output or base / "otters")
        try:
            yield stage
        finally:
            stage.leave()


_references: dict[tuple[int, str, str], Mapping[str, Pair]] = {}
_making = threading.Lock()


def reference(job: Job) -> Mapping[str, Pair]:
    """What an uninterrupted run of this job makes, by task; made once."""
    with _making:
        key = (job.seeds, job.size, job.set_aside)
        if key not in _references:
            with tempfile.TemporaryDirectory() as folder:
                _references[key] = _uninterrupted(Path(folder), job)
        return _references[key]


def _uninterrupted(base: Path, job: Job) -> Mapping[str, Pair]:
    log = base / "server.ndjson"
    with job.sandbox(log) as sandbox:
        stage = Stage(base, job, sandbox, log, base / "otters")
        stage.run()
        found = evidence.pairs(stage.output)
    if stage.findings or len(found) != 2 * job.seeds or any(pair.flaw for pair in found):
        raise AssertionError(f"the uninterrupted run failed: {stage.findings or found}")
    return {pair.task: pair for pair in found}
