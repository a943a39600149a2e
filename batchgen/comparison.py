"""A job against an output folder: what is made, what changed, what earlier versions of the job left over.

A task is made if its id is there. Where a job did not change, each sidecar's index finds its task at once, so that a
folder of a million pictures is compared without making a million ids; only what does not fit is looked for one by
one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import compress, filterfalse
from typing import TYPE_CHECKING

from batchgen.engine.policy import is_final
from batchgen.manifest.paths import folded
from batchgen.manifest.survey import distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.store.contents import Contents
    from batchgen.store.rows import FailureRow


class Indices(Collection[int]):
    """A set of indices, a byte for each that there could be: what is asked of all of them takes no time to speak of."""

    def __init__(self, size: int, indices: Iterable[int] = ()) -> None:
        """For indices below `size`; these are in it."""
        self._flags = bytearray(size)
        for index in indices:
            self._flags[index] = 1

    def add(self, index: int) -> None:
        """Put it in."""
        self._flags[index] = 1

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and 0 <= index < len(self._flags) and self._flags[index] == 1

    def __iter__(self) -> Iterator[int]:
        return compress(range(len(self._flags)), self._flags)

    def __len__(self) -> int:
        return self._flags.count(1)

    def leave_out(self, indices: Iterable[int]) -> Iterator[int]:
        """Of indices below its size those that are not in it."""
        return filterfalse(self._flags.__getitem__, indices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A job's tasks against a folder's contents, by index."""

    tasks: int
    """Different tasks of the job."""
    kept: Indices
    """Made already."""
    missing: Mapping[int, str]
    """Due tasks that were made and whose pictures are gone, and the stems of their sidecars."""
    changed: Mapping[int, str]
    """Due tasks whose place is taken by another picture, and the path of that."""
    orphaned: int
    """Pictures that no task of the job asks for."""
    in_place: bool = False
    """Is the index that each picture was kept with that of its task?"""
    failed: Mapping[int, FailureRow] = field(default_factory=dict)
    """Due tasks that failed in earlier runs."""
    given_up: Collection[int] = frozenset()
    """Of these, those that ended for good."""

    @property
    def new(self) -> int:
        """Due tasks whose place is free."""
        return self.due - len(self.changed)

    @property
    def due(self) -> int:
        """Tasks that are not made."""
        return self.tasks - len(self.kept)


class _Hashes:
    """The hashes of many texts, in some 8 bytes each: in parts, none of which takes long to sort."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(256)]
        self._count = 0

    def add(self, text: str) -> None:
        number = hash(text)
        self._parts[number & 255].append(number)
        self._count += 1

    def sort(self) -> None:
        """Once all are there, and before one is looked for."""
        self._parts = [array("q", sorted(part)) for part in self._parts]

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: str) -> bool:
        number = hash(text)
        part = self._parts[number & 255]
        at = bisect_left(part, number)
        return at < len(part) and part[at] == number


def compare_as_left(
    manifest: Manifest, found: Survey, made: Iterable[tuple[str, int]], failures: Sequence[FailureRow], *, same: bool
) -> Comparison | None:
    """The same where a folder holds what its ledger says and nothing else; `made`: task and index of each picture.

    In the `same` job an index is its task's; else the ids tell. None where that does not tell which paths are free.
    """
    if found.duplicates != 0 or not (same or all(prompt.path.tells_apart for prompt in manifest.prompts)):
        return None
    kept, moved = _in_place(manifest, made) if same else _found(manifest, made)
    if kept is None:
        return None
    failed = {row.task_index: row for row in failures if _is_at(manifest, row.task_index, row.task_id)}
    strayed = {row.task_id: row for row in failures} if len(failed) < len(failures) else {}
    in_place = len(kept)
    moved.sort()
    for task in manifest if moved or strayed else ():
        if task.id in moved:
            kept.add(task.index)
        elif task.id in strayed:
            failed[task.index] = strayed[task.id]
    failed = {index: row for index, row in failed.items() if index not in kept}
    return Comparison(
        tasks=found.tasks,
        kept=kept,
        missing={},
        changed={},
        orphaned=len(moved) - (len(kept) - in_place),
        in_place=not moved,
        failed=failed,
        given_up={index for index, row in failed.items() if _is_final(manifest, row)},
    )


def _in_place(manifest: Manifest, made: Iterable[tuple[str, int]]) -> tuple[Indices | None, _Hashes]:
    """What is made, where each picture has the index of its task; None: no ledger says that but for a flipped bit."""
    indices, size = array("q", (index for _, index in made)), len(manifest)
    if indices and not 0 <= min(indices) <= max(indices) < size:
        return None, _Hashes()
    kept = Indices(size, indices)
    return (kept if len(kept) == len(indices) else None), _Hashes()


def _found(manifest: Manifest, made: Iterable[tuple[str, int]]) -> tuple[Indices, _Hashes]:
    """What is made and still has the index that it was made with; and the ids of what has not, or is no task's."""
    kept, moved, count = Indices(len(manifest)), _Hashes(), 0
    for identity, index in made:
        if (count or len(moved) < _HOPELESS) and _is_at(manifest, index, identity):
            kept.add(index)
            count += 1
        else:
            moved.add(identity)
    return kept, moved


