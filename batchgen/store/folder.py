"""One `output/<name>`: what is in it, what a crash left there, and the sinks that new pictures go to."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from anyio import CancelScope, CapacityLimiter, to_thread

from batchgen.errors import StorageError
from batchgen.store import contents, durable, leftovers
from batchgen.store.as_left import last_run
from batchgen.store.database import DamagedError
from batchgen.store.desk import keep_elsewhere
from batchgen.store.file_system import refuse_network
from batchgen.store.handed import Opening
from batchgen.store.keeper import keeper_process
from batchgen.store.ledger_file import begin_anew, look_at_ledger, open_ledger
from batchgen.store.lock import FolderLock
from batchgen.store.names import AREAS, PICTURE_PART, SIDECAR_PART, Spot, spot, stem_name
from batchgen.store.pictures import PictureSink
from batchgen.store.rescue import bring_home, has_rescued
from batchgen.store.rows import AttemptRow, PictureRow, RunRow
from batchgen.store.slots import Slots, shared_memory
from batchgen.store.tree import Tree, disk_errors, is_file, is_folder
from batchgen.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from batchgen.model import Task
    from batchgen.store.contents import Contents
    from batchgen.store.ledger import Ledger
    from batchgen.store.sidecar import MadeRecord

DISK_THREADS = 16
"""Threads of its own, so that a slow disk never holds up name look-ups or anything else that needs a thread."""

WRITERS = 2
"""Threads that hash and write what streams: so many keep up with the loop, and more would keep it from its core."""

JOB = "job.yaml"
REPLACED = PurePosixPath("replaced")


class OutputFolder:
    """A folder that this run owns, and that was writable when it was opened. All but the sinks' methods block."""

    def __init__(  # noqa: PLR0913, PLR0917 - what was opened
        self, path: Path, run: str, tree: Tree, lock: FolderLock, ledger: Ledger, set_aside: Path | None
    ) -> None:
        self.path = path
        """As it was named."""
        self._run = run
        self._tree = tree
        self._lock = lock
        self._disk = CapacityLimiter(DISK_THREADS)
        self._writers = ThreadPoolExecutor(WRITERS, "batchgen-writer")
        self._slots: Slots | None = None
        self.ledger = ledger
        self.set_aside = set_aside
        """Where a damaged ledger went, if this one began anew."""

    @classmethod
    def open(cls, path: Path, run: str, rescue: Path | None = None) -> Self:
        """Make the folder if it is missing, and own it until `close`; its lock and its ledger show that it is writable.

        What can't be kept in it goes to `rescue`.

        Raises:
            StorageError: One line with the place, the cause and the remedy.
            OwnedError: Another run has it.
        """
        root = path.absolute()
        with disk_errors(root), ExitStack() as undone:
            if root.exists() and not root.is_dir():
                raise StorageError(f"{root}: is not a folder; choose another one with --output, or move it away")
            tree = Tree(root, rescue)
            durable.make_folders(root)
            refuse_network(root)
            lock = FolderLock.take(root, run)
            undone.callback(lock.release)
            for area in AREAS:
                is_folder(root / area)
            ledger, set_aside = open_ledger(root)
            undone.pop_all()
        return cls(path, run, tree, lock, ledger, set_aside)

    def close(self) -> None:
        """Let another run have the folder."""
        self._writers.shutdown(wait=False)  # no sink is left that would wait for one
        self.ledger.close()
        self._lock.release()

    @property
    def root(self) -> Path:
        """The folder itself, as an absolute path."""
        return self._tree.root

    def as_left(self) -> RunRow | None:
        """The last run, where the folder is as it left it, and nothing is to be brought home."""
        with disk_errors(self.root), suppress(DamagedError):
            return None if has_rescued(self._tree) else last_run(self.root, self.ledger)
        return None

    def recover(self) -> Recovered:
        """Bring what dead runs left to its end, and the ledger to what the disk holds."""
        with disk_errors(self.root):
            left = leftovers.clear(self._tree)
            for folder, name in left.damaged:
                self._set_aside(folder, [name])
            finished = left.finished + bring_home(self._tree)
            try:
                found, lost = self._reconcile()
            except DamagedError:
                self.ledger.close()
                self.ledger, self.set_aside = begin_anew(self.root)
                found, lost = self._reconcile()
            return Recovered(contents=found, finished=finished, lost=lost)

    def _reconcile(self) -> tuple[Contents, Sequence[AttemptRow]]:
        """DamagedError where the ledger can't be read, all of it that a run reads."""
        found = contents.scan(self.root, self.ledger)
        self.ledger.forget(pictures=found.gone)
        self.ledger.adopt([_adopted(path, record) for path, record in found.unknown])
        lost = self.ledger.lose()
        self.ledger.bill()
        deque(self.ledger.failed_attempts(), maxlen=0)
        return found, lost

    @asynccontextmanager
    async def writer(self, run: str) -> AsyncIterator[Writer]:
        """What keeps the run's pictures, attempts and events; all that it was given is on the disk at the end."""
        with ExitStack() as stack:
            with disk_errors(self.root):
                first = await to_thread.run_sync(self.ledger.next_attempt)
                memory = shared_memory()
                stack.callback(os.close, memory)
                self._slots = Slots(memory)
                stack.callback(setattr, self, "_slots", None)
                keeper = keeper_process(self._lock.descriptor, memory)
                line = await to_thread.run_sync(keeper.__enter__)
            try:
                with disk_errors(self.root):
                    opening = Opening(self.root, self._tree.rescue, run, self.ledger.run)
                    elsewhere = partial(keep_elsewhere, self._tree, self._slots)
                    writer = await Writer.opened(line, opening, first, elsewhere)
                try:
                    yield writer
                finally:
                    with CancelScope(shield=True):
                        await writer.close()
            finally:
                with CancelScope(shield=True):
                    await to_thread.run_sync(keeper.__exit__, None, None, None)

    def sink(self, task: Task) -> PictureSink:
        """Where the bytes of one attempt at this task go; touches no disk yet."""
        return PictureSink(self._tree, task, self._disk, self._slots, self._writers)

    def forget(self, stem: str) -> None:
        """Move the stale sidecar of a missing picture out of the way, so that the picture can be made again.

        A picture that is there but not as its sidecar says may be somebody's work: both go to `replaced/`. A pair
        that fits, and JSON that is none of ours, stay.
        """
        with disk_errors(self.root):
            for area in AREAS:
                self._forget(spot(area, stem))

    def replace(self, paths: Iterable[str]) -> None:
        """Move the pictures or sidecars at these paths, and what is of the same names, out of the way of new ones.

        Raises:
            StorageError: One is no regular file.
        """
        taken: dict[PurePosixPath, dict[str | None, str]] = defaultdict(dict)
        for path in map(PurePosixPath, paths):
            taken[path.parent][stem_name(path.name)] = path.name
        moved: list[str] = []
        for folder, names in taken.items():  # one look at each, however many of its pictures go
            with disk_errors(self.root / folder):
                entries = [entry for entry in os.scandir(self.root / folder) if stem_name(entry.name) in names]
                kept = _kept(self.root / folder, entries)
                found = [entry for entry in entries if entry.name not in kept]
                others = (entry.name for entry in found if not entry.is_file(follow_symlinks=False))
                stranger = next(others, names.get(None))
                if stranger is not None:
                    raise StorageError(
                        f"{self.root / folder / stranger}: is no picture or sidecar; move it away yourself"
                    )
                self._set_aside(folder, [entry.name for entry in found])
                moved += [f"{folder}/{entry.name}" for entry in found]
        self.ledger.forget(pictures=moved)

    def save_job(self, text: bytes) -> None:
        """Keep the job as last run, in one step; another one goes to `replaced/`: it may be somebody's own."""
        job = self.root / JOB
        with disk_errors(job):
            is_file(job.with_name(f"{JOB}.part"))
            if is_file(job) and job.read_bytes() != text:
                self._set_aside(PurePosixPath(), (JOB,))
            durable.replace(job, text)

    def _forget(self, place: Spot) -> None:
        folder = self.root / place.folder
        sidecar = folder / place.sidecar
        if not _is_regular(sidecar):
            return
        record = contents.record_of(sidecar)
        if record is None or _fits(folder / record.picture_file, record):
            return
        if os.path.lexists(folder / record.picture_file):
            self._set_aside(place.folder, (record.picture_file, place.sidecar))
        else:
            sidecar.unlink()
        durable.fsync_folder(folder)

    def _set_aside(self, folder: PurePosixPath, names: Iterable[str]) -> None:
        """To `replaced/<run>/`: what stands in a picture's place may be somebody's work."""
        aside = Path(self._tree.ready(REPLACED / PurePosixPath(self._run) / folder))
        for name in names:
            durable.set_aside(self.root / folder / name, aside / name)
        durable.fsync_folder(aside)
        durable.fsync_folder(self.root / folder)


