"""How a picture's way may end early: a disk that fails at any step, a cancellation, a crowd."""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from store_batches import LONG_S
from store_folders import USD, at_work, attempt, clear, close_all, files, filled, keep, kept, opened, row_of, scan
from store_samples import big_png, samples, sidecar_for, task
from store_steps import Steps

from batchgen.errors import StorageError
from batchgen.store import durable
from batchgen.store.leftovers import Leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

SMALL = next(samples())
BIG = big_png()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Failing:
    """A disk on which the step of one number fails, for a run of one attempt."""

    def __init__(self, folder: OutputFolder, fail_at: int) -> None:
        self.folder = folder
        self.fail_at = fail_at
        self.reached = False
        self.sent = False

    def _at(self, number: int, name: str, _args: object) -> None:
        if number == self.fail_at:
            self.reached = True
            raise OSError(errno.EIO, f"{name} failed")

    def _left(self) -> None:
        self.sent = True

    async def run(self, content: bytes, patch: pytest.MonkeyPatch) -> bool:
        """Whether the attempt was said to have gone well."""
        with patch.context() as patched:
            Steps(self._at).install(patched.setattr)
            try:
                async with at_work(self.folder) as writer:
                    await attempt(self.folder, writer, task(), content, on_sent=self._left)
            except (OSError, StorageError):
                return False
        return True


@pytest.fixture
def little_to_collect() -> Iterator[None]:
    """What is there already is left out of each search for what nobody holds any more."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def open_files() -> int:
    gc.collect()  # an error holds what those who met it held
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("little_to_collect")
@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_disk_that_fails_at_any_step_leaves_whole_pairs_only(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    finished = 0
    for step in range(1, 100):
        before = open_files()
        folder = opened(quick_path / str(step))
        failing = Failing(folder, step)
        went_well = await failing.run(content, monkeypatch)
        if not failing.reached:
            break
        recovered = folder.recover()
        made, bill = recovered.contents.made, folder.ledger.bill()
        finished += recovered.finished
        assert went_well <= bool(made)
        assert len(files(folder.root)) == 2 * len(made)
        assert (bill.attempts, bill.at_most) == (failing.sent, USD * failing.sent)
        assert bill.spent == USD * len(made)
        if not made:
            await keep(folder, task(), content)
        assert files(folder.root)["images/a-red-fox/7-abcdefghijkl.png"] == digest(content)
        close_all()
        assert open_files() == before
    assert step > 15
    assert finished > 4


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_cancelled_attempt_still_keeps_what_is_whole(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    started, go_on = anyio.Event(), threading.Event()
    hold_back(monkeypatch, started, go_on)
    said: list[str] = []

    async def trying() -> None:
        said.append(await attempt(folder, writer, task(), content))

    async with at_work(folder) as writer:
        async with anyio.create_task_group() as group:
            group.start_soon(trying)
            await started.wait()
            group.cancel_scope.cancel()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        assert not list(writer.unsettled)
    assert said == ["images/a-red-fox/7-abcdefghijkl.png"]
    assert len(scan(folder).made) == 1
    assert len(files(folder.root)) == 2


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_whole_picture_is_kept_though_its_run_was_cancelled(folder: OutputFolder, content: bytes) -> None:
    sink, picture = await filled(folder, task(), content)
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(task()))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await kept(writer, number, sink, sidecar_for(task(), picture))
    assert scan(folder).made == {task().id: task().stem}
    assert folder.ledger.bill().spent == USD


async def test_what_the_writer_was_given_is_kept_though_its_task_was_torn_away(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = anyio.Event(), threading.Event()
    hold_back(monkeypatch, started, go_on)
    trying = asyncio.create_task(keep(folder, task(), SMALL.content))
    await started.wait()
    trying.cancel()  # asyncio's own cancellation heeds no shield
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await trying
    assert len(scan(folder).made) == 1
    assert len(files(folder.root)) == 2
    assert folder.ledger.bill().spent == USD


def hold_back(patch: pytest.MonkeyPatch, started: anyio.Event, go_on: threading.Event) -> None:
    """The thread that writes the sidecar waits until it is told to go on."""
    real, loop = durable.write_new, asyncio.get_running_loop()

    def write_new(path: str, content: bytes, **how: Any) -> None:
        if path.endswith(".json.part"):
            loop.call_soon_threadsafe(started.set)
            assert go_on.wait(LONG_S)
        real(path, content, **how)

    patch.setattr(durable, "write_new", write_new)


async def test_a_cancelled_stream_leaves_nothing(folder: OutputFolder) -> None:
    async def stalls() -> None:
        sink = folder.sink(task())
        try:
            await sink.write(BIG[:-1])
            group.cancel_scope.cancel()
            await anyio.sleep_forever()
        finally:
            await sink.discard()

    async with anyio.create_task_group() as group:
        group.start_soon(stalls)
    assert not files(folder.root)


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_many_pictures_at_once_make_their_folders_once(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    folder, made = opened(quick_path / "otters"), []

    def at(_number: int, name: str, args: tuple[Any, ...]) -> None:
        if name == "mkdir":
            made.append(Path(args[0]).name)

    async with at_work(folder) as writer, anyio.create_task_group() as group:
        Steps(at).install(monkeypatch.setattr)
        for number in range(40):
            of = task(f"id-{number}", f"group-{number % 4}/{number}")
            group.start_soon(attempt, folder, writer, of, content)
    assert sorted(made) == ["group-0", "group-1", "group-2", "group-3", "images"]
    assert len(scan(folder).made) == 40
    assert clear(folder) == Leftovers(finished=0, cleared=0)
    assert folder.ledger.bill().spent == 40 * USD
