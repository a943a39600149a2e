"""What a repair does: sound pairs stay, nothing is lost, and afterwards only what is not ours is still found."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_steps import Steps
from verify_samples import (
    STAMP,
    Pair,
    content_of,
    contents,
    findings,
    made,
    pair,
    repaired,
    rows,
    some_pairs,
    whole_pairs,
)

from batchgen.errors import StorageError
from batchgen.store.database import LEDGER, MIGRATIONS
from batchgen.store.ledger_reader import LedgerReader
from batchgen.verification.findings import Wrong
from batchgen.verification.repair import mended
from batchgen.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = some_pairs()
ASIDE = f"replaced/{STAMP}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "otters", PAIRS)


def flip(path: Path, at: int = 60, bits: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= bits
    path.write_bytes(content)


def is_right_now(root: Path, pairs: list[Pair], *, due: int, foreign: frozenset[str] = frozenset()) -> None:
    """Nothing is found but what is not ours, and the ledger knows the whole pairs and no others."""
    assert findings(root) == dict.fromkeys(foreign, Wrong.FOREIGN)
    whole = whole_pairs(root, pairs)
    assert rows(root) == {each.row for each in whole.values()}
    assert len(pairs) - len(whole) == due


def test_where_nothing_is_wrong_nothing_is_changed(folder: Path) -> None:
    before = contents(folder)
    assert repaired(folder) == ({}, [], 0)
    assert contents(folder) == before
    is_right_now(folder, PAIRS, due=0)


@pytest.mark.parametrize("which", ["picture", "sidecar"])
@pytest.mark.parametrize("harm", ["two flips", "cut", "emptied", "longer", "gone"])
def test_a_damaged_pair_goes_aside_and_is_due(folder: Path, which: str, harm: str) -> None:
    victim = PAIRS[1]
    file = victim.picture if which == "picture" else victim.sidecar
    content = (folder / file).read_bytes()
    match harm:
        case "two flips":
            flip(folder / file, 40, 0b11)
        case "cut":
            (folder / file).write_bytes(content[: len(content) // 2])
        case "emptied":
            (folder / file).write_bytes(b"")
        case "longer":
            (folder / file).write_bytes(content + b"\n")
        case _:
            (folder / file).unlink()
    harmed = {path: content for path, content in contents(folder).items() if path in {victim.picture, victim.sidecar}}
    found, repairs, due = repaired(folder)
    assert set(found) <= {victim.picture, victim.sidecar}
    assert len(repairs) == due == 1
    assert {path: contents(folder)[f"{ASIDE}/{path}"] for path in harmed} == harmed
    is_right_now(folder, PAIRS, due=1)


@pytest.mark.parametrize("at", [0, 1, 300, 700, -1])
def test_one_flipped_bit_of_a_sidecar_is_set_right(folder: Path, at: int) -> None:
    flip(folder / PAIRS[1].sidecar, at, 0b100)
    flipped = (folder / PAIRS[1].sidecar).read_bytes()
    found, repairs, due = repaired(folder)
    assert set(found) == {PAIRS[1].sidecar}
    assert due == 0
    assert [each.path for each in repairs] == [PAIRS[1].sidecar]
    assert contents(folder)[f"{ASIDE}/{PAIRS[1].sidecar}"] == flipped
    is_right_now(folder, PAIRS, due=0)


@given(content=st.binary(min_size=1, max_size=60), data=st.data())
def test_mending_finds_the_bit_or_nothing(content: bytes, data: st.DataObject) -> None:
    at, bits = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    harmed = bytearray(content)
    harmed[at] ^= bits
    whole = mended(bytes(harmed), sha256(content).hexdigest())
    assert whole == (content if bits.bit_count() == 1 else None)


def test_a_picture_that_is_flipped_too_takes_its_sidecar_with_it(folder: Path) -> None:
    for file in (PAIRS[1].picture, PAIRS[1].sidecar):
        flip(folder / file)
    assert repaired(folder)[2] == 1
    is_right_now(folder, PAIRS, due=1)


def test_rows_of_what_is_gone_are_dropped(folder: Path) -> None:
    shutil.rmtree(folder / "images/a-red-fox")
    assert repaired(folder)[2] == 4
    is_right_now(folder, PAIRS, due=4)


def test_pairs_that_the_ledger_does_not_know_are_taken_in(tmp_path: Path) -> None:
    root = made(tmp_path, PAIRS, known=PAIRS[2:4])
    found, repairs, due = repaired(root)
    assert len(found) == len(repairs) == len(PAIRS) - 2
    assert due == 0
    is_right_now(root, PAIRS, due=0)
    ledger = LedgerReader.look(root)
    assert ledger is not None
    assert ledger.bill().attempts == len(PAIRS)
    ledger.close()


def test_a_pair_in_another_folder_is_taken_in_there(folder: Path) -> None:
    (folder / "images/a-red-fox").rename(folder / "images/renamed")
    assert repaired(folder)[2] == 0
    assert not findings(folder)
    assert len(rows(folder)) == len(PAIRS)
    assert not (folder / "replaced").exists()


@pytest.mark.parametrize("field", ["task_id", "sha256", "sidecar_sha256", "path"])
def test_a_row_that_says_otherwise_is_written_anew(tmp_path: Path, field: str) -> None:
    of = pair(1)
    value = str(getattr(of.row, field))
    wrong = of.row._replace(**{field: chr(ord(value[0]) ^ 1) + value[1:]})  # type: ignore[arg-type]
    root = made(tmp_path, [replace(of, row=wrong)])
    assert repaired(root)[2] == 0
    is_right_now(root, [of], due=0)


def test_of_a_pair_that_was_copied_the_one_that_the_ledger_knew_stays(folder: Path) -> None:
    for name in ("a-best-of", "z-best-of"):
        shutil.copytree(folder / "images/a-red-fox/1", folder / "images" / name)
    found, _, due = repaired(folder)
    assert found == {f"images/{name}/4.json": Wrong.TASK_TWICE for name in ("a-best-of", "z-best-of")}
    assert due == 0
    assert contents(folder)[f"{ASIDE}/images/a-best-of/4.png"] == PAIRS[4].content
    is_right_now(folder, PAIRS, due=0)


def test_a_copy_stands_in_for_a_pair_that_is_damaged(folder: Path) -> None:
    shutil.copytree(folder / "images/a-red-fox/1", folder / "images/best-of")
    flip(folder / PAIRS[4].picture)
    assert repaired(folder)[2] == 0
    assert not findings(folder)
    assert PAIRS[4].row._replace(path="images/best-of/4.png") in rows(folder)


def test_what_is_not_ours_stays_where_it_is(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    pair(9).write(outside)
    (folder / "images/link").symlink_to(outside / "images")
    (folder / "images/link.part").symlink_to(outside / "images/a-red-fox/9.png")
    os.mkfifo(folder / "images/pipe.json")
    mine = {
        "images/notes.txt": b"mine",
        "images/favourites/1.png": content_of("png", 77),
        "images/favourites/1.txt": b"mine",
        "images/other.json": b'{"somebody": "else"}',
        "images/a-red-fox/1.jpg": content_of("jpeg"),
        "notes.part": b"mine",
    }
    for path, content in mine.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    before, beyond = contents(folder), contents(outside)
    found, repairs, due = repaired(folder)
    assert not repairs
    assert due == 0
    assert (contents(folder), contents(outside)) == (before, beyond)
    foreign = {path for path in mine if path.startswith("images/")} | {"images/link", "images/link.part"}
    is_right_now(folder, PAIRS, due=0, foreign=frozenset(foreign | {"images/pipe.json"}))
    assert set(found) == foreign | {"images/pipe.json"}


def test_nothing_is_moved_through_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "replaced").symlink_to(tmp_path / "outside")
    flip(folder / PAIRS[1].picture)
    before = contents(folder)
    with pytest.raises(StorageError, match=r"replaced: is a symbolic link"):
        repaired(folder)
    assert contents(folder) == before
    assert not list((tmp_path / "outside").iterdir())


def test_sidecars_that_were_changed_on_purpose_are_not_all_searched_for_a_flip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [pair(number) for number in range(30)]
    root = made(tmp_path, pairs)
    for each in pairs:
        (root / each.sidecar).write_bytes(each.sidecar_content + b" ")
    tried = []
    monkeypatch.setattr("batchgen.verification.repair.mended", lambda content, _: tried.append(content))
    assert repaired(root)[2] == 30
    assert len(tried) == 20
    assert not findings(root)


def test_a_picture_that_takes_the_place_of_a_damaged_pair_goes_aside_with_it(folder: Path) -> None:
    (folder / "images/a-red-fox/1.jpg").write_bytes(b"somebody's")
    flip(folder / PAIRS[1].picture)
    assert repaired(folder)[2] == 1
    assert contents(folder)[f"{ASIDE}/images/a-red-fox/1.jpg"] == b"somebody's"
    is_right_now(folder, PAIRS, due=1)


def test_what_a_dead_run_left_is_brought_to_its_end(folder: Path) -> None:
    nine, ten = pair(9), pair(10)
    place = folder / "images/a-red-fox"
    (place / "9.part").write_bytes(nine.content)
    (place / "9.json.part").write_bytes(nine.sidecar_content)
    (place / "10.part").write_bytes(ten.content[:90])
    found, _, due = repaired(folder)
    assert {path for path, wrong in found.items() if wrong is Wrong.PART} == {
        f"images/a-red-fox/{name}.part" for name in ("9", "9.json", "10")
    }
    assert due == 0
    is_right_now(folder, [*PAIRS, nine], due=0)


# The ledger


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_tables(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.execute("CREATE TABLE other(a)")
    connection.close()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut": cut_in_half,
    "overwritten": lambda path: path.write_bytes(b"this is no database" * 500),
    "another's": without_tables,
    "of no version": lambda path: flip(path, 63, len(MIGRATIONS)),
}


@pytest.mark.parametrize("how", [*DAMAGES, "gone"])
def test_a_damaged_ledger_is_kept_and_made_anew(folder: Path, how: str) -> None:
    path = folder / LEDGER
    DAMAGES.get(how, Path.unlink)(path)
    harmed = None if how == "gone" else path.read_bytes()
    wrong = Wrong.LEDGER_MISSING if harmed is None else Wrong.LEDGER_DAMAGED
    assert findings(folder) == {LEDGER: wrong}
    assert harmed is None or path.read_bytes() == harmed
    found, repairs, due = repaired(folder)
    assert (found, due) == ({LEDGER: wrong}, 0)
    assert repairs
    aside = folder / f"{LEDGER}.damaged"
    assert (aside.read_bytes() if aside.exists() else None) == harmed
    is_right_now(folder, PAIRS, due=0)
    if harmed is not None:
        path.write_bytes(b"again")
        assert repaired(folder, "again")[2] == 0
        assert (folder / f"{LEDGER}.damaged.1").read_bytes() == b"again"


def test_a_damaged_ledger_leaves_in_doubt_whose_a_lone_file_is(folder: Path) -> None:
    (folder / PAIRS[1].sidecar).unlink()
    cut_in_half(folder / PAIRS[2].sidecar)
    cut_in_half(folder / LEDGER)
    assert repaired(folder)[2] == 2
    is_right_now(folder, PAIRS, due=2)


def test_without_any_ledger_lone_files_stay(folder: Path) -> None:
    (folder / PAIRS[1].sidecar).unlink()
    (folder / LEDGER).unlink()
    assert repaired(folder)[2] == 0
    is_right_now(folder, PAIRS, due=1, foreign=frozenset({PAIRS[1].picture}))


def test_a_ledger_of_a_newer_batchgen_is_left_alone(folder: Path) -> None:
    flip(folder / LEDGER, 63, 0b110)
    flip(folder / PAIRS[1].picture)
    before = {path: (folder / path).read_bytes() for path in (LEDGER, PAIRS[1].picture)}
    assert findings(folder) == {LEDGER: Wrong.LEDGER_NEWER, PAIRS[1].picture: Wrong.PICTURE_CHANGED}
    with pytest.raises(StorageError, match="newer batchgen"):
        repaired(folder)
    assert {path: (folder / path).read_bytes() for path in before} == before


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_ledger_that_is_no_file_is_not_followed(folder: Path, tmp_path: Path, kind: str) -> None:
    (folder / LEDGER).rename(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    if kind == "link":
        (folder / LEDGER).symlink_to(tmp_path / "elsewhere")
    else:
        (folder / LEDGER).mkdir()
    assert findings(folder) == {LEDGER: Wrong.LEDGER_DAMAGED}
    with pytest.raises(StorageError, match=r"is no file of batchgen; move it away"):
        repaired(folder)
    assert (tmp_path / "elsewhere").read_bytes() == before


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), bits=st.integers(1, 255))
def test_whatever_is_flipped_in_the_ledger_a_repair_ends_well(
    tmp_path_factory: pytest.TempPathFactory, at: int, bits: int
) -> None:
    root = made(tmp_path_factory.mktemp("flipped"), PAIRS[:3])
    before = contents(root)
    flip(root / LEDGER, at, bits)
    if Wrong.LEDGER_NEWER in findings(root).values():
        with pytest.raises(StorageError, match="newer batchgen"):
            repaired(root)
    else:
        assert repaired(root)[2] == 0
        is_right_now(root, PAIRS[:3], due=0)
    assert {path: content for path, content in contents(root).items() if path in before} == before


# Everything at once


HARMS = ["flip picture", "flip sidecar", "cut picture", "cut sidecar", "no picture", "no sidecar", "none", "no row"]


@settings(max_examples=50, deadline=None)
@given(harms=st.lists(st.sampled_from([*HARMS, "whole"]), min_size=7, max_size=7), at=st.integers(0, 500))
def test_nothing_is_lost_whatever_goes_wrong_together(
    tmp_path_factory: pytest.TempPathFactory, harms: list[str], at: int
) -> None:
    unknown = {each.picture for each, harm in zip(PAIRS, harms, strict=True) if harm == "no row"}
    root = made(tmp_path_factory.mktemp("harmed"), PAIRS, known=[each for each in PAIRS if each.picture not in unknown])
    for each, harm in zip(PAIRS, harms, strict=True):
        file = root / (each.sidecar if harm.endswith("sidecar") else each.picture)
        if harm.startswith("flip"):
            flip(file, at)
        elif harm.startswith("cut"):
            file.write_bytes(file.read_bytes()[: at % file.stat().st_size])
        elif harm in {"no picture", "no sidecar", "none"}:
            file.unlink()
        if harm == "none":
            (root / each.sidecar).unlink()
    before = Counter(contents(root).values())
    _, _, due = repaired(root)
    assert due == sum(harm not in {"whole", "no row", "flip sidecar"} for harm in harms)
    is_right_now(root, PAIRS, due=due)
    mended_ = Counter(each.sidecar_content for each, harm in zip(PAIRS, harms, strict=True) if harm == "flip sidecar")
    assert Counter(contents(root).values()) == before + mended_


def test_a_repair_that_is_killed_at_any_step_is_ended_by_the_next(tmp_path: Path) -> None:
    pairs = PAIRS[:5]

    def harmed(root: Path) -> Path:
        made(root, pairs, known=pairs[:4])
        flip(root / PAIRS[0].picture)
        flip(root / PAIRS[1].sidecar)
        (root / PAIRS[2].sidecar).unlink()
        (root / PAIRS[3].picture).unlink()
        return root

    for kill_at in range(1, 200):
        root = harmed(tmp_path / str(kill_at))
        before = set(contents(root).values())
        pid = os.fork()
        if not pid:  # pragma: no cover - in the child, which a SIGKILL ends
            _repair_until(root, kill_at)
        if os.WIFEXITED(os.waitpid(pid, 0)[1]):
            break
        due = repaired(root, "again")[2]
        assert due <= 3
        is_right_now(root, pairs, due=3)
        assert before <= set(contents(root).values())
    assert kill_at > 20


def _repair_until(root: Path, kill_at: int) -> None:
    """Repair in a process that is killed before a step; ends with 0 where there are not so many."""

    def at(number: int, _name: str, _args: object) -> None:
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        Steps(at).install(setattr)
        list(verify(root, stamp=STAMP, repair=True))
    finally:
        os._exit(0)
