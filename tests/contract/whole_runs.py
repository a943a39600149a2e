"""Whole runs in this process, from the text of a job to the folder of its pictures, over real sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from batchgen.events import RunEnded, TaskFailed, TaskMade, TaskRetried, Waiting
from batchgen.job import load_job, new_run_id
from batchgen.run import RunSettings, run
from batchgen.store.rows import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from page_server import PageServer

    from batchgen.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A run that has ended, and all that it said."""

    folder: Path
    ended: RunEnded
    events: tuple[Event, ...]

    @property
    def made(self) -> list[TaskMade]:
        """Pictures, in the order in which they were made."""
        return [event for event in self.events if isinstance(event, TaskMade)]

    @property
    def failed(self) -> list[TaskFailed]:
        """Tasks that ended without a picture."""
        return [event for event in self.events if isinstance(event, TaskFailed)]

    @property
    def retried(self) -> list[TaskRetried]:
        """Attempts after which a task was tried again."""
        return [event for event in self.events if isinstance(event, TaskRetried)]

    @property
    def waits(self) -> list[Waiting]:
        """Waits that were announced."""
        return [event for event in self.events if isinstance(event, Waiting)]

    def sidecars(self) -> list[dict[str, Any]]:
        """Every sidecar, by task."""
        found = [*self.folder.glob("images/**/*.json"), *self.folder.glob("filtered/**/*.json")]
        return sorted((json.loads(path.read_text()) for path in found), key=lambda each: each["task"]["index"])


def job_text(url: str, job: Mapping[str, Any], **provider: Any) -> str:
    """A job that asks the API at `url` with the key in PICTURE_KEY; JSON is YAML too."""
    settings = {"kind": "gateway", "url": url, "api_key_env": "PICTURE_KEY", "rate_limit": "none", **provider}
    return json.dumps({"provider": settings, **job}, ensure_ascii=False)


async def run_text(folder: Path, text: str, *, key: str, concurrency: int | None = None) -> Whole:
    """Run a job's text; its files are found in `folder`, its output is `folder`/output."""
    path = folder / "otters.yaml"
    await anyio.Path(path).write_text(text)
    run_id = new_run_id()
    manifest = await anyio.to_thread.run_sync(partial(load_job, path, run_id=run_id))
    settings = RunSettings(
        run_id=run_id,
        output=folder / "output",
        environment={"PICTURE_KEY": key},
        asked=Asked(job=""),
        concurrency=concurrency,
    )
    said: list[Event] = []
    ended = await run(manifest, settings, said.append)
    return Whole(folder=settings.output, ended=ended, events=tuple(said))


async def ask_page(
    folder: Path, page: PageServer, job: Mapping[str, Any], *, concurrency: int | None = None, **provider: Any
) -> Whole:
    """Run a job against the second server."""
    return await run_text(folder, job_text(page.url, job, **provider), key=page.key, concurrency=concurrency)
