"""One place of an output folder examined: what its picture, its sidecar and its rows of the ledger say of each other.

Each of the three can be what is damaged, and two that agree tell which. A sidecar whose SHA-256 the ledger knows
is as it was written, and its words stand; else the ledger's row says how the picture was.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from batchgen.errors import one_line
from batchgen.store.names import PICTURES
from batchgen.store.structure import Shape
from batchgen.verification.findings import Finding, Wrong
from batchgen.verification.proof import Proof, prove, read_up_to
from batchgen.verification.said import said_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchgen.store.rows import PictureRow
    from batchgen.verification.places import Place
    from batchgen.verification.said import Said

LONGEST_SIDECAR_BYTES: Final = 4 * 1024 * 1024
_TYPOS: Final = 3
"""Two digests that differ in so few digits were one: what came of a flipped file shares a sixteenth of them."""


class State(Enum):
    """What a place comes to."""

    SOUND = "a whole pair"
    MENDABLE = "a whole picture whose sidecar is not as the ledger knows it"
    DAMAGED = "something of ours that is no whole pair"
    GONE = "only rows of the ledger"
    FOREIGN = "nothing of ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found at a place."""

    place: Place
    rows: Sequence[PictureRow]
    state: State
    findings: Sequence[Finding]
    said: Said | None
    """The sidecar's words, where the pair is whole."""
    tasks: frozenset[str]
    """The ids of the tasks that had this place, as far as anybody knows."""
    size_bytes: int
    """Of the picture that was read, with its sidecar."""
    has_picture: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Safe to use from several threads."""

    root: Path
    flaw: Wrong | None
    """What is wrong with the ledger, whose rows are not known then."""
    deep: bool

    def __call__(self, place: Place, rows: Sequence[PictureRow]) -> Examined:
        """Read what is there once. OSErrors pass through."""
        look = _Look(self, place, rows)
        state = look.state()
        return Examined(
            place=place,
            rows=rows,
            state=state,
            findings=look.findings,
            said=look.said if state is State.SOUND else None,
            tasks=frozenset({look.said.row.task_id} if look.said else {row.task_id for row in rows}),
            size_bytes=look.size_bytes,
            has_picture=look.has_picture,
        )


class _Look:
    """One place."""

    def __init__(self, examiner: Examiner, place: Place, rows: Sequence[PictureRow]) -> None:
        self._examiner = examiner
        self._place = place
        self._rows = rows
        self._is_known = bool(rows) or examiner.flaw in {Wrong.LEDGER_DAMAGED, Wrong.LEDGER_NEWER}
        """Is what lies here ours, or may it be?"""
        self.said: Said | None = None
        self.findings: list[Finding] = []
        self.size_bytes = 0
        self.has_picture = False

    def state(self) -> State:
        place = self._place
        if not place.files:
            for row in self._rows:
                self._find(row.path, Wrong.ROW_ALONE, "is in the ledger, and neither picture nor sidecar is there")
            return State.GONE
        content = None
        if place.sidecar in place.files:
            content = read_up_to(self._examiner.root / place.folder / place.sidecar, LONGEST_SIDECAR_BYTES)
        self.said = None if content is None else self._said(content)
        if content is None:
            return self._without_sidecar()
        if self.said is None and not self._is_known:
            for file in place.files:
                self._find(place.path(file), Wrong.FOREIGN, "not a file of batchgen")
            return State.FOREIGN
        return self._pair(content)

    def _without_sidecar(self) -> State:
        for file in self._place.pictures:
            if self._is_known:
                self._find(self._place.path(file), Wrong.PICTURE_ALONE, "has no sidecar")
            else:
                self._find(self._place.path(file), Wrong.FOREIGN, "a picture without a sidecar, not in the ledger")
        return State.DAMAGED if self._is_known else State.FOREIGN

    def _pair(self, content: bytes) -> State:
        place, path = self._place, self._place.path(self._place.sidecar)
        row = self._row()
        file = self._file(row)
        proof = prove(self._examiner.root / place.folder / file, deep=self._examiner.deep) if file else None
        self.has_picture = proof is not None
        self.size_bytes = len(content) + (proof.size_bytes if proof else 0)
        if self.said is None:
            self._find(path, Wrong.SIDECAR_UNREADABLE, "is no whole sidecar")
        elif row is not None and not _vouches(row, self.said) and not _agree_against(row, self.said, proof):
            self._find(path, Wrong.SIDECAR_CHANGED, "is not as the ledger knows it (sha256)")
            self.said = None
        expected = self.said.row if self.said else row
        flawed = expected is not None and self._picture(expected, file, proof)
        if self.said is not None:
            return self._against_words(self.said, path, proof, flawed=flawed)
        return State.DAMAGED if expected is None or flawed else State.MENDABLE

    def _against_words(self, said: Said, path: str, proof: Proof | None, *, flawed: bool) -> State:
        """The sidecar stands as it was written, or nobody knows better: does it say what is there?"""
        contradiction = self._contradiction(said, proof)
        if contradiction:
            self._find(path, Wrong.SIDECAR_WRONG, contradiction)
        if flawed or contradiction:
            return State.DAMAGED
        for file in set(self._place.pictures) - {_name(said.row.path)}:
            self._find(self._place.path(file), Wrong.FOREIGN, f"a picture that {self._place.sidecar} does not name")
        if not self._rows and self._examiner.flaw is None:
            self._find(path, Wrong.SIDECAR_UNKNOWN, "is not in the ledger")
        elif self._rows and list(self._rows) != [said.row]:
            self._find(said.row.path, Wrong.ROW_DIFFERS, "is in the ledger otherwise than picture and sidecar say")
        return State.SOUND

    def _said(self, content: bytes) -> Said | None:
        if len(content) > LONGEST_SIDECAR_BYTES:
            return None
        return said_by(content, self._place.folder)

    def _row(self) -> PictureRow | None:
        """The row to judge by: that of the sidecar's picture, else the newest."""
        named = [row for row in self._rows if self.said and row.path == self.said.row.path]
        return next(iter([*named[-1:], *self._rows[-1:]]), None)

    def _file(self, row: PictureRow | None) -> str:
        """The picture to read: the one that the sidecar names, else the row's."""
        claims = [claim.path for claim in (self.said.row if self.said else None, row) if claim is not None]
        return next((_name(path) for path in claims if _name(path) in self._place.pictures), "")

    def _picture(self, expected: PictureRow, file: str, proof: Proof | None) -> bool:
        """Is something wrong with the picture?"""
        if self.said is not None and not self._owns(expected):
            return False  # said of its words
        if proof is None or file != _name(expected.path):
            self._find(expected.path, Wrong.PICTURE_MISSING, "is not there")
        elif proof.size_bytes != expected.size_bytes:
            words = f"has {proof.size_bytes:,} bytes, not {expected.size_bytes:,}"
            self._find(expected.path, Wrong.PICTURE_LENGTH, words)
        elif proof.sha256 != expected.sha256:
            self._find(expected.path, Wrong.PICTURE_CHANGED, f"has other bytes than were kept (sha256){_flaw(proof)}")
        elif isinstance(proof.shape, str):
            self._find(expected.path, Wrong.PICTURE_BROKEN, f"is as it was kept{_flaw(proof)}")
        else:
            return False
        return True

    def _contradiction(self, said: Said, proof: Proof | None) -> str:
        """What the sidecar says of itself, of its place and of the shape of its picture that can't be."""
        if not self._owns(said.row):
            return f"names {one_line(_name(said.row.path), 100)}, which is not its picture"
        if not self._rows and not said.is_of_its_request:
            return "has another task id than its request"
        if proof is None or not isinstance(proof.shape, Shape):
            return ""
        there, says = proof.shape, said.picture
        if (there.format, there.width, there.height) != (says.format, says.width, says.height):
            is_there = f"the picture is {there.format}, {there.width} x {there.height} px"
            return one_line(f"says {says.format}, {says.width} x {says.height} px; {is_there}", 200)
        if not said.row.path.endswith(f".{says.extension}"):
            return f"names {one_line(_name(said.row.path), 100)}, whose bytes are {there.format}"
        return ""

    def _owns(self, row: PictureRow) -> bool:
        return _name(row.path) in {self._place.name + suffix for suffix in PICTURES}

    def _find(self, path: str, wrong: Wrong, words: str) -> None:
        self.findings.append(Finding(path=path, wrong=wrong, words=words))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _flaw(proof: Proof) -> str:
    return f"; {proof.shape}" if isinstance(proof.shape, str) else ""


def _vouches(row: PictureRow, said: Said) -> bool:
    """Does the ledger know this sidecar? A digest that is flipped in the ledger still tells."""
    one, other = row.sidecar_sha256, said.row.sidecar_sha256
    if one == other or len(one) != len(other):
        return one == other
    return sum(a != b for a, b in zip(one, other, strict=True)) <= _TYPOS


def _agree_against(row: PictureRow, said: Said, proof: Proof | None) -> bool:
    """Sidecar and picture agree on another picture than the row's: no damage to one of them can do that."""
    return proof is not None and proof.sha256 == said.row.sha256 != row.sha256
