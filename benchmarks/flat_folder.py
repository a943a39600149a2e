"""A process of its own: makes tasks of a job be made, in its output folder, as runs would have left them.

    python -m benchmarks.flat_folder JOB OUTPUT TASKS    (the first so many)

Sidecars and the ledger's rows are batchgen's own; the picture is one file under many names, and nothing waits for the
disk, which is why a million take a minute or two.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen import __version__
from batchgen.executors.worker import costs_of
from batchgen.job import load_job, new_run_id
from batchgen.model import Attempt, Billing, Picture, Success
from batchgen.store.folder import OutputFolder
from batchgen.store.rows import Asked, AttemptRow, Changes, PictureRow, RunRow
from batchgen.store.sidecar import sidecar
from benchmarks.file_server import TINY

if TYPE_CHECKING:
    from batchgen.manifest.manifest import Manifest
    from batchgen.model import Task

_AT_ONCE = 10_000
_MOST_NAMES = 60_000
"""Of one file; ext4 takes 65,000."""
AT = "2026-11-22T02:30:11.123Z"
ATTEMPT = Attempt(number=1, started=AT, seconds=0.41, billing=Billing.YES, status=200)
_INDEX = -987_654_321


def fill(job: Path, output: Path, tasks: int) -> None:
    """Make the first tasks of a job of one prompt and its seeds be made, in a folder that is not there yet."""
    run = new_run_id()
    manifest = load_job(job, run_id=run)
    folder = OutputFolder.open(output, run)
    try:
        folder.save_job(manifest.source)
        asked = Asked(job=str(job.absolute()))
        folder.ledger.begin(
            RunRow(id=run, started=AT, tasks=len(manifest), orphaned=0, asked=asked, job=manifest.digest)
        )
        filler = Filler(manifest, output)
        for first in range(0, tasks, _AT_ONCE):
            batch = range(first, min(first + _AT_ONCE, tasks))
            folder.ledger.commit(filler.made(batch))
        folder.ledger.end(ended=AT, ending="interrupted", why="")
    finally:
        folder.close()


class Filler:
    """Makes tasks of one job be made."""

    def __init__(self, manifest: Manifest, output: Path) -> None:
        content = TINY.content()
        self._picture = Picture(
            format="png",
            width=TINY.side_px,
            height=TINY.side_px,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        self._manifest = manifest
        self._images = f"{output}/images/"
        self._cost = costs_of(manifest.settings.provider)[manifest.task(0).fields["model"]]
        self._template = self._sidecars()
        self._folders: set[str] = set()
        self._one = ""
        self._names = _MOST_NAMES

    def made(self, tasks: range) -> Changes:
        """Put pictures and sidecars there; the rows that tell of them."""
        changes, usd = Changes(), None if self._cost is None else self._cost.usd
        for index in tasks:
            task = self._manifest.task(index)
            changes.started.append((index + 1, AttemptRow(task.id, index, ATTEMPT, usd)))
            changes.settled.append((index + 1, ATTEMPT))
            changes.pictures.append(self._keep(task))
        return changes

    def sidecar(self, task: Task) -> bytes:
        """As a run writes it."""
        seed, file = task.fields["seed"], f"{task.stem.rpartition('/')[2]}.png"
        return (self._template % {"id": task.id, "index": task.index, "seed": seed, "file": file}).encode()

    def _keep(self, task: Task) -> PictureRow:
        stem = self._images + task.stem
        folder = stem.rpartition("/")[0]
        if folder not in self._folders:
            Path(folder).mkdir(parents=True)
            self._folders.add(folder)
        self._link(f"{stem}.png")
        text = self.sidecar(task)
        descriptor = os.open(f"{stem}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(descriptor, text)
        os.close(descriptor)
        return PictureRow(
            task_id=task.id,
            task_index=task.index,
            path=f"images/{task.stem}.png",
            size_bytes=self._picture.size_bytes,
            sha256=self._picture.sha256,
            sidecar_sha256=hashlib.sha256(text).hexdigest(),
        )

    def _link(self, path: str) -> None:
        if self._names == _MOST_NAMES:
            Path(path).write_bytes(TINY.content())
            self._one, self._names = path, 1
        else:
            os.link(self._one, path)
            self._names += 1

    def _sidecars(self) -> str:
        """One written out with marks for what differs: encoding a million documents would take most of the time."""
        task = self._manifest.task(0)
        marked = task._replace(id="<id>", index=_INDEX, fields={**task.fields, "seed": "<seed>"})
        document = sidecar(
            marked,
            provider=self._manifest.settings.provider.kind,
            url=self._manifest.settings.url or "",
            version=__version__,
            success=Success(picture=self._picture, status=200, content_type="image/png"),
            picture_file="<file>",
            attempts=[ATTEMPT],
            cost=self._cost,
            made=AT,
        )
        text = document.naming(self._picture.sha256).decode().replace("%", "%%").replace(str(_INDEX), "%(index)d")
        for mark in ("id", "seed", "file"):
            text = text.replace(f"<{mark}>", f"%({mark})s")
        return text


if __name__ == "__main__":
    fill(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
