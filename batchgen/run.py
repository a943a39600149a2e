"""The conductor: a job, less what is made, goes to the executor; what becomes of it is one stream of events.

To begin, to resume and to finish an interrupted run are one thing: make the tasks that have no sidecar yet.
"""

from __future__ import annotations

import signal
from array import array
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from batchgen.embedded import embedded_sandbox
from batchgen.engine.policy import RetryBounds
from batchgen.errors import UsageError
from batchgen.events import Ending, RunStarted
from batchgen.executors.here import execute
from batchgen.executors.worker import Setup
from batchgen.keys import SANDBOX_KEY, read_key
from batchgen.manifest.survey import distinct
from batchgen.store.folder import OutputFolder
from batchgen.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchgen.events import Event, RunEnded
    from batchgen.manifest.manifest import Manifest
    from batchgen.model import Secret, Window
    from batchgen.store.contents import Contents

AUTO_CONCURRENCY = 100
"""Requests in flight where the job does not say: 15 a second at 6 s each keep some 90 in flight."""

GRACE_S = 30.0
"""How long what is in flight may take once the run was asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One invocation; a flag of the command line stands over the job."""

    run_id: str
    output: Path
    environment: Mapping[str, str]
    limit: int | None = None
    """Make at most so many pictures now."""
    concurrency: int | None = None
    windows: tuple[Window, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What of a job is not made: by index, so that a million tasks take 8 MB."""

    tasks: int
    """Different tasks of the job."""
    made: int
    indices: array[int]
    """What this run is to make."""

    @property
    def left(self) -> int:
        """What this run leaves for a later one."""
        return self.tasks - self.made - len(self.indices)


async def run(manifest: Manifest, settings: RunSettings, emit: Callable[[Event], None]) -> RunEnded:
    """Make what the job asks for and is not made yet.

    Raises:
        UsageError: No key, or a picture's place is taken; nothing was sent.
        StorageError: The output folder can't be used; nothing was sent.
    """
    started_s = anyio.current_time()
    folder, due, repaired = await anyio.to_thread.run_sync(_open, manifest, settings)
    drain = anyio.Event()
    tally = Tally(manifest.settings.provider, emit, drain.set)
    async with AsyncExitStack() as stack:
        key, url = SANDBOX_KEY, manifest.settings.url or ""
        if due.indices:
            key = _key(manifest, settings.environment)
            url = url or await stack.enter_async_context(embedded_sandbox())
        tally.tell(_started(manifest, settings, due, url, repaired))
        if due.indices:
            await _make(manifest, due, _setup(manifest, settings, folder, url, key), tally, drain)
    ended = tally.ended(
        output=str(settings.output),
        asked=len(due.indices),
        left=due.left,
        seconds=anyio.current_time() - started_s,
    )
    tally.tell(ended)
    return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repaired:
    """What opening the folder set right."""

    adopted: int
    missing: int


def _open(manifest: Manifest, settings: RunSettings) -> tuple[OutputFolder, Due, _Repaired]:
    """The folder with its leftovers cleared, and what is due; blocks."""
    folder = OutputFolder.open(settings.output)
    leftovers = folder.clear_leftovers()
    contents = folder.scan()
    due, missing = _compare(manifest, contents, settings.limit)
    for stem in missing:
        folder.forget(stem)
    folder.save_job(manifest.source)
    return folder, due, _Repaired(adopted=leftovers.finished, missing=len(missing))


def _compare(manifest: Manifest, contents: Contents, limit: int | None) -> tuple[Due, list[str]]:
    """What is due, and the stems of pictures that were made and are gone."""
    indices = array("Q")
    missing: list[str] = []
    tasks = made = 0
    for task in distinct(manifest):
        tasks += 1
        if task.id in contents.made:
            made += 1
        elif limit is None or len(indices) < limit:
            if path := contents.in_the_way(task):
                raise UsageError(
                    f"{path}: has the place of task {task.index}, which is another picture; "
                    "move it away, or give another folder with --output"
                )
            if task.id in contents.missing:
                missing.append(contents.missing[task.id])
            indices.append(task.index)
    return Due(tasks=tasks, made=made, indices=indices), missing


def _key(manifest: Manifest, environment: Mapping[str, str]) -> Secret:
    variable = manifest.settings.api_key_env
    return SANDBOX_KEY if variable is None else read_key(variable, environment)


def _started(manifest: Manifest, settings: RunSettings, due: Due, url: str, repaired: _Repaired) -> RunStarted:
    return RunStarted(
        run=settings.run_id,
        job=manifest.name,
        output=str(settings.output),
        provider=manifest.settings.provider.kind,
        url=url,
        tasks=due.tasks,
        made=due.made,
        asked=len(due.indices),
        adopted=repaired.adopted,
        missing=repaired.missing,
    )


def _setup(manifest: Manifest, settings: RunSettings, folder: OutputFolder, url: str, key: Secret) -> Setup:
    job = manifest.settings
    return Setup(
        provider=job.provider,
        url=url,
        key=key,
        windows=job.windows if settings.windows is None else settings.windows,
        concurrency=settings.concurrency or job.concurrency or AUTO_CONCURRENCY,
        timeout_s=job.timeout_s,
        bounds=RetryBounds(),
        folder=folder,
    )


async def _make(manifest: Manifest, due: Due, setup: Setup, tally: Tally, drain: anyio.Event) -> None:
    """Have the due tasks made, stopping in order at a signal."""
    tasks = (manifest.task(index) for index in due.indices)
    async with anyio.create_task_group() as group:
        group.start_soon(_watch_signals, group.cancel_scope, drain, tally)
        await execute(tasks, setup, tally, tally.waiting, drain)
        group.cancel_scope.cancel()


async def _watch_signals(everything: anyio.CancelScope, drain: anyio.Event, tally: Tally) -> None:
    """The first signal stops sending and lets what is in flight end within the grace time; the second ends it now."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            if drain.is_set():
                everything.cancel()
                return
            ending = Ending.INTERRUPTED if number == signal.SIGINT else Ending.TERMINATED
            tally.stop(ending, str(ending), f"waiting up to {GRACE_S:.0f} s for what was sent; again ends it now")
            drain.set()
            everything.deadline = anyio.current_time() + GRACE_S
