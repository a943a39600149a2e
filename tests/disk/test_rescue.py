"""Nothing paid for is dropped while the rescue place can hold it, and it comes home from there without a request."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store_folders import attempt, files, filled, kept, row_of
from store_samples import big_png, samples, sidecar_for, task
from store_steps import Steps

from batchgen.errors import StorageError
from batchgen.store import durable, rescue
from batchgen.store.folder import OutputFolder
from batchgen.store.keep import TOGETHER, Parcel
from batchgen.store.keeper import keeper_process
from batchgen.store.names import spot
from batchgen.store.pictures import _Part
from batchgen.store.rescue import LostError, rescue_place
from batchgen.store.rows import PictureRow
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("kept_here")

SMALL = next(samples()).content
BIG = big_png()
LOST_ITS_KEEPER = StorageError("the process that keeps pictures was ended")


class Place:
    """An output folder with a rescue place, in which run follows run."""

    def __init__(self, base: Path) -> None:
        self.path = base / "otters"
        self.rescue = base / "state" / "rescued" / "1"
        self._folder: OutputFolder | None = None
        self._runs = 0
        self.next_run()

    def next_run(self) -> None:
        """Open it, once the run before has let go of it."""
        self.close()
        self._runs += 1
        self._folder = OutputFolder.open(self.path, f"run-{self._runs}", self.rescue)

    @property
    def folder(self) -> OutputFolder:
        """As the run has it."""
        assert self._folder is not None
        return self._folder

    def close(self) -> None:
        """Let go of it."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    async def keep(self, content: bytes, *, filtered: bool = False) -> str:
        """One attempt: nothing, or why its picture is not in the output folder."""
        try:
            async with self.folder.writer(f"run-{self._runs}") as writer:
                await attempt(self.folder, writer, task(), content, filtered=filtered)
        except StorageError as error:
            return str(error)
        return ""

    def assert_home(self, content: bytes) -> None:
        """The next run finds the picture made, and nothing of it is left elsewhere."""
        self.next_run()
        recovered = self.folder.recover()
        assert recovered.lost == []
        assert set(recovered.contents.made) == {task().id}
        assert len(files(self.path)) == 2
        assert digest(content) in files(self.path).values()
        assert not self.rescue.exists()
        bill = self.folder.ledger.bill()
        assert (bill.attempts, bill.unsettled) == (1, 0)

    def rescued(self) -> Path:
        """The one picture in the rescue place."""
        (path,) = self.rescue.rglob("*.png")
        assert path.with_suffix(".json").is_file()
        return path


@pytest.fixture
def place(quick_path: Path) -> Iterator[Place]:
    place = Place(quick_path)
    yield place
    place.close()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def failing_below(path: Path, first: int, patch: pytest.MonkeyPatch, error: int = errno.ENOSPC) -> list[str]:
    """From its so many-th step below a path on a disk takes nothing more; the steps that failed."""
    taken, failed = [], []

    def at(_number: int, name: str, args: tuple[Any, ...]) -> None:
        place = str(Path(f"/proc/self/fd/{args[0]}").readlink() if isinstance(args[0], int) else args[0])
        if place.startswith(f"{path}/"):
            taken.append(name)
            if len(taken) >= first:
                failed.append(name)
                raise OSError(error, os.strerror(error))

    Steps(at).install(patch.setattr)
    return failed


@pytest.mark.parametrize(
    ("error", "content", "filtered"),
    [
        (errno.ENOSPC, SMALL, False),
        (errno.ENOSPC, BIG, False),
        (errno.ENOSPC, BIG, True),
        (errno.EIO, SMALL, True),
        (errno.EIO, BIG, False),
    ],
)
async def test_whatever_step_a_disk_fails_at_for_good_nothing_is_paid_for_twice(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, content: bytes, *, filtered: bool
) -> None:
    for step in range(1, 100):
        place = Place(quick_path / str(step))
        with monkeypatch.context() as patched:
            area = place.path / ("filtered" if filtered else "images")
            failed = failing_below(area, step, patched, error)
            why = await place.keep(content, filtered=filtered)
        if failed:
            assert re.search(rf"^{place.path}.*: {os.strerror(error)}; .*; its picture is kept as ", why)
            assert place.rescued().read_bytes() == content
        place.assert_home(content)
        place.close()
        if not failed:
            break
    assert step > 8


