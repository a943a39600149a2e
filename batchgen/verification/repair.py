"""What `verify --repair` does: it costs nothing, and nothing that could be somebody's work is overwritten or removed.

What is no whole pair goes to `replaced/<stamp>/`, so that its place is free and its task is due again; the ledger
learns what is there and forgets what is not.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from batchgen.store import durable
from batchgen.store.folder import REPLACED
from batchgen.store.keep import finish_sidecar
from batchgen.store.names import Spot
from batchgen.store.tree import Tree
from batchgen.verification.examine import State
from batchgen.verification.findings import Repaired
from batchgen.verification.proof import read_up_to
from batchgen.verification.said import said_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchgen.store.ledger import Ledger
    from batchgen.store.rows import AttemptRow, PictureRow
    from batchgen.verification.examine import Examined
    from batchgen.verification.places import Place
    from batchgen.verification.said import Said
    from batchgen.verification.twins import Seen

_AT_ONCE: Final = 20_000
"""Changes of the ledger in one transaction."""
_LONGEST_MENDED_BYTES: Final = 16 * 1024
_TRIES_IN_VAIN: Final = 20
"""Sidecars that could not be mended: those were changed on purpose, and so are the rest."""


class Repairs:
    """Sets right what was found, place by place; `tell_ledger` ends it."""

    def __init__(self, root: Path, stamp: str, ledger: Ledger, whole: Seen, *, is_new: bool) -> None:
        self._tree = Tree(root)
        self._stamp = stamp
        self._ledger = ledger
        self._whole = whole
        self._is_new = is_new
        self._adopted: list[tuple[PictureRow, Sequence[AttemptRow]]] = []
        self._gone: list[str] = []
        self._in_vain = 0
        self.learned: set[str] = set()
        """The paths of pictures that a ledger did not know, unless it is new and knew none."""
        self.lost: set[str] = set()
        """The ids of tasks whose pairs were moved or are gone."""
        self.nameless = 0
        """Pairs that were moved and whose task nobody knows."""

    def repair(self, found: Examined) -> Iterator[Repaired]:
        """Set one place right. OSErrors pass through."""
        match found.state:
            case State.SOUND if found.said is not None:
                yield from self._learn(found.rows, found.said)
            case State.MENDABLE:
                yield from self._mend(found)
            case State.DAMAGED:
                yield self.set_aside(found.place)
                self._lose(found)
            case State.GONE:
                yield from (Repaired(path=row.path, words="dropped from the ledger") for row in found.rows)
                self._lose(found)

    def set_aside(self, place: Place) -> Repaired:
        """Move all that has this place to `replaced/`; the sidecar first, since it says that its picture is whole."""
        self._move(place, [place.sidecar, *place.pictures])
        self._gone += [place.path(picture) for picture in place.pictures]
        return Repaired(
            path=place.path(place.sidecar if place.sidecar in place.files else place.pictures[0]),
            words=f"{len(place.files)} file{'s' * (len(place.files) > 1)} moved to {self._aside(place)}/",
        )

    def tell_ledger(self) -> None:
        """What is left to tell the ledger."""
        self._ledger.forget(pictures=self._gone, failures=[row.task_id for row, _ in self._adopted])
        self._ledger.adopt(self._adopted)
        self._gone, self._adopted = [], []

    def _learn(self, rows: Sequence[PictureRow], said: Said) -> Iterator[Repaired]:
        """The ledger is to know this pair, and no other here."""
        self._whole.add([said.row.task_id])
        if list(rows) == [said.row]:
            return
        self._forget(rows)
        self._adopted.append((said.row, said.attempts))
        if not (rows or self._is_new):
            self.learned.add(said.row.path)
        yield Repaired(path=said.row.path, words="written into the ledger")

    def _lose(self, found: Examined) -> None:
        self._forget(found.rows)
        self.lost |= found.tasks
        self.nameless += not found.tasks

    def _forget(self, rows: Sequence[PictureRow]) -> None:
        self._gone += [row.path for row in rows]
        if len(self._gone) + len(self._adopted) >= _AT_ONCE:
            self.tell_ledger()

    def _mend(self, found: Examined) -> Iterator[Repaired]:
        place, row = found.place, found.rows[-1]
        folder = self._tree.root / place.folder
        whole = self._mended(folder / place.sidecar, row.sidecar_sha256)
        said = whole and said_by(whole, place.folder)
        if not whole or not said:
            yield self.set_aside(place)
            self._lose(found)
            return
        spot = Spot(PurePosixPath(place.folder), place.name)
        (folder / spot.sidecar_part).unlink(missing_ok=True)  # of a repair that was killed
        durable.write_new(folder / spot.sidecar_part, whole)  # first, so that the next start would finish it
        self._move(place, [place.sidecar])
        finish_sidecar(folder, spot)
        yield Repaired(
            path=place.path(place.sidecar),
            words=f"one bit set right, as the ledger's sha256 proves; as it was in {self._aside(place)}/",
        )
        yield from self._learn(found.rows, said)

    def _mended(self, sidecar: Path, digest: str) -> bytes | None:
        if self._in_vain == _TRIES_IN_VAIN:
            return None
        content = read_up_to(sidecar, _LONGEST_MENDED_BYTES) or b""
        whole = mended(content, digest) if len(content) <= _LONGEST_MENDED_BYTES else None
        self._in_vain += whole is None
        return whole

    def _move(self, place: Place, files: Sequence[str]) -> None:
        folder, aside = self._tree.root / place.folder, Path(self._tree.ready(self._aside(place)))
        for file in files:
            if file in place.files:
                durable.rename_new(folder / file, aside / file)
        durable.fsync_folder(aside)
        durable.fsync_folder(folder)

    def _aside(self, place: Place) -> PurePosixPath:
        return PurePosixPath(REPLACED, self._stamp, place.folder)


def mended(content: bytes, digest: str) -> bytes | None:
    """The content with the one bit set right that gives it this SHA-256, in hexadecimal; None where no bit does.

    Nothing is made up: no other content has that digest. Of 2 KiB the 16,384 bits take some 0.1 s.
    """
    before = sha256()
    for place, byte in enumerate(content):
        behind = content[place + 1 :]
        for bit in range(8):
            tried = before.copy()
            tried.update(bytes([byte ^ 1 << bit]) + behind)
            if tried.hexdigest() == digest:
                return content[:place] + bytes([byte ^ 1 << bit]) + behind
        before.update(content[place : place + 1])
    return None
