"""The ledger as a file: made, brought to a newer version, set aside where it is damaged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ledger_samples import a_run, begun, copied_as_killed, failure, opened_ledger, start
from store_folders import close_all, files, keep, opened
from store_samples import samples, task

from batchgen.errors import StorageError
from batchgen.store import database
from batchgen.store.database import LEDGER, MIGRATIONS
from batchgen.store.folder import contents_of
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_file import BESIDE, look_at_ledger, open_ledger
from batchgen.store.rows import Bill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content


def version_of(root: Path) -> int:
    with closing(sqlite3.connect(root / LEDGER)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


# Versions


@pytest.mark.parametrize("there", [False, True], ids=["missing", "empty"])
def test_a_ledger_is_made_of_nothing(quick_path: Path, *, there: bool) -> None:
    if there:
        (quick_path / LEDGER).touch()
    ledger, set_aside = open_ledger(quick_path)
    with closing(ledger):
        assert (ledger.bill(), set_aside) == (Bill(), None)
    assert version_of(quick_path) == len(MIGRATIONS)
    assert names(quick_path) == [LEDGER]


NEXT = "ALTER TABLE attempts ADD COLUMN note TEXT; CREATE TABLE notes (text TEXT NOT NULL) STRICT"


def test_an_older_ledger_is_brought_to_this_version_with_all_that_it_holds(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_ledger(quick_path) as ledger:
        start(ledger, begun())
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, NEXT))
    for _ in range(2):
        with opened_ledger(quick_path) as ledger:
            assert ledger.in_doubt() == [begun()]
            assert ledger._db.execute("SELECT note FROM attempts").fetchall() == [(None,)]
        assert version_of(quick_path) == len(MIGRATIONS) + 1


def test_the_first_version_is_looked_at_as_it_is_and_brought_to_this_one(quick_path: Path) -> None:
    with opened_ledger(quick_path) as ledger:
        ledger.begin(a_run())
        ledger._db.execute("ALTER TABLE runs DROP COLUMN job")
        ledger._db.execute("PRAGMA user_version = 1")
    looked = look_at_ledger(quick_path)
    assert looked is not None
    with closing(looked):
        assert looked.runs() == [a_run()]
    assert version_of(quick_path) == 1
    with opened_ledger(quick_path) as ledger:
        assert ledger.runs() == [a_run()]
        ledger.begin(replace(a_run("2"), job="ab" * 32))
        assert [row.job for row in ledger.runs()] == [None, "ab" * 32]
    assert version_of(quick_path) == len(MIGRATIONS)


def test_a_step_to_a_newer_version_is_whole_or_not_taken(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_ledger(quick_path) as ledger:
        start(ledger, begun())
    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", (*MIGRATIONS, NEXT, "CREATE TABLE notes (again TEXT)"))
        with pytest.raises(StorageError, match="already exists"):
            Ledger.open(quick_path)
    assert version_of(quick_path) == len(MIGRATIONS)
    with opened_ledger(quick_path) as ledger:
        assert ledger.in_doubt() == [begun()]


def test_a_newer_ledger_is_refused_and_stays_as_it_is(quick_path: Path) -> None:
    folder = opened(quick_path / "otters")
    close_all()
    with closing(sqlite3.connect(folder.root / LEDGER)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = (folder.root / LEDGER).read_bytes()
    for use in (opened, contents_of):
        with pytest.raises(StorageError, match=rf"newer batchgen \(version {len(MIGRATIONS) + 1}.*run that batchgen"):
            use(folder.path)
    assert (folder.root / LEDGER).read_bytes() == before
    assert names(folder.root) == [".lock", LEDGER]


# Damage


def cut(path: Path, size_bytes: int) -> None:
    os.truncate(path, size_bytes)


def zero(path: Path, start: int, end: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(len(content[start:end])) + content[end:])


def somebody_elses(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "zeroed": lambda path: zero(path, 0, 1 << 30),
    "its first page zeroed": lambda path: zero(path, 0, 4096),
    "all but its first page zeroed": lambda path: zero(path, 4096, 1 << 30),
    "cut to half": lambda path: cut(path, path.stat().st_size // 2),
    "cut to its first page": lambda path: cut(path, 4096),
    "cut to its header": lambda path: cut(path, 100),
    "cut to a few bytes": lambda path: cut(path, 10),
    "overwritten": lambda path: path.write_bytes(b"this is no database " * 500),
    "another program's": somebody_elses,
}


@pytest.fixture
async def worked_in(quick_path: Path) -> Path:
    """The path of a folder with three pictures, that no run has open."""
    folder = opened(quick_path / "otters")
    for name in ("1", "2", "3"):
        await keep(folder, task(name, f"fox/{name}"), CONTENT)
    close_all()
    return folder.path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_is_set_aside_and_made_anew_from_the_sidecars(worked_in: Path, damage: str) -> None:
    pictures = files(worked_in)
    DAMAGES[damage](worked_in / LEDGER)
    damaged = (worked_in / LEDGER).read_bytes()
    folder = opened(worked_in)
    recovered = folder.recover()
    assert set(recovered.contents.made) == {"1", "2", "3"}
    assert folder.set_aside == worked_in / f"{LEDGER}.damaged"
    assert folder.set_aside.read_bytes() == damaged
    assert (recovered.lost, {row.task_id for row in folder.ledger.pictures()}) == ([], {"1", "2", "3"})
    assert folder.ledger.bill() == Bill(unpriced=True, attempts=3)
    close_all()
    assert files(worked_in) == pictures
    assert opened(worked_in).set_aside is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_made_is_told_from_the_sidecars_meanwhile(worked_in: Path, damage: str) -> None:
    DAMAGES[damage](worked_in / LEDGER)
    before = (worked_in / LEDGER).read_bytes()
    assert set(contents_of(worked_in).made) == {"1", "2", "3"}
    assert (worked_in / LEDGER).read_bytes() == before


FLIPPED = [
    "UPDATE attempts SET billing = 'yES'",
    "UPDATE attempts SET usd = '0.0x'",
    "UPDATE attempts SET fault = 'LOSt', billing = 'MAYBE'",
    "UPDATE failures SET fault = 'INVALIE'",
    "UPDATE attempts SET words = CAST(x'ff' AS TEXT), fault = 'DISK'",
    "UPDATE pictures SET sha256 = CAST(x'ff' AS TEXT)",
    "ALTER TABLE attempts RENAME COLUMN words TO wordt",
    "ALTER TABLE runs RENAME COLUMN ended TO endee",
]


@pytest.mark.parametrize("flip", FLIPPED)
def test_what_batchgen_never_writes_is_damage_too(worked_in: Path, flip: str) -> None:
    with opened_ledger(worked_in) as ledger:
        ledger.fail([failure()])
        ledger._db.execute(flip)
    folder = opened(worked_in)
    recovered = folder.recover()
    assert set(recovered.contents.made) == {"1", "2", "3"}
    assert folder.set_aside is not None
    assert folder.ledger.bill() == Bill(unpriced=True, attempts=3)


def test_a_ledger_that_contradicts_a_whole_pair_is_set_right(worked_in: Path) -> None:
    """Nothing is moved away and paid for again on its word alone."""
    with opened_ledger(worked_in) as ledger:
        rows = list(ledger.pictures())
        ledger._db.execute("UPDATE pictures SET bytes = bytes + 1")
    for _ in range(2):
        folder = opened(worked_in)
        recovered = folder.recover()
        assert (set(recovered.contents.made), recovered.contents.missing) == ({"1", "2", "3"}, {})
        assert set(folder.ledger.pictures()) == set(rows)
        assert folder.ledger.bill().attempts == 3


def test_every_damaged_ledger_is_kept(worked_in: Path) -> None:
    for text in ("one", "two", "three"):
        (worked_in / LEDGER).write_text(text)
        opened(worked_in)
        close_all()
    kept = [(worked_in / f"{LEDGER}.damaged{end}").read_text() for end in ("", ".1", ".2")]
    assert kept == ["one", "two", "three"]


@pytest.mark.parametrize("end", BESIDE)
def test_nothing_of_a_damaged_ledger_stays_beside_the_new_one(quick_path: Path, end: str) -> None:
    """It would harm it."""
    (quick_path / LEDGER).write_bytes(b"damaged")
    (quick_path / f"{LEDGER}{end}").write_bytes(b"damaged too " * 1000)
    ledger, aside = open_ledger(quick_path)
    ledger.close()
    assert aside == quick_path / f"{LEDGER}.damaged"
    assert set(names(quick_path)) <= {LEDGER, aside.name, f"{aside.name}{end}"}
    with opened_ledger(quick_path) as ledger:
        assert (ledger.check(), ledger.bill()) == ("", Bill())


def test_after_a_killed_run_every_page_is_looked_at(quick_path: Path) -> None:
    """Damage that no table shows at once is found before anything is sent."""
    with opened_ledger(quick_path) as ledger:
        ledger.begin(a_run())
        start(ledger, *(begun(f"task {number}") for number in range(2000)))
    path = quick_path / LEDGER
    middle = path.stat().st_size // 4096 // 2 * 4096
    zero(path, middle, middle + 4096)
    ledger, set_aside = open_ledger(quick_path)
    ledger.close()
    assert set_aside is not None


def test_a_log_without_its_ledger_is_nothing(quick_path: Path) -> None:
    with opened_ledger(quick_path) as ledger:
        start(ledger, begun())
        killed = copied_as_killed(quick_path, quick_path / "killed")
    (killed / LEDGER).unlink()
    assert names(killed) == [f"{LEDGER}-shm", f"{LEDGER}-wal"]
    assert look_at_ledger(killed) is None
    ledger, set_aside = open_ledger(killed)
    with closing(ledger):
        assert (ledger.bill(), set_aside) == (Bill(), None)


@pytest.mark.parametrize("name", [LEDGER, *(f"{LEDGER}{end}" for end in BESIDE)])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_file_in_a_ledgers_place_is_refused(quick_path: Path, name: str, kind: str) -> None:
    root, outside = quick_path / "otters", quick_path / "outside"
    opened(root)
    close_all()
    path = root / name
    path.unlink(missing_ok=True)
    match kind:
        case "link":
            outside.write_bytes(b"")
            path.symlink_to(outside)
        case "dangling link":
            path.symlink_to(outside)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    with pytest.raises(StorageError, match=rf"/{name}: is no file of batchgen; move it away"):
        opened(root)
    assert contents_of(root).made == {}
    assert not outside.exists() or outside.read_bytes() == b""


def test_a_folder_that_opens_no_ledger_is_not_kept(quick_path: Path) -> None:
    """Whoever could not open it lets the next one try."""
    root = quick_path / "otters"
    root.mkdir()
    (root / LEDGER).mkdir()
    for _ in range(2):
        with pytest.raises(StorageError, match="is no file of batchgen"):
            opened(root)
    (root / LEDGER).rmdir()
    folder: OutputFolder = opened(root)
    assert folder.ledger.bill() == Bill()
