"""The conductor: a job, less what is made, goes to the executor; what becomes of it is one stream of events.

To begin, to resume and to finish an interrupted run are one thing: make the tasks that have no sidecar yet.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from batchgen.account import retry_bounds, rules, shared_log
from batchgen.due import Part, compare, count_due, tasks_due
from batchgen.embedded import embedded_sandbox
from batchgen.engine.budget import Caps
from batchgen.errors import UsageError
from batchgen.events import RunStarted
from batchgen.executors.here import execute
from batchgen.executors.worker import Setup
from batchgen.keys import SANDBOX_KEY, read_key
from batchgen.manifest.survey import survey
from batchgen.pricing import models_due, price
from batchgen.signals import watch_signals
from batchgen.store.folder import OutputFolder
from batchgen.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from batchgen.due import Comparison
    from batchgen.events import Event, RunEnded
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import RateLimit, Secret, Task
    from batchgen.pricing import Price
    from batchgen.store.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One invocation; a flag of the command line stands over the job."""

    run_id: str
    output: Path
    environment: Mapping[str, str]
    part: Part = field(default_factory=Part)
    """What of the job to make now."""
    concurrency: int | None = None
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """The output folder, set right, and what is to be made in it."""

    folder: OutputFolder
    found: Survey
    comparison: Comparison
    asked: int
    price: Price
    adopted: int
    """Pictures that a killed run left unfinished and that were whole."""
    caps: Caps

    @property
    def left(self) -> int:
        """What is due and not asked for."""
        return self.comparison.due - self.asked


async def run(manifest: Manifest, settings: RunSettings, emit: Callable[[Event], None]) -> RunEnded:
    """Make what the job asks for and is not made yet.

    Raises:
        UsageError: No key, or a picture's place is taken; nothing was sent.
        StorageError: The output folder can't be used; nothing was sent.
    """
    started_s = anyio.current_time()
    opened = await anyio.to_thread.run_sync(_open, manifest, settings)
    drain = anyio.Event()
    tally = Tally(manifest.settings.provider, emit, drain.set)
    async with AsyncExitStack() as stack:
        key, url = SANDBOX_KEY, manifest.settings.url or ""
        if opened.asked:
            key = _key(manifest, settings.environment)
            url = url or await stack.enter_async_context(embedded_sandbox(manifest.settings.added_models))
        tally.tell(_started(manifest, settings, opened, url))
        if opened.asked:
            tasks = tasks_due(manifest, opened.found, opened.comparison, settings.part)
            await _make(map(manifest.task, tasks), _setup(manifest, settings, opened, url, key), tally, drain)
    ended = tally.ended(
        output=str(settings.output),
        asked=opened.asked,
        left=opened.left,
        seconds=anyio.current_time() - started_s,
    )
    tally.tell(ended)
    return ended


def _open(manifest: Manifest, settings: RunSettings) -> _Opened:
    """Open the folder, clear what a killed run left, and compare it with the job; blocks."""
    found = survey(manifest)
    folder = OutputFolder.open(settings.output)
    leftovers = folder.clear_leftovers()
    contents = folder.scan()
    comparison = compare(manifest, found, contents)
    _refuse_changed(manifest, settings, found, comparison)
    caps = _caps(manifest, found, contents)
    for stem in comparison.missing.values():
        folder.forget(stem)
    folder.save_job(manifest.source)
    return _Opened(
        folder=folder,
        found=found,
        comparison=comparison,
        asked=count_due(manifest, found, comparison, settings.part),
        price=price(manifest, models_due(manifest, found, comparison, settings.part), contents.billed_usd),
        adopted=leftovers.finished,
        caps=caps,
    )


def _refuse_changed(manifest: Manifest, settings: RunSettings, found: Survey, comparison: Comparison) -> None:
    """A task that is asked for and whose place is taken can't be made: nothing is sent."""
    if not comparison.changed:
        return
    for index in tasks_due(manifest, found, comparison, settings.part):
        if index in comparison.changed:
            place = settings.output / comparison.changed[index]
            raise UsageError(
                f"{place}: has the place of task {index}, but is not its picture ({len(comparison.changed):,} such); "
                "move it away, or give another folder with --output"
            )


def _caps(manifest: Manifest, found: Survey, contents: Contents) -> Caps:
    """The job's caps, for the life of its folder; a cost that can't be known can't be capped."""
    limits, capabilities = manifest.limits, manifest.settings.provider.capabilities
    unknown = [model for model in found.models if capabilities.price_usd(model) is None]
    if limits.max_cost is not None and unknown:
        raise UsageError(
            f"{manifest.file}: limits.max_cost can't be kept: the price of {unknown[0]} is not known; "
            "give it under provider.prices"
        )
    return Caps(
        max_cost=limits.max_cost,
        max_images=limits.max_images,
        spent=contents.billed_usd,
        made=len(contents.made),
    )


def _key(manifest: Manifest, environment: Mapping[str, str]) -> Secret:
    variable = manifest.settings.api_key_env
    return SANDBOX_KEY if variable is None else read_key(variable, environment)


def _started(manifest: Manifest, settings: RunSettings, opened: _Opened, url: str) -> RunStarted:
    return RunStarted(
        run=settings.run_id,
        job=manifest.name,
        output=str(settings.output),
        provider=manifest.settings.provider.kind,
        url=url,
        tasks=opened.comparison.tasks,
        made=len(opened.comparison.kept),
        asked=opened.asked,
        expected_usd=None if opened.price.expected is None else float(opened.price.expected),
        adopted=opened.adopted,
        missing=len(opened.comparison.missing),
    )


def _setup(manifest: Manifest, settings: RunSettings, opened: _Opened, url: str, key: Secret) -> Setup:
    job = manifest.settings
    return Setup(
        provider=job.provider,
        url=url,
        key=key,
        rules=rules(job, settings.rate_limit, settings.concurrency),
        shared_log=shared_log(settings.environment, url, key) if job.url else None,
        timeout_s=job.timeout_s,
        bounds=retry_bounds(manifest.retry),
        caps=opened.caps,
        folder=opened.folder,
    )


async def _make(tasks: Iterable[Task], setup: Setup, tally: Tally, drain: anyio.Event) -> None:
    """Have the tasks made, stopping in order at a signal."""
    async with anyio.create_task_group() as group:
        group.start_soon(watch_signals, group.cancel_scope, drain, tally)
        await execute(tasks, setup, tally, tally.waiting, drain)
        group.cancel_scope.cancel()
