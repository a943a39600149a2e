"""Runs in this process, at most three attempts at a time, that die or meet a failing disk at a chosen step."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from kept_here import KEEPER
from store_batches import LONG_S
from store_folders import USD, filled
from store_samples import ATTEMPT, encoded, noise, samples, sidecar_for, task
from store_steps import Steps

from batchgen.errors import StorageError
from batchgen.model import Attempt, Billing, Fault
from batchgen.store.rows import AttemptRow

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.store.folder import OutputFolder
    from batchgen.store.writer import Writer

IN_FLIGHT = 3
SMALL = next(samples()).content
BIG = encoded(noise(460, 460), "PNG", compress_level=0)
"""More than a sink holds: it streams to the disk."""
TASKS = {name: (task(name, f"fox/{name}"), content) for name, content in zip("abcd", (SMALL, BIG) * 2, strict=True)}


class Outcome(Enum):
    """What comes of an attempt."""

    MADE = "made"
    NOT_SENT = "not sent"
    REFUSED = "refused"
    UNHEARD = "unheard of"
    CUT_OFF = "cut off"
    SILENT = "silent until the run ends"

    @property
    def usd(self) -> Any:
        """What the server takes for it."""
        return 0 if self in {Outcome.NOT_SENT, Outcome.REFUSED} else USD


FAILURES = {
    Outcome.REFUSED: (Billing.NO, Fault.THROTTLED),
    Outcome.UNHEARD: (Billing.MAYBE, Fault.TIMEOUT),
    Outcome.CUT_OFF: (Billing.YES, Fault.CUT_OFF),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: what comes of each task's attempts, after how many turns of the loop, and how the run ends."""

    outcomes: tuple[tuple[Outcome, ...], ...]
    turns: tuple[int, ...]
    ends_at: int
    """The step of what keeps the pictures at which it ends, if it comes so far."""
    killed: bool
    """Else the disk fails at that step."""


@dataclass
class World:
    """What there is beside the output folder."""

    asked: list[tuple[str, Outcome]] = field(default_factory=list)
    """The server's log: every request that was sent."""
    made: set[str] = field(default_factory=set)
    """What was said to be made."""
    deaths: int = 0


class Run:
    """A run in this process; where it is killed, what the disk held at that instant goes on, and it does not count."""

    def __init__(self, folder: OutputFolder, world: World, plan: Plan, grave: Path) -> None:
        self.folder = folder
        self.world = world
        self.plan = plan
        self.grave = grave
        self.left: World | None = None
        """The world when it was killed."""
        self._over = anyio.Event()
        self._going_on = self._silent = 0
        self._slots = anyio.Semaphore(IN_FLIGHT)
        self._steps = 0
        self._turns = iter(plan.turns * 100)

    def at(self, _number: int, _name: str, _args: object) -> None:
        """Before a step; what other threads do at that instant touches only `.part` files."""
        if threading.current_thread().name != KEEPER or self.left:
            return
        self._steps += 1
        if self._steps != self.plan.ends_at:
            return
        if not self.plan.killed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.left = World()
        shutil.copytree(self.folder.root, self.grave, ignore=shutil.ignore_patterns("*-shm"))
        self.left = replace(deepcopy(self.world), deaths=self.world.deaths + 1)

    async def go(self, due: list[str]) -> None:
        """Try every task that is due, until it is made or its outcomes are used up."""
        tried = Counter(row.task_id for row in self.folder.ledger.failed_attempts())
        with pytest.MonkeyPatch.context() as patch, suppress(StorageError):
            async with self.folder.writer(f"run-{self.grave.name}") as writer:
                Steps(self.at).install(patch.setattr)
                tasks = list(zip(due, self.plan.outcomes, strict=False))
                self._going_on = len(tasks)
                with anyio.fail_after(LONG_S):
                    async with anyio.create_task_group() as group:
                        for name, outcomes in tasks:
                            group.start_soon(self._try, writer, name, outcomes, tried[name])

    async def _try(self, writer: Writer, name: str, outcomes: tuple[Outcome, ...], before: int) -> None:
        for number, outcome in enumerate(outcomes, start=before + 1):
            async with self._slots:
                if self._over.is_set():
                    return
                attempt = ATTEMPT._replace(number=number, started=f"{self.grave.name}-{name}-{number}")
                try:
                    ledger_number = await writer.begin(AttemptRow(name, 7, attempt, USD))
                except StorageError:
                    self._over.set()
                    return
                await self._answered(writer, ledger_number, (name, outcome, attempt))
            if outcome is Outcome.SILENT:
                return
            if outcome is Outcome.MADE:
                break
        self._goes_on_without_it()

    def _goes_on_without_it(self, *, silent: bool = False) -> None:
        """One task less can still bring something; a run that only waits ends."""
        self._going_on -= 1
        self._silent += silent
        if not self._going_on or self._silent == IN_FLIGHT:
            self._over.set()

    async def _answered(self, writer: Writer, number: int, what: tuple[str, Outcome, Attempt]) -> None:
        name, outcome, attempt = what
        for _ in range(next(self._turns)):
            await anyio.lowlevel.checkpoint()
        if outcome is Outcome.NOT_SENT:
            writer.settle(number, None)
            return
        self.world.asked.append((name, outcome))
        match outcome:
            case Outcome.SILENT:
                self._goes_on_without_it(silent=True)
                await self._over.wait()
            case Outcome.MADE:
                await self._keep(writer, number, name, attempt)
            case _:
                billing, fault = FAILURES[outcome]
                writer.settle(number, attempt._replace(billing=billing, fault=fault, status=None))

    async def _keep(self, writer: Writer, number: int, name: str, attempt: Attempt) -> None:
        of, content = TASKS[name]
        sink, picture = await filled(self.folder, of, content)
        try:
            wrapped = await sink.wrap(sidecar_for(of, picture, [attempt], usd=USD))
            await writer.keep(number, attempt, wrapped)
            self.world.made.add(name)
        except (OSError, StorageError):
            self._over.set()
            writer.settle(number, attempt._replace(billing=Billing.YES, fault=Fault.DISK))
        finally:
            await sink.discard()
