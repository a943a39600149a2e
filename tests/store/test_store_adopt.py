"""What the disk holds comes into the ledger, whoever moved it there, and is never on the bill twice."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from store_folders import USD, at_work, attempt, close_all, filled, kept, opened
from store_samples import ATTEMPT, samples, sidecar_for, task

from batchgen.model import Attempt, Billing, Fault
from batchgen.store.database import LEDGER
from batchgen.store.folder import contents_of
from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.rows import AttemptRow, Bill

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content
STARTED = "2026-11-22T02:30:{}.000Z"
THROTTLED = ATTEMPT._replace(billing=Billing.NO, fault=Fault.THROTTLED, status=429)
TRIES = [
    THROTTLED._replace(number=1, started=STARTED.format("01")),
    Attempt(number=2, started=STARTED.format("02"), seconds=0.0, billing=Billing.MAYBE, fault=Fault.LOST),
    ATTEMPT._replace(number=3, started=STARTED.format("03")),
]
"""At one picture: throttled, lost, made."""
WHOLE = Bill(spent=USD, at_most=2 * USD, faults=Counter({Fault.THROTTLED: 1, Fault.LOST: 1}), attempts=3, in_vain=1)


@pytest.fixture
async def tried(folder: OutputFolder) -> OutputFolder:
    """A folder with one picture, that came of three attempts of three runs."""
    for tried in TRIES:
        async with at_work(folder) as writer:
            number = await writer.begin(AttemptRow(task().id, 7, tried, USD))
            if tried.fault is Fault.THROTTLED:
                writer.settle(number, tried)
            elif tried.fault is None:
                sink, picture = await filled(folder, task(), CONTENT)
                wrapped = await sink.wrap(sidecar_for(task(), picture, TRIES, usd=USD))
                await writer.keep(number, tried, wrapped)
        folder.recover()
    assert folder.ledger.bill() == WHOLE
    return folder


def again(folder: OutputFolder, *, without_ledger: bool = False) -> OutputFolder:
    """The folder as the next run finds it."""
    close_all()
    if without_ledger:
        (folder.root / LEDGER).unlink()
    folder = opened(folder.path)
    folder.recover()
    return folder


def attempts(folder: OutputFolder) -> list[AttemptRow]:
    return [row for _, row in folder.ledger._attempts("1")]


async def test_without_a_ledger_every_attempt_is_back_as_it_was(tried: OutputFolder) -> None:
    before, rows = attempts(tried), list(tried.ledger.pictures())
    folder = again(tried, without_ledger=True)
    # What an answer said is in the ledger alone.
    assert attempts(folder) == [row._replace(attempt=row.attempt._replace(words="")) for row in before]
    assert list(folder.ledger.pictures()) == rows
    assert folder.ledger.bill() == WHOLE


async def test_a_second_look_changes_nothing(tried: OutputFolder) -> None:
    before = attempts(tried)
    for _ in range(2):
        tried = again(tried)
        assert (attempts(tried), tried.ledger.bill()) == (before, WHOLE)
        assert len(list(tried.ledger.pictures())) == 1


@pytest.mark.parametrize("without_ledger", [False, True])
async def test_a_pair_that_was_moved_is_known_where_it_is_now(tried: OutputFolder, *, without_ledger: bool) -> None:
    (tried.root / "images/a-red-fox").rename(tried.root / "images/the best")
    folder = again(tried, without_ledger=without_ledger)
    assert [row.path for row in folder.ledger.pictures()] == ["images/the best/7-abcdefghijkl.png"]
    assert folder.ledger.bill() == WHOLE


@pytest.mark.parametrize("without_ledger", [False, True])
async def test_a_copied_pair_is_paid_for_once(tried: OutputFolder, *, without_ledger: bool) -> None:
    shutil.copytree(tried.root / "images/a-red-fox", tried.root / "images/the best")
    folder = again(tried, without_ledger=without_ledger)
    assert len(list(folder.ledger.pictures())) == 2
    assert folder.ledger.bill() == WHOLE


@pytest.mark.parametrize("without_ledger", [False, True])
async def test_a_folder_whose_name_is_no_text_holds_what_it_holds(tried: OutputFolder, *, without_ledger: bool) -> None:
    (tried.root / "images/a-red-fox").rename(tried.root / os.fsdecode(b"images/f\xfcchse"))
    for _ in range(2):
        folder = again(tried, without_ledger=without_ledger)
        assert set(contents_of(folder.path).made) == {task().id}
        assert list(folder.ledger.pictures()) == []


@pytest.mark.parametrize(
    "change",
    [
        (b'"abcdefghijkl"', b'"\\ud800"'),
        (b'"index": ?7', b'"index": 77777777777777777777'),
        (b'"status": ?200', b'"status": 77777777777777777777'),
        (b'"number": ?3', b'"number": 77777777777777777777'),
        (rb'"usd": ?0\.03', b'"usd": NaN'),
        (rb'"usd": ?0\.03', b'"usd": 1e999'),
        (rb'"usd": ?0\.03', b'"usd": -1'),
        (rb'"seconds": ?0\.41', b'"seconds": NaN'),
    ],
    ids=lambda change: change[1].decode(),
)
async def test_no_value_in_a_sidecar_stops_a_run_or_spoils_the_bill(
    tried: OutputFolder, change: tuple[bytes, bytes]
) -> None:
    sidecar = tried.root / "images/a-red-fox/7-abcdefghijkl.json"
    content, found = re.subn(change[0], lambda _: change[1], sidecar.read_bytes())
    assert found
    sidecar.write_bytes(content)
    for _ in range(2):
        bill = again(tried, without_ledger=True).ledger.bill()
        assert bill in (WHOLE, Bill())


async def test_a_lost_attempt_whose_picture_comes_back_was_billed_after_all(folder: OutputFolder) -> None:
    """Such as from a backup."""
    async with at_work(folder) as writer:
        await attempt(folder, writer, task(), CONTENT)
    backup = folder.root.with_name("backup")
    shutil.copytree(folder.root / "images", backup)
    shutil.rmtree(folder.root / "images")
    folder.ledger._db.execute("UPDATE attempts SET billing = NULL")
    assert [row.task_id for row in folder.recover().lost] == [task().id]
    assert folder.ledger.bill() == Bill(at_most=USD, faults=Counter({Fault.LOST: 1}), attempts=1, in_vain=1)
    shutil.copytree(backup, folder.root / "images")
    assert set(folder.recover().contents.made) == {task().id}
    assert folder.ledger.bill() == Bill(spent=USD, at_most=USD, attempts=1)


async def test_a_sidecar_without_its_picture_is_adopted_once_it_is_back(tried: OutputFolder) -> None:
    picture, elsewhere = tried.root / "images/a-red-fox/7-abcdefghijkl.png", tried.root.with_name("elsewhere.png")
    picture.rename(elsewhere)
    close_all()
    (tried.root / LEDGER).unlink()
    folder = opened(tried.path)
    recovered = folder.recover()
    assert (recovered.contents.made, set(recovered.contents.missing)) == ({}, {task().id})
    assert list(folder.ledger.pictures()) == []
    elsewhere.rename(picture)
    assert set(folder.recover().contents.made) == {task().id}
    assert folder.ledger.bill() == WHOLE


async def test_what_only_a_look_finds_counts_too(tried: OutputFolder) -> None:
    """A plan adopts nothing, and knows what a folder has cost with a ledger or without one."""
    close_all()
    assert contents_of(tried.path).billed_usd == 2 * USD
    (tried.root / LEDGER).unlink()
    assert contents_of(tried.path).billed_usd == 2 * USD
    assert not (tried.root / LEDGER).exists()


async def test_many_are_adopted_at_once(quick_path: Path) -> None:
    folder = opened(quick_path / "otters")
    names = [f"{number:03}" for number in range(200)]
    async with at_work(folder) as writer:
        for name in names:
            sink, picture = await filled(folder, task(name, f"fox/{name}"), CONTENT)
            number = await writer.begin(AttemptRow(name, 7, ATTEMPT, USD))
            await kept(writer, number, sink, sidecar_for(task(name, f"fox/{name}"), picture, usd=USD))
    folder = again(folder, without_ledger=True)
    assert sorted(row.task_id for row in folder.ledger.pictures()) == names
    assert folder.ledger.bill() == Bill(spent=200 * USD, at_most=200 * USD, attempts=200)
    looked = LedgerReader.look(folder.root)
    assert looked is not None
    assert not looked.flaw()
    looked.close()
