"""Nothing is sent whose answer could not be stored; and a disk that is full all the same ends a run in order."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from store_folders import USD, at_work, attempt, close_all, files, opened, row_of, scan
from store_samples import big_png, samples, task

from batchgen.errors import StorageError
from batchgen.store.room import FILES_EACH, LIKELY_BYTES, RESERVE_BYTES, RESERVE_FILES, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchgen.store.folder import OutputFolder

BLOCK = 4096
SMALL = next(samples()).content
BIG = big_png()
BOUNDLESS = 1 << 40


class Disk:
    """A file system that says what a test wants it to say."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.free_bytes = self.free_files = BOUNDLESS
        self.all_files = BOUNDLESS
        patch.setattr(os, "statvfs", self._statvfs)

    def _statvfs(self, _path: object) -> SimpleNamespace:
        free = self.free_bytes // BLOCK
        # What only the superuser may use is no room for us.
        return SimpleNamespace(
            f_bsize=1 << 20,
            f_frsize=BLOCK,
            f_bfree=free + 1000,
            f_bavail=free,
            f_files=self.all_files,
            f_ffree=self.free_files + 1000,
            f_favail=self.free_files,
        )


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def is_enough(room: Room, in_flight: int) -> bool:
    try:
        room.check(in_flight)
    except StorageError:
        return False
    return True


@pytest.mark.parametrize("lacking", ["free_bytes", "free_files"])
def test_what_is_lacking_is_said_in_one_line(disk: Disk, lacking: str) -> None:
    setattr(disk, lacking, 0)
    with pytest.raises(StorageError, match=r"^/otters: [^\n]+; [^\n]+, then run again: what is made stays$"):
        Room(Path("/otters")).check(3)


@pytest.mark.parametrize("in_flight", [1, 3, 64])
def test_as_many_likely_pictures_as_are_on_their_way_must_fit(disk: Disk, in_flight: int) -> None:
    room = Room(Path("/otters"))
    disk.free_bytes = in_flight * LIKELY_BYTES + RESERVE_BYTES
    assert is_enough(room, in_flight)
    disk.free_bytes -= BLOCK
    assert not is_enough(room, in_flight)


@pytest.mark.parametrize("largest", [100, 40 * 1024 * 1024])
def test_once_pictures_came_the_largest_is_the_measure(disk: Disk, largest: int) -> None:
    room = Room(Path("/otters"))
    for size in (1, largest, 2):
        room.note(size)
    disk.free_bytes = -(-(10 * largest + RESERVE_BYTES) // BLOCK) * BLOCK
    assert is_enough(room, 10)
    disk.free_bytes -= BLOCK
    assert not is_enough(room, 10)


def test_there_must_be_files_for_all_of_them(disk: Disk) -> None:
    room = Room(Path("/otters"))
    disk.free_files = 5 * FILES_EACH + RESERVE_FILES
    assert is_enough(room, 5)
    assert not is_enough(room, 6)
    disk.free_files = disk.all_files = 0  # as btrfs says it, which has no such bound
    assert is_enough(room, 6)


async def test_every_beginning_looks_at_what_is_on_its_way_with_it(
    folder: OutputFolder, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Room.check

    def check(room: Room, in_flight: int) -> None:
        asked.append(in_flight)
        real(room, in_flight)

    monkeypatch.setattr(Room, "check", check)
    disk.free_bytes = 3 * LIKELY_BYTES + RESERVE_BYTES
    async with at_work(folder) as writer:
        numbers = [await writer.begin(row_of(task(name))) for name in ("1", "2", "3")]
        with pytest.raises(StorageError, match=r"20 MiB free are too little for the 4 pictures .* \(24 MiB\)"):
            await writer.begin(row_of(task("4")))
        writer.settle(numbers[0], None)
        numbers[0] = await writer.begin(row_of(task("5")))
        assert asked == [1, 2, 3, 4, 3]
        for number in numbers:
            writer.settle(number, None)
        await attempt(folder, writer, task("6", "6"), SMALL)  # 1 KiB: many such fit
        for number in range(7, 60):
            await writer.begin(row_of(task(str(number))))
    assert folder.ledger.bill().attempts == 1 + 53


# A real one, so small that it is soon full


def _mount(path: Path, options: str) -> None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small tmpfs needs root, and mount")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False)  # noqa: S603, S607
    if made.returncode:
        pytest.skip(f"a small tmpfs can't be mounted here: {made.stderr.decode().strip()}")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system with these options."""
    path = tmp_path / "small"
    path.mkdir()

    def mount(options: str) -> Path:
        _mount(path, options)
        return path / "otters"

    yield mount
    close_all()
    if path.is_mount():
        subprocess.run(["umount", str(path)], check=True)  # noqa: S603, S607


class Filling:
    """Pictures one after the other, until there is no room."""

    def __init__(self) -> None:
        self.sent = self.made = 0

    async def go(self, folder: OutputFolder, content: bytes) -> None:
        """Keep a picture of this content again and again."""
        async with at_work(folder) as writer:
            for number in range(100):
                await attempt(folder, writer, task(str(number), str(number)), content, on_sent=self._on_sent)
                self.made += 1

    def _on_sent(self) -> None:
        self.sent += 1


FULL = {"bytes": ("size=64m", BIG), "files": ("size=64m,nr_inodes=80", SMALL)}


@pytest.mark.parametrize("lacking", FULL)
async def test_a_run_stops_before_the_disk_is_full(mounted: Callable[[str], Path], lacking: str) -> None:
    options, content = FULL[lacking]
    folder, filling = opened(mounted(options)), Filling()
    with pytest.raises(StorageError, match=r"^/.*then run again: what is made stays"):
        await filling.go(folder, content)
    assert len(scan(folder).made) == filling.made == filling.sent > 3
    assert folder.ledger.bill().at_most == filling.made * USD


@pytest.mark.parametrize("lacking", FULL)
async def test_a_disk_that_is_full_all_the_same_keeps_what_is_whole(
    mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """Others fill it too, so no look can know: what was kept is whole, and all that was sent is on the bill."""
    options, content = FULL[lacking]
    monkeypatch.setattr(Room, "check", lambda _room, _in_flight: None)
    folder, filling = opened(mounted(options)), Filling()
    with pytest.raises((OSError, StorageError), match=r"No space left|full"):
        await filling.go(folder, content)
    assert len(scan(folder).made) == filling.made
    assert 3 < filling.made <= filling.sent <= filling.made + 1
    close_all()
    room_again(folder.root)
    folder = opened(folder.path)
    recovered = folder.recover()
    made, bill = recovered.contents.made, folder.ledger.bill()
    assert len(files(folder.root)) == 2 * len(made)
    assert filling.made <= len(made) <= filling.sent
    assert (bill.attempts, bill.at_most) == (filling.sent, filling.sent * USD)
    assert (bill.spent, len(recovered.lost)) == (len(made) * USD, filling.sent - len(made))


def room_again(root: Path) -> None:
    """As the user makes it, when told to."""
    subprocess.run(["mount", "-o", "remount,size=128m,nr_inodes=1000", str(root.parent)], check=True)  # noqa: S603, S607
