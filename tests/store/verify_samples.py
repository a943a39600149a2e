"""Output folders as runs leave them, for the tests of verifying, and what is said of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from store_samples import document_for, encoded, noise, task

from batchgen.manifest.identity import task_id
from batchgen.model import Attempt, Billing, Picture
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.rows import AttemptRow, PictureRow
from batchgen.verification.findings import Ended, Finding, Repaired, Wrong
from batchgen.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from batchgen.model import Task

STAMP = "20261122T023011Z-3f9c"
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}
TRIED = Attempt(number=1, started="2026-11-22T02:30:11.123Z", seconds=0.41, billing=Billing.YES, status=200)


@cache
def content_of(kind: str, number: int = 0) -> bytes:
    """A small picture; another one for each number."""
    image = noise(19, 11)
    image.putpixel((number % 19, number // 19 % 11), (number % 256, 0, number >> 8))
    return encoded(image, kind.upper())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A picture and its sidecar, as they are kept."""

    picture: str
    """Relative to the output folder."""
    content: bytes
    sidecar_content: bytes
    row: PictureRow

    @property
    def sidecar(self) -> str:
        """Relative to the output folder."""
        return f"{self.picture.rpartition('.')[0]}.json"

    def write(self, root: Path) -> None:
        """Put both into a folder."""
        (root / self.picture).parent.mkdir(parents=True, exist_ok=True)
        (root / self.picture).write_bytes(self.content)
        (root / self.sidecar).write_bytes(self.sidecar_content)


def asked(number: int, stem: str) -> Task:
    """A task whose id is that of its request, as every real one's."""
    plain = task(stem=stem)
    fields = {**plain.fields, "seed": str(number)}
    identity = task_id(provider="gateway", fields=fields, image_sha256=None, repeat=0)
    return plain._replace(id=identity, fields=fields, index=number)


def pair(
    number: int,
    *,
    kind: str = "png",
    area: str = "images",
    stem: str = "",
    content: bytes = b"",
    size: tuple[int, int] = (19, 11),
) -> Pair:
    """The pair of the task with this seed; `content`, of this size in pixels, in place of a picture of that kind."""
    of = asked(number, stem or f"a-red-fox/{number}")
    content = content or content_of(kind, number)
    digest = hashlib.sha256(content).hexdigest()
    picture = Picture(format=kind, width=size[0], height=size[1], size_bytes=len(content), sha256=digest)
    said = document_for(of, picture)
    path = f"{area}/{of.stem}.{SUFFIXES[kind]}"
    row = PictureRow(of.id, number, path, len(content), digest, hashlib.sha256(said).hexdigest())
    return Pair(picture=path, content=content, sidecar_content=said, row=row)


def some_pairs() -> list[Pair]:
    """One of each kind, in both areas, one folder deep and two, and with names that sort by their ends."""
    return [
        pair(0, stem="top"),
        pair(1, stem="a-red-fox/1"),
        pair(2, kind="jpeg", stem="a-red-fox/1-2"),
        pair(3, kind="webp", stem="a-red-fox/1.5"),
        pair(4, stem="a-red-fox/1/4"),
        pair(5, stem="a-red-fox-2/1"),
        pair(6, area="filtered"),
    ]


def made(root: Path, pairs: Iterable[Pair], *, known: Iterable[Pair] | None = None) -> Path:
    """An output folder with these pairs, all of them in its ledger or only those that are `known`."""
    pairs = list(pairs)
    for each in pairs:
        each.write(root)
    rows = [each.row for each in (pairs if known is None else known)]
    ledger = Ledger.open(root)
    ledger.adopt([(row, [AttemptRow(row.task_id, row.task_index, TRIED, None)]) for row in rows])
    ledger.close()
    return root


def findings(root: Path, *, deep: bool = False) -> dict[str, Wrong]:
    """What is found, by path; a path is found once."""
    found = [event for event in verify(root, stamp=STAMP, deep=deep) if isinstance(event, Finding)]
    assert len({each.path for each in found}) == len(found), found
    for each in found:
        assert each.words
        assert each.remedy
        assert "\n" not in each.words + each.remedy
    return {each.path: each.wrong for each in found}


def repaired(root: Path, stamp: str = STAMP, *, deep: bool = False) -> tuple[dict[str, Wrong], list[Repaired], int]:
    """What a repair finds, what it does, and how many pictures are due after it."""
    events = list(verify(root, stamp=stamp, deep=deep, repair=True))
    (ended,) = [event for event in events if isinstance(event, Ended)]
    found = {event.path: event.wrong for event in events if isinstance(event, Finding)}
    return found, [event for event in events if isinstance(event, Repaired)], ended.due


def contents(root: Path) -> dict[str, bytes]:
    """Every regular file below a folder but the ledger's and the lock, by its path there."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(("batchgen.sqlite", ".lock"))
    }


def rows(root: Path) -> set[PictureRow]:
    """What the ledger knows."""
    ledger = LedgerReader.look(root)
    assert ledger is not None
    try:
        assert not ledger.flaw()
        listed = list(ledger.pictures())
        assert len(set(listed)) == len(listed)
        return set(listed)
    finally:
        ledger.close()


def whole_pairs(root: Path, pairs: Iterable[Pair]) -> Mapping[str, Pair]:
    """Those pairs that lie in their places byte for byte, by task."""
    there = contents(root)
    return {
        each.row.task_id: each
        for each in pairs
        if (there.get(each.picture), there.get(each.sidecar)) == (each.content, each.sidecar_content)
    }
