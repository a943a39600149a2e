"""An output folder verified: every picture, sidecar and row of the ledger against the others, as a stream of findings.

Bytes are read by a few threads, since hashing and decoding let go of the interpreter; the ledger, and all that is
changed, belong to the one thread that takes the stream. Memory grows with what is wrong, and by 8 bytes a picture.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from batchgen.errors import OwnedError, StorageError, UsageError, one_line
from batchgen.store import leftovers
from batchgen.store.contents import record_of, records
from batchgen.store.database import LEDGER
from batchgen.store.ledger_file import begin_anew, open_ledger
from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.lock import FolderLock, owner
from batchgen.store.tree import Tree, disk_errors
from batchgen.verification.examine import Examiner, State
from batchgen.verification.findings import Begun, Checked, Ended, Finding, Repaired, Wrong
from batchgen.verification.places import Place, matched, strays
from batchgen.verification.proof import silent_decoders
from batchgen.verification.repair import Repairs
from batchgen.verification.twins import Seen
from batchgen.verification.whole_ledger import whole_ledger

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from batchgen.store.ledger import Ledger
    from batchgen.store.rows import PictureRow
    from batchgen.verification.examine import Examined
    from batchgen.verification.findings import Event

_THREADS: Final = os.cpu_count() or 1
_AHEAD: Final = 8 * _THREADS
"""Places on their way to a thread or back."""
_NOT_OURS_TO_WRITE: Final = {errno.EROFS, errno.EACCES, errno.EPERM}


def verify(root: Path, *, stamp: str, deep: bool = False, repair: bool = False) -> Generator[Event]:
    """Look at all that is in an output folder; with `deep` decode each picture, with `repair` set right what can be.

    `stamp` names this invocation, in the folder's lock and below `replaced/`. The folder is owned until the stream
    ends or is closed; where nothing can be written nothing is locked.

    Raises:
        UsageError: There is no output folder of batchgen.
        OwnedError: A run owns the folder.
        StorageError: The disk fails, or, with `repair`, the ledger is of a newer batchgen.
    """
    root = root.absolute()
    with disk_errors(root), _owned(root, stamp, is_needed=repair), silent_decoders() if deep else nullcontext():
        yield from _Verification(root, stamp, deep=deep, repair=repair).events()


@contextmanager
def _owned(root: Path, stamp: str, *, is_needed: bool) -> Iterator[None]:
    if not root.is_dir() or not (os.path.lexists(root / LEDGER) or next(records(root), None)):
        raise UsageError(f"{root}: is no output folder; give the folder that a run printed, as output/quickstart")
    try:
        lock = FolderLock.take(root, stamp)
    except OSError as error:
        if is_needed or error.errno not in _NOT_OURS_TO_WRITE:
            raise
        if run := owner(root):
            raise OwnedError(f"{root}: another run owns this folder ({run}); wait for its end") from None
        yield
        return
    try:
        yield
    finally:
        lock.release()


class _Verification:
    def __init__(self, root: Path, stamp: str, *, deep: bool, repair: bool) -> None:
        self._root = root
        self._stamp = stamp
        self._deep = deep
        self._repair = repair
        self._ledger: LedgerReader | None = None
        """To read from; None where it is not whole."""
        self._flaw: Wrong | None = None
        self._repairs: Repairs | None = None
        self._seen = Seen()
        self._stack = ExitStack()

    def events(self) -> Iterator[Event]:
        with self._stack:
            yield from self._ask_ledger()
            unfinished = []
            for stray in strays(self._root):
                yield stray
                unfinished += [stray.path] if stray.wrong is Wrong.PART else []
            if self._repair:
                yield from self._begin_repair(unfinished)
            yield Begun(pictures=None if self._ledger is None else sum(1 for _ in self._rows()))
            for found in self._examined():
                yield from self._place(found)
            yield from self._twins()
            yield Ended(due=self._end_repair())

    def _ask_ledger(self) -> Iterator[Finding]:
        found = whole_ledger(self._root)
        if isinstance(found, LedgerReader):
            self._ledger = found
            self._stack.callback(found.close)
            return
        self._flaw = found.wrong
        yield found
        if self._repair and found.wrong is Wrong.LEDGER_NEWER:
            raise StorageError(f"{self._root / LEDGER}: {found.words}; {found.remedy}")

    def _rows(self) -> Iterable[PictureRow]:
        return () if self._ledger is None else self._ledger.by_place()

    def _examined(self) -> Iterator[Examined]:
        """Every place, in order, read by the threads ahead of being asked for."""
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="verify")
        self._stack.callback(pool.shutdown, cancel_futures=True)
        examine = Examiner(root=self._root, flaw=self._flaw, deep=self._deep)
        ahead: deque[Future[Examined]] = deque()
        for place, rows in matched(self._root, self._rows()):
            ahead.append(pool.submit(examine, place, rows))
            if len(ahead) >= _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _place(self, found: Examined) -> Iterator[Event]:
        yield from found.findings
        if found.has_picture:
            yield Checked(size_bytes=found.size_bytes)
        if self._repairs is not None:
            yield from self._repairs.repair(found)
        elif found.state in {State.SOUND, State.MENDABLE}:
            self._seen.add(found.tasks)

    def _twins(self) -> Iterator[Event]:
        """Of the pairs of one task the one that the ledger knew stays, else the first."""
        twice = self._seen.is_twice()
        if not twice:
            return
        if self._repairs is not None:
            self._repairs.tell_ledger()
        pairs = defaultdict[str, list[tuple[bool, Place]]](list)
        for place, rows in matched(self._root, self._rows()):
            has_sidecar = place.sidecar in place.files
            record = record_of(self._root / place.folder / place.sidecar) if has_sidecar else None
            if record is not None and hash(record.task_id) in twice:
                is_new = self._repairs is not None and any(row.path in self._repairs.learned for row in rows)
                pairs[record.task_id].append((bool(rows) and not is_new, place))
        for twins in pairs.values():
            kept, *others = [place for _, place in sorted(twins, key=lambda twin: not twin[0])]
            for other in others:
                words = f"has the same task as {one_line(kept.path(kept.sidecar), 300)}"
                yield Finding(path=other.path(other.sidecar), wrong=Wrong.TASK_TWICE, words=words)
                if self._repairs is not None:
                    yield self._repairs.set_aside(other)

    # Repairing

    def _begin_repair(self, unfinished: Sequence[str]) -> Iterator[Repaired]:
        """What a dead run left is brought to its end, and a ledger that is not whole makes room for a new one."""
        if unfinished:
            leftovers.clear(Tree(self._root))
            yield from (Repaired(path=path, words="brought to its end") for path in unfinished)
        if self._ledger is not None:
            self._ledger.close()
        ledger, set_aside = self._open_ledger()
        self._stack.callback(ledger.close)
        if set_aside is not None:
            self._flaw = Wrong.LEDGER_DAMAGED
            yield Repaired(path=LEDGER, words=f"moved to {set_aside.name}")
        is_new = self._flaw is not None
        if is_new:
            yield Repaired(path=LEDGER, words="made anew from the sidecars")
        self._ledger = None if is_new else ledger
        self._repairs = Repairs(self._root, self._stamp, ledger, self._seen, is_new=is_new)

    def _open_ledger(self) -> tuple[Ledger, Path | None]:
        """The ledger to write to, and where one went that is not whole."""
        path = self._root / LEDGER
        is_damaged = self._flaw is Wrong.LEDGER_DAMAGED and path.is_file() and not path.is_symlink()
        return begin_anew(self._root) if is_damaged else open_ledger(self._root)

    def _end_repair(self) -> int:
        """How many pictures a run has to make anew."""
        if self._repairs is None:
            return 0
        self._repairs.tell_ledger()
        lost = self._repairs.lost
        return len(lost - self._seen.among(lost)) + self._repairs.nameless
