"""The ledger looked at from outside, while nobody, a run or a dead run has it: nothing changes, nobody waits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from ledger_samples import FAILED, MADE, USD, begun, copied_as_killed, opened_ledger, picture, start

from batchgen.errors import StorageError
from batchgen.store.database import LEDGER
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_file import look_at_ledger
from batchgen.store.rows import Bill, Changes

if TYPE_CHECKING:
    from pathlib import Path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.mark.parametrize("killed", [False, True])
def test_a_look_leaves_no_file_behind(quick_path: Path, *, killed: bool) -> None:
    root = quick_path
    with opened_ledger(quick_path) as ledger:
        start(ledger, begun())
        if killed:
            root = copied_as_killed(quick_path, quick_path / "killed")
    before = {path.name: path.read_bytes() for path in root.iterdir() if not path.name.endswith("-shm")}
    there = names(root)
    looked = look_at_ledger(root)
    assert looked is not None
    with closing(looked):
        assert looked.in_doubt() == [begun()]
    assert names(root) == there
    assert {name: (root / name).read_bytes() for name in before} == before


def test_a_look_at_nothing_makes_nothing(quick_path: Path) -> None:
    assert look_at_ledger(quick_path) is None
    (quick_path / LEDGER).touch()
    assert look_at_ledger(quick_path) is None
    assert (names(quick_path), (quick_path / LEDGER).stat().st_size) == ([LEDGER], 0)


def test_a_look_after_a_run_that_was_killed_before_it_made_a_table(quick_path: Path) -> None:
    with closing(sqlite3.connect(quick_path / LEDGER)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert (quick_path / LEDGER).stat().st_size > 0
    assert look_at_ledger(quick_path) is None


def test_a_look_while_a_run_writes_sees_what_is_committed_and_holds_nobody_up(quick_path: Path) -> None:
    with opened_ledger(quick_path) as ledger:
        ledger.commit(Changes(pictures=[picture(str(number)) for number in range(500)]))
        looked = look_at_ledger(quick_path)
        assert looked is not None
        with closing(looked):
            rows = looked.pictures()
            assert len(list(islice(rows, 10))) == 10
            for number, _ in enumerate(range(20), start=start(ledger, begun())[0] + 1):
                ledger.commit(Changes(started=[(number, begun())], settled=[(number, FAILED)]))
            ledger.commit(Changes(settled=[(1, MADE)], pictures=[picture("new")]))
            assert len(list(rows)) == 490  # as it was when the reading began
            assert looked.bill() == Bill(spent=USD, at_most=USD, attempts=21, faults=ledger.bill().faults)


def test_a_reader_can_write_nothing(quick_path: Path) -> None:
    with opened_ledger(quick_path) as ledger:
        start(ledger, begun())
        for _ in range(2):
            looked = look_at_ledger(quick_path)
            assert looked is not None
            with closing(looked), pytest.raises(StorageError, match="readonly"):
                Ledger(looked._db, looked._path).lose()
            ledger.close()
    with opened_ledger(quick_path) as ledger:
        assert ledger.bill().unsettled == 1
