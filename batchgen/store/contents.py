"""What an output folder holds, in one pass: what is made, what is missing, what is taken.

A sidecar means `made`. One that the ledger knows is not read again; one that it does not know is, and may be adopted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchgen.store.names import AREAS, FILTERED, PICTURE_PART, SIDECAR, folded, sidecar_of, stem_name
from batchgen.store.sidecar import read_sidecar
from batchgen.store.tree import is_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchgen.model import Task
    from batchgen.store.ledger_reader import LedgerReader
    from batchgen.store.rows import FailureRow, PictureRow
    from batchgen.store.sidecar import MadeRecord

_LONGEST_SIDECAR_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One look at an output folder; a stem is the path below `images/` or `filtered/`, without extension."""

    made: Mapping[str, str]
    """Task id -> stem, where the picture is there and as long as its sidecar says."""
    indices: Mapping[str, int]
    """Task id of what is made, missing or failed -> its index in the job of its run."""
    filtered: frozenset[str]
    """The ids among `made` whose pictures lie in `filtered/`."""
    missing: Mapping[str, str]
    """Task id -> stem, where the picture is gone or of another length; to be forgotten before it is made again."""
    taken: Mapping[str, str]
    """Folded stem -> the path, relative to the output folder, of a file that has its place."""
    billed_usd: Decimal
    """What all attempts may have cost that the ledger or a sidecar knows of."""
    blocked: Mapping[str, str]
    """Folded path -> path of what stands where a stem may need a folder: files of no kind of ours, links."""

    unknown: Sequence[tuple[str, MadeRecord]] = ()
    """Path and words of each sidecar whose pair is whole and that the ledger does not know."""
    gone: Sequence[str] = ()
    """Paths of the pictures that the ledger knows and that are no longer there, or without their sidecar."""

    failures: Sequence[FailureRow] = ()
    """Tasks that ended without a picture, as the ledger says."""

    def in_the_way(self, task: Task) -> str | None:
        """The path of what has the place of a task that is due, or None; what `forget` moves is not in the way."""
        if task.stem in {self.made.get(task.id), self.missing.get(task.id)}:
            return None
        if path := self.taken.get(folded(task.stem)):
            return path
        above = (self.blocked.get(folded(str(folder))) for folder in PurePosixPath(task.stem).parents)
        return next(filter(None, above), None)


def scan(root: Path, ledger: LedgerReader | None) -> Contents:
    """Look at everything below `images/` and `filtered/` once; OSErrors pass through."""
    known = {sidecar_of(row.path): row for row in (ledger.pictures() if ledger else ())}
    failures = ledger.failures() if ledger else []
    look = _Look(known, ledger.bill().at_most if ledger else Decimal(0))
    look.indices |= {row.task_id: row.task_index for row in failures}
    for folder, entries in folders(root):
        look.at(folder, entries)
    look.end()
    for task_id in look.made.keys() & look.missing.keys():
        del look.missing[task_id]
    return Contents(
        made=look.made,
        indices=look.indices,
        billed_usd=look.billed_usd,
        filtered=frozenset(look.filtered),
        missing=look.missing,
        taken=look.taken,
        blocked=look.blocked,
        unknown=look.unknown,
        gone=look.gone,
        failures=failures,
    )


def folders(root: Path) -> Iterator[tuple[PurePosixPath, list[os.DirEntry[str]]]]:
    """Every folder of pictures, relative to `root`, with what is in it; links are not followed."""
    waiting = [PurePosixPath(area) for area in AREAS if is_folder(root / area)]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as found:
            entries = list(found)
        waiting += [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield folder, entries


def records(root: Path) -> Iterator[MadeRecord]:
    """What every sidecar of a folder says."""
    for _, entries in folders(root):
        for entry in entries:
            if entry.name.endswith(SIDECAR) and entry.is_file(follow_symlinks=False):
                record = record_of(Path(entry.path))
                if record is not None:
                    yield record


def record_of(path: Path) -> MadeRecord | None:
    """What the sidecar in this file says, or None when it is none of ours."""
    if path.stat().st_size > _LONGEST_SIDECAR_BYTES:
        return None
    return read_sidecar(path.read_bytes())


@dataclass(slots=True)
class _Look:
    known: dict[str, PictureRow]
    """By the path of their sidecar; those that were not met yet."""
    billed_usd: Decimal
    made: dict[str, str] = field(default_factory=dict)
    indices: dict[str, int] = field(default_factory=dict)
    filtered: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    unknown: list[tuple[str, MadeRecord]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def at(self, folder: PurePosixPath, entries: list[os.DirEntry[str]]) -> None:
        """One folder."""
        area, *inner = folder.parts
        below = "".join(f"{part}/" for part in inner)
        files = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
        for entry in entries:
            self._place(f"{area}/{below}", below, entry)
        for name, entry in files.items():
            if name.endswith(SIDECAR):
                self._sidecar(f"{area}/{below}", name, entry, files)

    def _sidecar(self, folder: str, name: str, entry: os.DirEntry[str], files: Mapping[str, os.DirEntry[str]]) -> None:
        area, _, stem = (folder + name.removesuffix(SIDECAR)).partition("/")
        row = self.known.pop(folder + name, None)
        if row and _size(files.get(row.path.rpartition("/")[2])) == row.size_bytes:
            self._record(row.task_id, row.task_index, stem, area, whole=True)
            return
        if row:  # the picture is gone, or a flipped bit in the ledger says so: the sidecar knows
            self.gone.append(row.path)
        if (record := record_of(Path(entry.path))) and sidecar_of(record.picture_file) == name:
            whole = _size(files.get(record.picture_file)) == record.size_bytes
            self._record(record.task_id, record.index, stem, area, whole=whole)
            self.billed_usd += record.billed_usd
            if whole and _is_text(folder + record.picture_file):
                self.unknown.append((folder + record.picture_file, record))

    def end(self) -> None:
        """What the ledger knows and was not met is gone; where nothing has its place it can be made again."""
        for row in self.known.values():
            self.gone.append(row.path)
            _, _, stem = row.path.rpartition(".")[0].partition("/")
            if folded(stem) not in self.taken:
                self.indices.setdefault(row.task_id, row.task_index)
                self.missing.setdefault(row.task_id, stem)

    def _place(self, shown: str, below: str, entry: os.DirEntry[str]) -> None:
        name = stem_name(entry.name)
        if name is not None:
            place = folded(below + name)
            if self.taken.get(place, PICTURE_PART).endswith(PICTURE_PART):  # ours, and not what has to be moved away
                self.taken[place] = shown + entry.name
        elif not entry.is_dir(follow_symlinks=False):
            self.blocked.setdefault(folded(below + entry.name), shown + entry.name)

    def _record(self, task_id: str, index: int, stem: str, area: str, *, whole: bool) -> None:
        self.indices[task_id] = index
        (self.made if whole else self.missing).setdefault(task_id, stem)
        if whole and area == FILTERED and self.made[task_id] == stem:
            self.filtered.add(task_id)


def _size(entry: os.DirEntry[str] | None) -> int | None:
    return None if entry is None else entry.stat(follow_symlinks=False).st_size


def _is_text(path: str) -> bool:
    """The ledger holds no names of other bytes; what lies there is told by its sidecar alone."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