@pytest.mark.parametrize("block", range(1, 7))
async def test_a_picture_goes_on_elsewhere_when_the_disk_fills_while_it_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """At any of its blocks, half of which the disk still takes."""
    taken = 0
    real = _Part.take

    async def take(part: _Part, content: bytes | memoryview) -> None:
        nonlocal taken
        if part.path.is_relative_to(place.path):
            taken += 1
            if taken == block:
                await real(part, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await real(part, content)

    with monkeypatch.context() as patched:
        patched.setattr(_Part, "take", take)
        why = await place.keep(BIG)
    assert re.search(r"/7-abcdefghijkl.part: No space left on device; .*; its picture is kept as ", why)
    assert taken == block
    assert not any((place.path / "images").rglob("*.part"))
    assert place.rescued().read_bytes() == BIG
    place.assert_home(BIG)


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_what_neither_place_takes_is_said_to_be_lost(place: Place, content: bytes) -> None:
    (place.path / "images").touch()
    place.rescue.parent.parent.touch()
    why = await place.keep(content)
    assert re.search(
        r"/images: Not a directory; .*; nor can it be rescued \(.*/state/rescued: Not a directory; .*\)$", why
    )
    assert not list(place.path.parent.rglob("*.part"))


async def test_without_a_rescue_place_this_is_said(place: Place) -> None:
    place.folder._tree.rescue = None
    (place.path / "images").touch()
    assert "nor can it be rescued (no rescue place is known, since neither XDG_STATE_HOME" in await place.keep(SMALL)


async def test_a_picture_that_is_written_once_more_after_an_error_needs_no_rescue(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its files fails once, and is asked for no second time: others are made durable, and get its name."""
    asked: list[str] = []
    real = durable.fsync

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        asked.append(name)
        if name.startswith("7-"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(durable, "fsync", fsync)
        assert not await place.keep(BIG)
    assert (asked.count("7-abcdefghijkl.part"), asked.count("7-abcdefghijkl.json.part")) == (1, 1)
    assert sum(name.endswith(".part") for name in asked) == 4
    assert not place.rescue.exists()
    place.assert_home(BIG)


async def rescued(place: Place) -> Path:
    """A picture that was rescued since its folder took nothing; by now it would."""
    (place.path / "images").touch()
    assert "its picture is kept as" in await place.keep(SMALL)
    (place.path / "images").unlink()
    return place.rescued()


async def test_a_run_that_is_stopped_at_any_step_of_bringing_home_is_followed_by_one_that_does_it(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(1, 100):
        place = Place(quick_path / str(step))
        await rescued(place)
        with monkeypatch.context() as patched:
            failed = failing_below(place.path.parent, step, patched)
            with suppress(StorageError):
                place.next_run()
                place.folder.recover()
        place.assert_home(SMALL)
        place.close()
        if not failed:
            break
    assert step > 15


async def test_a_rescued_picture_that_is_damaged_does_not_come_home(place: Place) -> None:
    picture = await rescued(place)
    picture.write_bytes(SMALL[:-1] + b"!")
    place.next_run()
    recovered = place.folder.recover()
    assert (recovered.finished, recovered.contents.made) == (0, {})
    assert not files(place.path)
    assert picture.exists()


async def test_what_has_lost_its_place_meanwhile_waits_for_it(place: Place) -> None:
    await rescued(place)
    other = place.path / "images/a-red-fox/7-abcdefghijkl.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"somebody's work")
    place.next_run()
    assert place.folder.recover().finished == 0
    assert other.read_bytes() == b"somebody's work"
    other.unlink()
    place.assert_home(SMALL)


async def test_a_state_folder_that_cannot_be_read_is_none(place: Place) -> None:
    place.rescue.parent.parent.touch()
    place.next_run()
    assert place.folder.recover().finished == 0


def test_each_output_folder_has_one_rescue_place(tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output"
    output.mkdir()
    (tmp_path / "link").symlink_to(output)
    place = rescue_place(state, output)
    assert place is not None
    assert place.parent == state / "rescued"
    assert place == rescue_place(state, tmp_path / "link") == rescue_place(state, tmp_path / "x" / ".." / "output")
    assert place != rescue_place(state, tmp_path / "outputs")
    assert rescue_place(None, output) is None
    assert not state.exists()


async def test_it_is_nobody_elses_business(place: Place) -> None:
    await rescued(place)
    assert place.rescue.stat().st_mode & 0o777 == 0o700


async def test_nothing_is_begun_in_another_folder_that_has_its_place(place: Place) -> None:
    async with place.folder.writer("run-1") as writer:
        await writer.begin(row_of(task()))
        place.path.rename(place.path.with_name("elsewhere"))
        place.path.mkdir()
        with pytest.raises(StorageError, match=r"otters: is not the folder that this run began in; put that back"):
            await writer.begin(row_of(task()))


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_a_picture_whose_folder_cannot_be_made_is_rescued_onto_another_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    def link(source: str, target: str, **how: Any) -> None:
        if len({str(path).startswith(f"{place.path}/") for path in (source, target)}) > 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target, **how)

    real = os.link
    monkeypatch.setattr(os, "link", link)
    (place.path / "filtered").touch()
    why = await place.keep(content, filtered=True)
    assert re.search(r"/filtered: Not a directory; .*; its picture is kept as ", why)
    assert place.rescued().read_bytes() == content
    assert not list(place.path.rglob("*.part"))
    (place.path / "filtered").unlink()
    place.assert_home(content)


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_a_picture_that_came_whole_before_its_folder_was_taken_away_is_rescued(
    place: Place, content: bytes
) -> None:
    elsewhere = place.path.with_name("elsewhere")
    async with place.folder.writer("run-1") as writer:
        number = await writer.begin(row_of(task()))
        sink, picture = await filled(place.folder, task(), content)
        place.path.rename(elsewhere)
        with pytest.raises(StorageError, match="; its picture is kept as "):
            await kept(writer, number, sink, sidecar_for(task(), picture))
        await sink.discard()
    assert place.rescued().read_bytes() == content
    elsewhere.rename(place.path)
    place.assert_home(content)


@pytest.mark.parametrize("suffix", [".png", ".json"])
@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_a_picture_whose_place_is_taken_meanwhile_is_rescued_whole(
    place: Place, content: bytes, suffix: str
) -> None:
    other = place.path / f"images/a-red-fox/7-abcdefghijkl{suffix}"
    async with place.folder.writer("run-1") as writer:
        number = await writer.begin(row_of(task()))
        sink, picture = await filled(place.folder, task(), content)
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(b"somebody's work")
        with pytest.raises(StorageError, match=rf"{other}: File exists; .*; its picture is kept as "):
            await kept(writer, number, sink, sidecar_for(task(), picture))
        await sink.discard()
    assert place.rescued().read_bytes() == content
    assert files(place.path) == {str(other.relative_to(place.path)): digest(b"somebody's work")}
    other.unlink()
    place.assert_home(content)


def test_what_was_rescued_before_it_could_be_said_is_not_lost(place: Place) -> None:
    """The process that keeps pictures was ended between the two; the run hands the same one over once more."""
    tree = Tree(place.path, place.rescue)
    first, again = (parcel_of(1), parcel_of(1))
    for parcel in (first, again):
        rescue.keep(tree, [parcel])
        assert isinstance(parcel.error, StorageError)
        assert "; its picture is kept as " in str(parcel.error)
    other = parcel_of(1)
    other.sidecar = b"{}"  # another's
    rescue.keep(tree, [other])
    assert isinstance(other.error, LostError)


def test_what_a_failed_flush_took_back_is_not_said_to_be_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(_file_system: durable.FileSystem) -> bool:
        patched.setattr(durable, "write_new", full)
        return False

    def full(path: str, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    parcels = [parcel_of(number, error=None) for number in range(TOGETHER)]
    with monkeypatch.context() as patched:
        patched.setattr(durable.FileSystem, "sync", sync)
        rescue.keep(Tree(place.path, place.rescue), parcels)
    assert [type(parcel.error) for parcel in parcels] == [LostError] * TOGETHER
    assert not files(place.path)


def parcel_of(number: int, error: StorageError | None = LOST_ITS_KEEPER) -> Parcel:
    """A small picture on its way, as one that its desk can't take any more."""
    where, document = spot("images", f"fox/{number}"), b'{"what": "a sidecar"}'
    row = PictureRow(str(number), number, f"images/fox/{number}.png", len(SMALL), digest(SMALL), digest(document))
    return Parcel(place=where, file=f"{number}.png", sidecar=document, row=row, content=SMALL, error=error)


@pytest.mark.parametrize("disk", ["sound", "full"])
@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_a_picture_that_came_when_the_process_that_keeps_them_was_killed_is_rescued(
    place: Place, monkeypatch: pytest.MonkeyPatch, content: bytes, disk: str
) -> None:
    """Also one that went on in the rescue place, since the output folder's disk took no more of it."""
    keepers: list[int] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            keepers.append(self.pid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batchgen.store.folder.keeper_process", keeper_process)  # not the thread of the other tests
        patch.setattr(subprocess, "Popen", Noted)
        run = place.folder.writer("run-1")
        writer = await run.__aenter__()
    rescued = r"its picture is kept as /\S+/rescued/\S+: the next run into this"
    with monkeypatch.context() as patched:
        if disk == "full":
            failing_below(place.path / "images", 1, patched)
        with pytest.raises(StorageError, match=rescued):
            await attempt(place.folder, writer, task(), content, on_sent=lambda: os.kill(keepers[0], signal.SIGKILL))
    with pytest.raises(StorageError, match="was ended"):
        await run.__aexit__(None, None, None)
    assert place.rescued().read_bytes() == content
    place.assert_home(content)
