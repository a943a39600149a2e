"""The conductor: what is to be made goes to the executor; what becomes of it is one stream of events."""

from __future__ import annotations

import ctypes
import gc
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from batchgen.account import retry_bounds, rules, shared_log, state_folder
from batchgen.due import Part
from batchgen.embedded import embedded_sandbox
from batchgen.errors import StorageError
from batchgen.events import RunStarted, TaskFailed, json_line
from batchgen.executors.here import execute
from batchgen.executors.worker import Setup, costs_of
from batchgen.keys import SANDBOX_KEY, read_key
from batchgen.resume import resume
from batchgen.signals import heard_signals
from batchgen.store.folder import OutputFolder
from batchgen.store.rescue import rescue_place
from batchgen.store.rows import Asked, FailureRow, RunRow
from batchgen.tally import Tally
from batchgen.utc import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from batchgen.events import Event, RunEnded
    from batchgen.manifest.manifest import Manifest
    from batchgen.model import RateLimit, Secret, Task
    from batchgen.resume import Resumed
    from batchgen.signals import HeardSignals
    from batchgen.store.writer import Writer

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE_BYTES: Final = 1024 * 1024
MOST_KEPT_BYTES: Final = 32 * 1024 * 1024
COLLECTED_AFTER: Final = 20_000
"""Objects that came and did not go; those of what is in flight are some thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One invocation; a flag of the command line stands over the job."""

    run_id: str
    output: Path
    environment: Mapping[str, str] = field(repr=False)
    asked: Asked
    """How to ask for this again."""
    part: Part = field(default_factory=Part)
    """What of the job to make now."""
    replace: bool = False
    """Move what has a picture's place out of the way."""
    concurrency: int | None = None
    rate_limit: RateLimit | None = None


async def run(manifest: Manifest, settings: RunSettings, emit: Callable[[Event], None]) -> RunEnded:
    """Make what the job asks for and is not made yet.

    Raises:
        UsageError: No key, or a picture's place is taken; nothing was sent.
        StorageError: The output folder can't be used; nothing was sent.
        OwnedError: Another run uses it.
    """
    started_s = anyio.current_time()
    rescue = rescue_place(state_folder(settings.environment), settings.output)
    folder = await anyio.to_thread.run_sync(OutputFolder.open, settings.output, settings.run_id, rescue)
    try:
        resumed = await anyio.to_thread.run_sync(resume, manifest, folder, settings.part, settings.replace)
        async with AsyncExitStack() as stack:
            key, url = SANDBOX_KEY, manifest.settings.url or ""
            if resumed.asked:
                key = await anyio.to_thread.run_sync(_key, manifest, settings.environment)
                url = url or await stack.enter_async_context(embedded_sandbox(manifest.settings.added_models))
            signals = stack.enter_context(heard_signals())
            await anyio.to_thread.run_sync(_begin, manifest, settings, resumed)
            async with folder.writer(settings.run_id) as writer:
                tally = Tally(
                    manifest.settings.provider, record=partial(_record, writer), emit=emit, on_unheard=signals.drain.set
                )
                tally.tell(_started(manifest, settings, resumed, url))
                if resumed.asked:
                    setup = _setup(manifest, settings, resumed, url, key)
                    await _make(manifest.tasks(resumed.due), setup, writer, tally, signals)
                tally.abandoned(row.usd for row in writer.unsettled)
                ended = tally.ended(
                    output=str(settings.output),
                    asked=resumed.asked,
                    left=resumed.left,
                    given_up=resumed.given_up,
                    seconds=anyio.current_time() - started_s,
                )
                tally.tell(ended)
            await anyio.to_thread.run_sync(_end, folder, ended)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(folder.close)
    return ended


def _keep_memory() -> None:
    """What large pictures took is used again; to give it back and be given zeroed pages was a quarter of their time.

    glibc alone knows how (mallopt(3)).
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, MOST_KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """A picture's objects go by their reference counts; to look for cycles in all that lasts was 6% of its time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _begin(manifest: Manifest, settings: RunSettings, resumed: Resumed) -> None:
    """The run is on the disk before anything of it is; blocks."""
    resumed.folder.save_job(manifest.source)
    resumed.folder.ledger.begin(
        RunRow(
            id=settings.run_id,
            started=utc_now(),
            tasks=resumed.comparison.tasks,
            orphaned=resumed.comparison.orphaned,
            asked=settings.asked,
            job=manifest.digest if resumed.comparison.in_place else None,
        )
    )


def _end(folder: OutputFolder, ended: RunEnded) -> None:
    """The run ended in order; one that a full disk ended may not be able to say so."""
    with suppress(StorageError):
        folder.ledger.end(ended=utc_now(), ending=ended.ending, why=ended.why)


def _record(writer: Writer, event: Event) -> None:
    """Keep what is said."""
    writer.note(json_line(event).encode("utf-8", "backslashreplace"))
    if isinstance(event, TaskFailed):
        writer.fail(
            FailureRow(
                task_id=event.id,
                task_index=event.index,
                prompt_id=event.prompt_id,
                fault=event.fault,
                billing=event.billing,
                status=event.status,
                words=event.words,
            )
        )


def _key(manifest: Manifest, environment: Mapping[str, str]) -> Secret:
    variable = manifest.settings.api_key_env
    return SANDBOX_KEY if variable is None else read_key(variable, environment)


def _started(manifest: Manifest, settings: RunSettings, resumed: Resumed, url: str) -> RunStarted:
    lost = resumed.lost
    return RunStarted(
        run=settings.run_id,
        job=manifest.name,
        output=str(settings.output),
        provider=manifest.settings.provider.kind,
        url=url,
        tasks=resumed.comparison.tasks,
        made=len(resumed.comparison.kept),
        asked=resumed.asked,
        expected_usd=None if resumed.price.expected is None else float(resumed.price.expected),
        adopted=resumed.finished,
        missing=len(resumed.comparison.missing),
        given_up=resumed.given_up,
        in_doubt=len(lost),
        in_doubt_usd=None if any(row.usd is None for row in lost) else float(sum(row.usd or 0 for row in lost)),
        ledger_set_aside=None if resumed.folder.set_aside is None else str(resumed.folder.set_aside),
    )


def _setup(manifest: Manifest, settings: RunSettings, resumed: Resumed, url: str, key: Secret) -> Setup:
    job = manifest.settings
    return Setup(
        provider=job.provider,
        url=url,
        key=key,
        rules=rules(job, settings.rate_limit, settings.concurrency),
        shared_log=shared_log(settings.environment, url, key) if job.url else None,
        timeout_s=job.timeout_s,
        bounds=retry_bounds(manifest.retry),
        caps=resumed.caps,
        folder=resumed.folder,
        earlier=resumed.earlier,
        costs=costs_of(job.provider),
    )


async def _make(tasks: Iterable[Task], setup: Setup, writer: Writer, tally: Tally, signals: HeardSignals) -> None:
    """Have the tasks made, stopping in order at a signal."""
    _keep_memory()
    with _seldom_collected():
        async with anyio.create_task_group() as group:
            group.start_soon(signals.watch, group.cancel_scope, tally)
            await execute(tasks, setup, writer, tally, signals.drain)
            group.cancel_scope.cancel()
