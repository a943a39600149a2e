"""What lies in an output folder and in the server's own log, read without a line of the code that wrote it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AREAS = ("images", "filtered")
LEDGER = "batchgen.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sidecar and the picture that it names."""

    task: str
    request: str
    """What was asked, as `request_of` writes it."""
    picture: str
    """Path of the picture below the output folder."""
    size_bytes: int
    sha256: str
    sidecar_sha256: str
    attempts: int
    """How many attempts the sidecar tells of."""
    flaw: str = ""
    """What is wrong with the pair; empty where it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request in the server's log."""

    number: int
    received: datetime
    request: str
    """As `request_of` writes it; of `{}` where the request was cut off before it was read."""
    status: int | None
    billed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt in the ledger."""

    run: int | None
    """None: taken over from a sidecar."""
    task: str
    number: int
    started: datetime
    billing: str | None
    fault: str | None
    status: int | None

    @property
    def in_doubt(self) -> bool:
        """Nobody knows what it cost: the run died on it."""
        return self.fault == "LOST" or self.billing is None

    @property
    def sent(self) -> bool:
        """The server may have seen it."""
        return self.billing != "NO" or self.status is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the ledger says."""

    integrity: str
    attempts: list[Tried]
    pictures: dict[str, tuple[str, int, str, str]]
    """Task -> path, bytes, sha256, the sidecar's sha256."""
    failures: set[str]
    unended: set[int]
    """The runs that have no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was safe at a moment when nothing ran."""

    asked: int
    """Requests that the server had met by then."""
    safe: Mapping[str, str]
    """Task -> sha256 of the sidecar of each whole pair, also where a crash left its files whole as `.part`s."""
    pictures: Mapping[str, str]
    """Path -> sha256 of each file that has a picture's final name."""
    flaws: tuple[str, ...] = ()
    """What was wrong with pairs whose sidecar has its final name."""


def request_of(fields: Mapping[str, str]) -> str:
    """What was asked, as one text to compare."""
    return json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)


def moment(text: str) -> datetime:
    """A time as sidecars, ledger and log write it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def pairs(root: Path) -> list[Pair]:
    """Every sidecar, with what is wrong about it or its picture."""
    return [_pair(root, path, ("",)) for path in _below(root, "*.json")]


def snapshot(root: Path, asked: int) -> Snapshot:
    """What is safe at this moment; the server has met so many requests."""
    final = pairs(root)
    whole = [*final, *(_pair(root, path, ("", ".part")) for path in _below(root, "*.json.part"))]
    files = [path for path in _below(root, "*.*") if path.suffix not in {".json", ".part"}]
    return Snapshot(
        asked=asked,
        safe={pair.task: pair.sidecar_sha256 for pair in whole if not pair.flaw},
        pictures={str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        flaws=tuple(pair.flaw for pair in final if pair.flaw),
    )


def _below(root: Path, pattern: str) -> list[Path]:
    return sorted(path for area in AREAS for path in (root / area).rglob(pattern))


def _pair(root: Path, sidecar: Path, names: tuple[str, ...]) -> Pair:
    """`names`: the picture's final name and, where asked for, its `.part`."""
    content = sidecar.read_bytes()
    try:
        said = json.loads(content)
        name, size_bytes, sha256 = (said["picture"][key] for key in ("file", "bytes", "sha256"))
        task, request, attempts = said["task"]["id"], request_of(said["request"]["fields"]), len(said["attempts"])
    except (ValueError, KeyError, TypeError) as error:
        shown = str(sidecar.relative_to(root))
        return Pair(
            task=shown, request="", picture="", size_bytes=0, sha256="", sidecar_sha256="", attempts=0,
            flaw=f"{shown}: is no sidecar ({type(error).__name__})",
        )  # fmt: skip
    final = sidecar.with_name(name)
    stem = sidecar.with_name(sidecar.name.removesuffix(".part").removesuffix(".json"))
    flaws = [_flaw(final if not ending else stem.with_name(stem.name + ending), size_bytes, sha256) for ending in names]
    return Pair(
        task=task,
        request=request,
        picture=str(final.relative_to(root)),
        size_bytes=size_bytes,
        sha256=sha256,
        sidecar_sha256=hashlib.sha256(content).hexdigest(),
        attempts=attempts,
        flaw="" if "" in flaws else f"{final.relative_to(root)}: {flaws[0]}",
    )


def _flaw(picture: Path, size_bytes: int, sha256: str) -> str:
    if not picture.is_file():
        return "a sidecar names this picture, and it is not there"
    content = picture.read_bytes()
    if len(content) != size_bytes:
        return f"has {len(content)} bytes, its sidecar says {size_bytes}"
    if hashlib.sha256(content).hexdigest() != sha256:
        return "its bytes are not those of its sidecar's sha256"
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return f"Pillow can't load it ({error})"
    return ""


def requests(log: Path) -> list[Asked]:
    """Every request of the server's log, by number."""
    entries = sorted(map(json.loads, log.read_text().splitlines()), key=lambda entry: int(entry["number"]))
    return [
        Asked(
            number=entry["number"],
            received=moment(entry["received"]),
            request=request_of(entry["fields"]),
            status=entry["status"],
            billed=entry["billed"],
        )
        for entry in entries
    ]


def ledger(root: Path) -> Ledger:
    """The ledger, read from a copy: whoever closes a database last changes its files."""
    with tempfile.TemporaryDirectory() as folder:
        for path in root.glob(f"{LEDGER}*"):
            shutil.copy(path, folder)
        if not (copy := Path(folder, LEDGER)).exists():
            raise sqlite3.DatabaseError("there is no ledger")
        with closing(sqlite3.connect(copy)) as database:
            database.row_factory = sqlite3.Row
            return _ledger(database)


def _ledger(database: sqlite3.Connection) -> Ledger:
    def rows(query: str) -> Iterator[Any]:
        yield from database.execute(query)

    return Ledger(
        integrity="; ".join(row[0] for row in rows("PRAGMA integrity_check")),
        attempts=[
            Tried(**{**dict(row), "started": moment(row["started"])})
            for row in rows("SELECT run, task, number, started, billing, fault, status FROM attempts ORDER BY seq")
        ],
        pictures={
            row["task"]: (row["path"], row["bytes"], row["sha256"], row["sidecar_sha256"])
            for row in rows("SELECT * FROM pictures")
        },
        failures={row["task"] for row in rows("SELECT task FROM failures")},
        unended={row["seq"] for row in rows("SELECT seq FROM runs WHERE ended IS NULL")},
    )