_HOPELESS = 100
"""Where none of so many is at its index, all have moved."""


def _is_at(manifest: Manifest, index: int, identity: str) -> bool:
    return 0 <= index < len(manifest) and manifest.task(index).id == identity


def compare(manifest: Manifest, found: Survey, contents: Contents) -> Comparison:
    """The job against what a folder holds."""
    located = _located(manifest, found, contents)
    kept = Indices(len(manifest), (index for identity, index in located.items() if identity in contents.made))
    failed = {
        located[row.task_id]: row
        for row in contents.failures
        if row.task_id in located and row.task_id not in contents.made
    }
    changed = _changed(manifest, found, contents, kept)
    replaced = {folded(manifest.task(index).stem) for index in changed}
    others = contents.made.keys() - located.keys()
    return Comparison(
        tasks=found.tasks,
        kept=kept,
        missing={located[identity]: stem for identity, stem in contents.missing.items() if identity in located},
        changed=changed,
        orphaned=sum(folded(contents.made[identity]) not in replaced for identity in others),
        in_place=not others and all(contents.indices[identity] == index for identity, index in located.items()),
        failed=failed,
        given_up={index for index, row in failed.items() if _is_final(manifest, row)},
    )


def _is_final(manifest: Manifest, row: FailureRow) -> bool:
    return is_final(row.fault, row.billing, row.status, ambiguous=manifest.retry.ambiguous == "retry")


def _located(manifest: Manifest, found: Survey, contents: Contents) -> dict[str, int]:
    """The index in the job of every task that the folder has a sidecar of, or that failed."""
    total = len(manifest)
    located: dict[str, int] = {}
    others = set(contents.indices)
    if found.duplicates == 0:  # else an index need not be the task's first place
        for identity, index in contents.indices.items():
            if 0 <= index < total and manifest.task(index).id == identity:
                located[identity] = index
                others.discard(identity)
    for index in distinct(manifest, found) if others else ():
        identity = manifest.task(index).id
        if identity in others:
            located[identity] = index
            others.discard(identity)
            if not others:
                break
    return located


def _changed(manifest: Manifest, found: Survey, contents: Contents, kept: Collection[int]) -> dict[int, str]:
    """Due tasks whose place is taken; looked for only where something lies in the folder that could take one."""
    ours = {folded(stem) for stem in contents.made.values()}
    strangers = bool(contents.blocked) or not contents.taken.keys() <= ours
    tells_apart = all(prompt.path.tells_apart for prompt in manifest.prompts)
    if not strangers and (tells_apart or len(ours) == len(kept)):
        return {}
    changed: dict[int, str] = {}
    for index in distinct(manifest, found):
        if index not in kept and (path := contents.in_the_way(manifest.task(index))):
            changed[index] = path
    return changed
