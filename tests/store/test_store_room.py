"""Nothing is sent whose answer could not be stored; and a disk that is full all the same ends a run in order."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import pytest
from small_disks import enlarge, small_disk
from store_batches import until
from store_folders import USD, at_work, attempt, close_all, files, filled, kept, opened, row_of, scan
from store_samples import big_png, samples, sidecar_for, task

from batchgen.errors import StorageError
from batchgen.store.room import BESIDE_BYTES, FILES_EACH, LIKELY_BYTES, RESERVE_BYTES, RESERVE_FILES, Room
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

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


@dataclass(slots=True)
class Begin:
    """An attempt that is to begin."""

    number: int
    held: bool = False
    error: Exception | None = None


@pytest.fixture
def room(tmp_path: Path) -> Room[Begin]:
    return Room(Tree(tmp_path))


def let_in(room: Room[Begin], numbers: Iterable[int], ended: Collection[int] = ()) -> list[int]:
    """Which of those that come or waited begin now."""
    begins = [*room.held, *map(Begin, numbers)]
    room.let_in(begins, ended)
    begins = [each for each in begins if each.number not in ended]
    assert [each for each in begins if each.held] == list(room.held)
    return [each.number for each in begins if not each.held and each.error is None]


def refused(room: Room[Begin], numbers: Iterable[int], ended: Collection[int] = ()) -> str:
    """Why none of them begins, now or later."""
    begins = [*room.held, *map(Begin, numbers)]
    room.let_in(begins, ended)
    assert not room.held
    (words,) = {str(each.error) for each in begins if each.number not in ended}
    assert re.search(r"^/[^\n]*; [^\n]*, then run again: what is made stays$", words)
    return words


@pytest.mark.parametrize("count", [1, 3, 64])
def test_as_many_begin_as_likely_pictures_fit(disk: Disk, room: Room[Begin], count: int) -> None:
    disk.free_bytes = count * (LIKELY_BYTES + BESIDE_BYTES) + RESERVE_BYTES
    assert len(let_in(room, range(100))) == count


def test_where_not_one_fits_nothing_begins_and_the_numbers_are_said(disk: Disk, room: Room[Begin]) -> None:
    disk.free_bytes = LIKELY_BYTES + BESIDE_BYTES + RESERVE_BYTES - BLOCK
    assert "6.1 MiB are free, and 6.1 MiB are needed for one more picture and the ledger; free" in refused(room, [1, 2])


@pytest.mark.parametrize("largest", [100, 40 * 1024 * 1024])
def test_once_pictures_came_twice_the_largest_is_the_measure(disk: Disk, room: Room[Begin], largest: int) -> None:
    for size in (1, largest, 2):
        room.note(size)
    disk.free_bytes = -(-(10 * (2 * largest + BESIDE_BYTES) + RESERVE_BYTES) // BLOCK) * BLOCK
    assert len(let_in(room, range(100))) == 10


def test_there_must_be_files_for_all_of_them(disk: Disk, room: Room[Begin]) -> None:
    disk.free_files = 5 * FILES_EACH + RESERVE_FILES
    assert len(let_in(room, range(100))) == 5
    disk.free_files = FILES_EACH + RESERVE_FILES - 1
    assert "11 more files can be made, and 12 are needed for one more picture" in refused(room, [100], range(99))
    disk.free_files = disk.all_files = 0  # as btrfs says it, which has no such bound
    assert len(let_in(room, range(101, 200))) == 99


def test_what_waits_begins_in_its_order_once_others_have_ended(disk: Disk, room: Room[Begin]) -> None:
    disk.free_bytes = 2 * (LIKELY_BYTES + BESIDE_BYTES) + RESERVE_BYTES
    assert let_in(room, [1, 2, 3, 4, 5]) == [1, 2]
    assert let_in(room, [6]) == []
    assert let_in(room, [], [2]) == [3]
    assert let_in(room, [], [4, 9]) == []  # 4 gave up while it waited
    room.note(1)
    assert let_in(room, [7], [1]) == [5, 6, 7]


async def test_a_beginning_waits_for_the_end_of_those_that_fill_the_disk(folder: OutputFolder, disk: Disk) -> None:
    disk.free_bytes = 2 * (LIKELY_BYTES + BESIDE_BYTES) + RESERVE_BYTES
    begun: list[str] = []

    async def begin(name: str) -> None:
        numbers[name] = await writer.begin(row_of(task(name)))
        begun.append(name)

    numbers: dict[str, int] = {}
    async with at_work(folder) as writer, anyio.create_task_group() as group:
        for name in ("1", "2"):
            await begin(name)
        for name in ("3", "4"):
            group.start_soon(begin, name)
        await until(lambda: len(writer.unsettled) == 4)
        writer.settle(numbers["1"], None)
        await until(lambda: len(begun) == 3)
        sink, picture = await filled(folder, task("2", "2"), SMALL)  # 1 KiB: many such fit
        await kept(writer, numbers["2"], sink, sidecar_for(task("2", "2"), picture))
        await until(lambda: len(begun) == 4)
        assert begun == ["1", "2", "3", "4"]
    assert folder.ledger.bill().attempts == 3


async def test_one_that_is_cancelled_while_it_waits_was_no_attempt(folder: OutputFolder, disk: Disk) -> None:
    disk.free_bytes = LIKELY_BYTES + BESIDE_BYTES + RESERVE_BYTES
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(task("1")))
        with anyio.move_on_after(0.01):
            await writer.begin(row_of(task("2")))
        writer.settle(number, None)
        await writer.begin(row_of(task("3")))
    assert [row.task_id for row in folder.ledger.in_doubt()] == ["3"]


# A real one, so small that it is soon full


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system with these options."""
    with ExitStack() as stack:
        yield lambda options: stack.enter_context(small_disk(tmp_path, options)) / "otters"
        close_all()


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
    monkeypatch.setattr(Room, "_places", lambda _room: BOUNDLESS)
    folder, filling = opened(mounted(options)), Filling()
    with pytest.raises((OSError, StorageError), match=r"No space left|full"):
        await filling.go(folder, content)
    assert len(scan(folder).made) == filling.made
    assert 3 < filling.made <= filling.sent <= filling.made + 1
    close_all()
    enlarge(folder.root.parent)
    folder = opened(folder.path)
    recovered = folder.recover()
    made, bill = recovered.contents.made, folder.ledger.bill()
    assert len(files(folder.root)) == 2 * len(made)
    assert filling.made <= len(made) <= filling.sent
    assert (bill.attempts, bill.at_most) == (filling.sent, filling.sent * USD)
    assert (bill.spent, len(recovered.lost)) == (len(made) * USD, filling.sent - len(made))
