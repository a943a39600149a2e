"""What an output folder says is in it, and how it refuses to be used."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from store_folders import close_all, files, keep, opened, scan
from store_samples import samples, task

from batchgen.errors import StorageError
from batchgen.store.contents import Contents

if TYPE_CHECKING:
    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content


OURS = {".lock", "batchgen.sqlite"}


def test_opening_makes_the_folder_and_leaves_only_its_ledger_and_lock_in_it(tmp_path: Path) -> None:
    for _ in range(2):
        folder = opened(tmp_path / "output" / "otters")
        close_all()
        assert {path.name for path in folder.root.iterdir()} == OURS


def test_a_relative_path_holds_when_the_current_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = opened(Path("otters"))
    monkeypatch.chdir("/")
    folder.save_job(b"name: otters\n")
    assert (tmp_path / "otters" / "job.yaml").exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "otters").touch()
    with pytest.raises(StorageError, match=r"otters: is not a folder; choose another one with --output"):
        opened(tmp_path / "otters")
    with pytest.raises(StorageError, match=r"otters.*Not a directory; a file stands where a folder is needed"):
        opened(tmp_path / "otters" / "below")


@pytest.mark.parametrize("unwritable", ["/proc/self", "/proc/otters"])
def test_a_folder_that_takes_no_file(unwritable: str) -> None:
    with pytest.raises(StorageError, match=rf"^{unwritable}[^\n]*: [^\n]+; [^\n]+$"):
        opened(Path(unwritable))


@pytest.mark.parametrize("area", ["images", "filtered"])
def test_a_linked_area_is_refused_at_once(tmp_path: Path, area: str) -> None:
    (tmp_path / area).symlink_to(tmp_path.parent)
    with pytest.raises(StorageError, match=rf"{area}: is a symbolic link"):
        opened(tmp_path)


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "otters").symlink_to("real")
    opened(tmp_path / "otters").save_job(b"name: otters\n")
    assert (tmp_path / "real" / "job.yaml").exists()


def test_an_empty_folder_has_nothing_made(folder: OutputFolder) -> None:
    contents = folder.recover().contents
    nothing = Contents(
        made={}, indices={}, filtered=frozenset(), missing={}, taken={}, billed_usd=Decimal(0), blocked={}
    )
    assert contents == replace(nothing, unknown=[], gone=[], failures=[])
    assert contents.in_the_way(task()) is None


async def test_made_is_told_by_the_sidecars(folder: OutputFolder) -> None:
    await keep(folder, task("one", "fox/1-one"), CONTENT)
    await keep(folder, task("two", "2-two"), CONTENT, filtered=True)
    contents = scan(folder)
    assert contents.made == {"one": "fox/1-one", "two": "2-two"}
    assert contents.filtered == {"two"}
    assert not contents.missing
    assert contents.in_the_way(task("one", "fox/1-one")) is None


async def test_a_picture_that_is_gone_or_of_another_length_is_missing(folder: OutputFolder) -> None:
    for name in ("gone", "cut", "link", "kept"):
        await keep(folder, task(name, f"fox/{name}"), CONTENT)
    place = folder.root / "images" / "fox"
    (place / "gone.png").unlink()
    (place / "cut.png").write_bytes(CONTENT[:-1])
    (place / "link.png").rename(place / "elsewhere.bin")
    (place / "link.png").symlink_to("elsewhere.bin")
    contents = scan(folder)
    assert contents.made == {"kept": "fox/kept"}
    assert contents.missing == {name: f"fox/{name}" for name in ("gone", "cut", "link")}


@pytest.mark.parametrize("loss", ["gone", "cut"])
async def test_a_missing_picture_can_be_made_again_once_forgotten(folder: OutputFolder, loss: str) -> None:
    for again in range(3):
        folder = opened(folder.path)
        await keep(folder, task(), CONTENT)
        picture = folder.root / "images/a-red-fox/7-abcdefghijkl.png"
        picture.unlink() if loss == "gone" else picture.write_bytes(b"edited")
        contents = scan(folder)
        assert contents.missing == {task().id: task().stem}
        assert contents.in_the_way(task()) is None
        folder.forget(task().stem)
        assert not any(path.startswith("images/") for path in files(folder.root))
        assert len(files(folder.root)) == (0 if loss == "gone" else 2 * (again + 1))
    await keep(folder, task(), CONTENT)
    assert scan(folder).made == {task().id: task().stem}


async def test_what_fits_and_what_is_foreign_is_not_forgotten(folder: OutputFolder) -> None:
    await keep(folder, task(), CONTENT)
    foreign = folder.root / "filtered/a-red-fox/7-abcdefghijkl.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b'{"somebody": "else"}')
    before = files(folder.root)
    folder.forget(task().stem)
    assert files(folder.root) == before


async def test_foreign_and_damaged_json_makes_nothing_and_keeps_its_place(folder: OutputFolder) -> None:
    await keep(folder, task("one", "fox/1"), CONTENT)
    place = folder.root / "images" / "fox"
    (place / "2.json").write_bytes(b'{"somebody": "else"}')
    (place / "1.json").write_bytes((place / "1.json").read_bytes()[:-30])
    contents = scan(folder)
    assert not contents.made
    assert contents.in_the_way(task("two", "fox/2")) == "images/fox/2.json"
    assert contents.in_the_way(task("one", "fox/1")) in {"images/fox/1.json", "images/fox/1.png"}


@pytest.mark.parametrize(
    ("there", "stem"),
    [
        ("images/fox/7.png", "fox/7"),
        ("filtered/fox/7.png", "fox/7"),
        ("images/Fox/7.PNG", "fox/7"),
        ("images/fox/7.json", "fox/7"),
        ("images/" + unicodedata.normalize("NFD", "füchse/7.webp"), "FÜCHSE/7"),
        ("images/fox", "fox/7"),
        ("images/fox/a", "fox/a/b/7"),
    ],
)
def test_what_has_a_tasks_place_is_found_before_anything_is_sent(folder: OutputFolder, there: str, stem: str) -> None:
    path = folder.root / there
    path.parent.mkdir(parents=True)
    path.touch()
    contents = scan(folder)
    assert contents.in_the_way(task(stem=stem)) == there
    assert contents.in_the_way(task(stem="otter/7")) is None


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_no_kind_of_file_at_a_final_name_hangs_or_is_overlooked(folder: OutputFolder, kind: str) -> None:
    path = folder.root / "images" / "7.json"
    path.parent.mkdir()
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("nowhere")
        case _:
            os.mkfifo(path)
    contents = scan(folder)
    assert not contents.made
    assert contents.in_the_way(task(stem="7")) == "images/7.json"


@pytest.mark.parametrize("other", ["7.png", "7.json", "7.jpg"])
def test_what_is_in_the_way_is_never_said_to_be_a_part_of_ours(folder: OutputFolder, other: str) -> None:
    """Which is finished once the other is moved away, and would be lost if it were moved instead."""
    place = folder.root / "images"
    place.mkdir()
    for name in ("7.part", other, "7.json.part"):
        (place / name).mkdir()  # no file: `scan` clears nothing
    assert scan(folder).in_the_way(task(stem="7")) == f"images/{other}"


def test_a_linked_folder_is_in_the_way_and_not_entered(folder: OutputFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "7.png").touch()
    (folder.root / "images").mkdir()
    (folder.root / "images" / "fox").symlink_to(tmp_path / "outside")
    contents = scan(folder)
    assert not contents.taken
    assert contents.in_the_way(task(stem="fox/7")) == "images/fox"


async def test_a_pair_that_was_copied_counts_once(folder: OutputFolder) -> None:
    await keep(folder, task(), CONTENT)
    copied = folder.root / "images" / "best of"
    copied.mkdir()
    for path in list((folder.root / "images" / "a-red-fox").iterdir()):
        (copied / path.name).write_bytes(path.read_bytes())
    (folder.root / "images/a-red-fox/7-abcdefghijkl.png").unlink()
    contents = scan(folder)
    assert contents.made == {task().id: "best of/7-abcdefghijkl"}
    assert not contents.missing


def test_the_job_is_kept_as_last_run(folder: OutputFolder) -> None:
    folder.save_job(b"name: one\n")
    folder.save_job(b"name: two\n")
    folder.save_job(b"name: two\n")
    assert (folder.root / "job.yaml").read_bytes() == b"name: two\n"
    assert [path.read_bytes() for path in folder.root.glob("replaced/*/job.yaml")] == [b"name: one\n"]
    close_all()
    assert {path.name for path in folder.root.iterdir()} == {"job.yaml", "replaced", *OURS}


def test_a_folder_that_vanished_is_said_in_one_line(folder: OutputFolder) -> None:
    folder.root.rename(folder.root.with_name("elsewhere"))
    with pytest.raises(StorageError, match=r"^/[^\n]*: No such file or directory; [^\n]+$"):
        folder.save_job(b"name: otters\n")
