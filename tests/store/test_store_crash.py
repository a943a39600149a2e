"""Whatever step a run was killed at: the next start ends with whole pairs, or with nothing, and no `.part`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from store_samples import big_png, clear, files, keep, opened, samples, scan, sidecar_for, task

from batchgen.model import Picture
from batchgen.store.leftovers import Leftovers

if TYPE_CHECKING:
    from batchgen.store.folder import OutputFolder

CONTENT = next(samples()).content
PICTURE = Picture(
    format="png", width=19, height=11, size_bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
)
SIDECAR = sidecar_for(task(), PICTURE)
NAME = "7-abcdefghijkl"


def killed_at_every_step(base: Path, size: str, area: str) -> int:
    script = Path(__file__).with_name("store_crash.py")
    command = [sys.executable, str(script), str(base), size, area]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)  # noqa: S603


@pytest.mark.parametrize("size", ["small", "big"])
@pytest.mark.parametrize("area", ["images", "filtered"])
async def test_killed_at_any_step(tmp_path: Path, size: str, area: str) -> None:
    content = big_png() if size == "big" else CONTENT
    steps = killed_at_every_step(tmp_path, size, area)
    assert steps > 15
    made: list[bool] = []
    for step in range(1, steps + 1):
        folder = opened(tmp_path / str(step))
        left = clear(folder)
        assert clear(folder) == Leftovers(finished=0, cleared=0)
        contents = scan(folder)
        assert not contents.missing
        assert len(files(folder.root)) == 2 * len(contents.made), (step, left)
        made.append(bool(contents.made))
        if not contents.made:
            await keep(folder, task(), content, filtered=area == "filtered")
        assert scan(folder).made == {task().id: task().stem}
        assert files(folder.root)[f"{area}/a-red-fox/{NAME}.png"] == hashlib.sha256(content).hexdigest()
    # Once a picture and its sidecar are durable, no later crash loses it: what is whole is never paid for again.
    assert made == sorted(made)
    assert made.count(True) >= 8


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    return opened(tmp_path / "otters")


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
        ({"_png": CONTENT[:-1] + b"!", "_json_part": SIDECAR}, 0),
        ({"_png": b"", "_json_part": SIDECAR}, 0),
    ],
)
def test_each_state_has_one_meaning(folder: OutputFolder, contents: dict[str, bytes], finished: int) -> None:
    left_behind(folder, **contents)
    assert clear(folder).finished == finished
    assert set(files(folder.root)) == (WHOLE if finished else set())
    assert len(scan(folder).made) == finished


def test_the_two_names_of_one_file_are_one(folder: OutputFolder) -> None:
    place = left_behind(folder, _png=CONTENT, _json=SIDECAR)
    (place / f"{NAME}.part").hardlink_to(place / f"{NAME}.png")
    (place / f"{NAME}.json.part").hardlink_to(place / f"{NAME}.json")
    assert clear(folder) == Leftovers(finished=1, cleared=0)
    assert set(files(folder.root)) == WHOLE


def test_what_is_not_ours_is_not_touched(folder: OutputFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.part"
    outside.write_bytes(b"mine")
    place = left_behind(folder, _png=b"somebody's work", _part=CONTENT, _json_part=SIDECAR)
    (place / "notes.txt").write_bytes(b"mine")
    (place / "link.part").symlink_to(outside)
    (place / "folder.part").mkdir()
    assert clear(folder) == Leftovers(finished=0, cleared=2)
    left = [f"{NAME}.png", "folder.part", "link.part", "notes.txt"]
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