def _kept(folder: Path, entries: Sequence[os.DirEntry[str]]) -> set[str]:
    """What of these waits for the place: parts, and pictures whose sidecar has not got its name yet."""
    parts = {entry.name for entry in entries if entry.name.endswith(PICTURE_PART) and _is_regular(folder / entry.name)}
    pictures = (leftovers.waiting(folder, part) for part in parts if part.endswith(SIDECAR_PART))
    return parts.union(filter(None, pictures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A folder as a run finds it, once what dead runs left is brought to its end."""

    contents: Contents
    finished: int
    """Pictures that an earlier run left unfinished or kept elsewhere, and that were whole."""
    lost: Sequence[AttemptRow]
    """Attempts that it began, and of whose end nothing is known."""


def contents_of(path: Path) -> Contents:
    """What a folder holds, without changing anything in it; nothing where there is none."""
    root = path.absolute()
    with disk_errors(root):
        ledger = look_at_ledger(root)
        if ledger is None:
            return contents.scan(root, None)
        with closing(ledger), suppress(DamagedError):
            return contents.scan(root, ledger)
        return contents.scan(root, None)  # as a run would, which sets the ledger aside


def _adopted(path: str, record: MadeRecord) -> tuple[PictureRow, list[AttemptRow]]:
    row = PictureRow(record.task_id, record.index, path, record.size_bytes, record.sha256, record.sidecar_sha256)
    return row, [AttemptRow(record.task_id, record.index, attempt, record.usd) for attempt in record.attempts]


def picture_digests(path: Path) -> set[str]:
    """The SHA-256 of every picture in a folder, by their sidecars."""
    with disk_errors(path):
        return {record.sha256 for record in contents.records(path.absolute())}


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _fits(path: Path, record: MadeRecord) -> bool:
    return _is_regular(path) and path.stat().st_size == record.size_bytes
