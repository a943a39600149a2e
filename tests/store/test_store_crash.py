"""Whatever step a run was killed at: the next start ends with whole pairs, or with nothing, and no `.part`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from store_folders import USD, clear, files, keep, opened, scan
from store_samples import big_png, document_for, samples, task

from batchgen.model import Picture
from batchgen.store.leftovers import Leftovers

if TYPE_CHECKING:
    from batchgen.store.contents import Contents
    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content
PICTURE = Picture(
    format="png", width=19, height=11, size_bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
)
SIDECAR = document_for(task(), PICTURE)
NAME = "7-abcdefghijkl"


def killed_at_every_step(base: Path, size: str, area: str) -> int:
    script = Path(__file__).with_name("store_crash.py")
    command = [sys.executable, str(script), str(base), size, area]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)  # noqa: S603


@pytest.mark.parametrize("size", ["small", "big"])
@pytest.mark.parametrize("area", ["images", "filtered"])
async def test_killed_at_any_step(quick_path: Path, size: str, area: str) -> None:
    content = big_png() if size == "big" else CONTENT
    steps = killed_at_every_step(quick_path, size, area)
    assert steps > 20
    made: list[bool] = []
    for step in range(1, steps + 1):
        folder = opened(quick_path / str(step))
        sent = (quick_path / f"{step}.sent").exists()
        contents = recovered_as_promised(folder, sent=sent)
        made.append(bool(contents.made))
        if not contents.made:
            await keep(folder, task(), content, filtered=area == "filtered")
        assert scan(folder).made == {task().id: task().stem}
        assert files(folder.root)[f"{area}/a-red-fox/{NAME}.png"] == hashlib.sha256(content).hexdigest()
    # Once a picture and its sidecar are durable, no later crash loses it: what is whole is never paid for again.
    assert made == sorted(made)
    assert made.count(True) >= 8


def recovered_as_promised(folder: OutputFolder, *, sent: bool) -> Contents:
    """What a run finds in a folder whose run was killed, before or after its one request was `sent`."""
    recovered = folder.recover()
    contents, bill = recovered.contents, folder.ledger.bill()
    assert not contents.missing
    assert len(files(folder.root)) == 2 * len(contents.made)
    # An attempt that was sent is in the ledger: billed where its picture is there, else in doubt.
    assert sent <= bill.attempts <= 1
    assert bill.at_most == USD * bill.attempts
    assert bill.spent == USD * len(contents.made)
    assert len(recovered.lost) == bill.attempts - len(contents.made)
    assert [row.path for row in folder.ledger.pictures()] == [f"{path}.png" for path in _places(contents)]
    again = folder.recover()
    assert (again.finished, again.lost, again.contents.made) == (0, [], contents.made)
    return contents


def _places(contents: Contents) -> list[str]:
    return [f"{'filtered' if task in contents.filtered else 'images'}/{stem}" for task, stem in contents.made.items()]


def left_behind(folder: OutputFolder, **contents: bytes) -> Path:
    """Files under the name of one task, by their suffix with `_` for the dot."""
    place = folder.root / "images" / "a-red-fox"
    place.mkdir(parents=True, exist_ok=True)
    for suffix, content in contents.items():
        (place / (NAME + suffix.replace("_", "."))).write_bytes(content)
    return place


WHOLE = {f"images/a-red-fox/{NAME}.{suffix}" for suffix in ("json", "png")}


@pytest.mark.parametrize(
    ("contents", "finished"),
    [
        ({"_part": CONTENT[:50]}, 0),
        ({"_part": CONTENT}, 0),
        ({"_part": CONTENT, "_json_part": SIDECAR[:-40]}, 0),
        ({"_part": CONTENT, "_json_part": b""}, 0),
        ({"_part": CONTENT, "_json_part": SIDECAR}, 1),
        ({"_png": CONTENT, "_json_part": SIDECAR}, 1),
        ({"_png": CONTENT, "_part": CONTENT, "_json_part": SIDECAR}, 1),
        ({"_json_part": SIDECAR}, 0),
        ({"_part": CONTENT[:-1] + b"!", "_json_part": SIDECAR}, 0),
    ],
)
def test_each_state_has_one_meaning(folder: OutputFolder, contents: dict[str, bytes], finished: int) -> None:
    left_behind(folder, **contents)
    assert clear(folder).finished == finished
    assert set(files(folder.root)) == (WHOLE if finished else set())
    assert len(scan(folder).made) == finished


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", b""])
def test_what_has_a_pictures_name_and_not_its_content_goes_to_replaced(folder: OutputFolder, content: bytes) -> None:
    """A lying disk left it there, or somebody who painted over it."""
    left_behind(folder, _png=content, _json_part=SIDECAR)
    assert folder.recover().contents.made == {}
    (aside,) = files(folder.root)
    assert aside.startswith("replaced/")
    assert (folder.root / aside).read_bytes() == content


def test_a_pair_waits_for_its_name(folder: OutputFolder) -> None:
    place = left_behind(folder, _png=b"somebody's work", _part=CONTENT, _json_part=SIDECAR)
    assert clear(folder) == Leftovers()
    folder.replace([f"images/a-red-fox/{NAME}.png"])
    assert clear(folder) == Leftovers(finished=1)
    assert (place / f"{NAME}.png").read_bytes() == CONTENT


def test_the_two_names_of_one_file_are_one(folder: OutputFolder) -> None:
    place = left_behind(folder, _png=CONTENT, _json=SIDECAR)
    (place / f"{NAME}.part").hardlink_to(place / f"{NAME}.png")
    (place / f"{NAME}.json.part").hardlink_to(place / f"{NAME}.json")
    assert clear(folder) == Leftovers(finished=1, cleared=2)
    assert set(files(folder.root)) == WHOLE


def test_the_two_names_of_one_file_may_be_copies_by_now(folder: OutputFolder) -> None:
    """Whoever copies a folder copies its links as files."""
    left_behind(folder, _png=CONTENT, _json=SIDECAR, _part=CONTENT, _json_part=SIDECAR)
    assert clear(folder) == Leftovers(finished=1, cleared=2)
    assert set(files(folder.root)) == WHOLE


def test_what_is_not_ours_is_not_touched(folder: OutputFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.part"
    outside.write_bytes(b"mine")
    place = left_behind(folder, _png=b"somebody's work", _part=CONTENT, _json_part=SIDECAR)
    (place / "notes.txt").write_bytes(b"mine")
    (place / "link.part").symlink_to(outside)
    (place / "folder.part").mkdir()
    assert clear(folder) == Leftovers()
    left = [f"{NAME}.json.part", f"{NAME}.part", f"{NAME}.png", "folder.part", "link.part", "notes.txt"]
    assert sorted(path.name for path in place.iterdir()) == left
    assert outside.read_bytes() == b"mine"


def test_a_linked_folder_is_not_entered(folder: OutputFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.part").write_bytes(b"mine")
    (folder.root / "images").mkdir()
    (folder.root / "images" / "link").symlink_to(outside)
    assert clear(folder) == Leftovers(finished=0, cleared=0)
    assert (outside / "a.part").exists()


def test_a_sidecars_part_names_only_its_own_picture(folder: OutputFolder) -> None:
    place = left_behind(folder, _json_part=SIDECAR.replace(f"{NAME}.png".encode(), b"other.png"))
    (place / "other.png").write_bytes(b"somebody's work")
    assert clear(folder) == Leftovers(finished=0, cleared=1)
    assert [path.name for path in place.iterdir()] == ["other.png"]
