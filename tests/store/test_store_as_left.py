"""A folder is as its ledger says, or it is looked at: what tells the two apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ledger_samples import a_run, begun, opened_ledger, picture, start

from batchgen.store.as_left import is_as_left
from batchgen.store.folder import OutputFolder
from batchgen.store.rows import Changes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PICTURES = ("images/fox/1.png", "images/fox/2.jpg", "images/owl.webp", "filtered/fox/3.png", "images/ö/ü 🦊.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with five pictures, as a run left it that ended in order."""
    for path in PICTURES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
        (tmp_path / path).with_suffix(".json").touch()
    with opened_ledger(tmp_path) as ledger:
        ledger.begin(a_run("1"))
        ledger.commit(Changes(pictures=[picture(path, path) for path in PICTURES]))
        ledger.end(ended="2026-11-22T02:31:00.000Z", ending="complete", why="")
    return tmp_path


def told(root: Path) -> bool:
    """By the names alone."""
    with opened_ledger(root) as ledger:
        return is_as_left(root, ledger)


def test_what_a_run_left_is_known(root: Path) -> None:
    assert told(root)
    (root / "images/empty").mkdir()
    (root / "job.yaml").touch()
    assert told(root)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a picture gone": lambda root: (root / PICTURES[0]).unlink(),
    "a sidecar gone": lambda root: (root / PICTURES[1]).with_suffix(".json").unlink(),
    "a picture moved": lambda root: (root / PICTURES[0]).rename(root / "images/1.png"),
    "two pictures changed places of name": lambda root: (root / PICTURES[0]).rename(root / "images/fox/2.png"),
    "a stranger": lambda root: (root / "images/fox/notes.txt").touch(),
    "a leftover": lambda root: (root / "images/fox/4.part").touch(),
    "a link": lambda root: (root / "images/link").symlink_to(root / "images/fox"),
    "an area gone": lambda root: (root / "filtered").rename(root / "elsewhere"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_has_changed_is_noticed(root: Path, change: Callable[[Path], object]) -> None:
    change(root)
    assert not told(root)


def test_only_a_run_that_ended_with_nothing_in_doubt_left_a_folder_as_its_ledger_says(root: Path) -> None:
    def as_left() -> bool:
        folder = OutputFolder.open(root, "2")
        try:
            return folder.as_left() is not None
        finally:
            folder.close()

    assert as_left()
    with opened_ledger(root) as ledger:
        ledger.begin(a_run("3"))
    assert not as_left()
    with opened_ledger(root) as ledger:
        ledger._db.execute("UPDATE runs SET ended = started")
    assert as_left()
    with opened_ledger(root) as ledger:
        start(ledger, begun("bear"))
    assert not as_left()


def test_what_waits_in_a_rescue_place_is_brought_home_first(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = OutputFolder.open(root, "2", tmp_path_factory.mktemp("rescued"))
    try:
        assert folder.as_left() is None
    finally:
        folder.close()
