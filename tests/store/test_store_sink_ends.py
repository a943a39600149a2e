"""How a picture's way may end early: a disk that fails at any step, a cancellation, a crowd."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import pytest
from store_samples import big_png, clear, files, keep, keep_sink, opened, samples, scan, sidecar_for, task
from store_steps import Steps

from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.leftovers import Leftovers

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.store.folder import OutputFolder

SMALL = next(samples())
BIG = big_png()


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    return opened(tmp_path / "otters")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def failing(folder: OutputFolder, content: bytes, fail_at: int, patch: pytest.MonkeyPatch) -> bool:
    """Keep one picture while the step of this number fails; whether that was noticed."""

    def at(number: int, name: str, _args: object) -> None:
        if number == fail_at:
            raise OSError(errno.EIO, f"{name} failed")

    with patch.context() as patched:
        Steps(at).install(patched.setattr)
        try:
            await keep(folder, task(), content)
        except OSError:
            return True
    return False


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_disk_that_fails_at_any_step_leaves_whole_pairs_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    finished = 0
    for step in range(1, 100):
        folder = opened(tmp_path / str(step))
        if not await failing(folder, content, step, monkeypatch):
            break
        finished += clear(folder).finished
        made = scan(folder).made
        assert len(files(folder.root)) == 2 * len(made)
        if not made:
            await keep(folder, task(), content)
        assert files(folder.root)["images/a-red-fox/7-abcdefghijkl.png"] == digest(content)
    assert step > 10
    assert finished > 4


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_cancelled_attempt_still_keeps_what_is_whole(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    started, go_on = anyio.Event(), threading.Event()
    hold_back(monkeypatch, started, go_on)
    async with anyio.create_task_group() as group:
        group.start_soon(_attempt, folder, content)
        await started.wait()
        group.cancel_scope.cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert len(scan(folder).made) == 1
    assert len(files(folder.root)) == 2


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_whole_picture_is_kept_though_its_run_has_ended(folder: OutputFolder, content: bytes) -> None:
    sink = folder.sink(task())
    await sink.write(content)
    picture = await sink.finish()
    assert isinstance(picture, Picture)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await keep_sink(folder, task(), sink, sidecar_for(task(), picture))
    assert scan(folder).made == {task().id: task().stem}


async def test_cleaning_waits_for_a_thread_whose_task_was_torn_away(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = anyio.Event(), threading.Event()
    hold_back(monkeypatch, started, go_on)
    attempt = asyncio.create_task(_attempt(folder, SMALL.content))
    await started.wait()
    attempt.cancel()  # asyncio's own cancellation heeds no shield
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert len(scan(folder).made) == 1
    assert len(files(folder.root)) == 2


async def _attempt(folder: OutputFolder, content: bytes) -> None:
    await keep(folder, task(), content)


def hold_back(patch: pytest.MonkeyPatch, started: anyio.Event, go_on: threading.Event) -> None:
    """The thread that writes the sidecar waits until it is told to go on."""
    real = durable.write_new

    def write_new(path: Path, content: bytes | bytearray) -> None:
        if path.name.endswith(".json.part"):
            anyio.from_thread.run_sync(started.set)
            go_on.wait(10)
        real(path, content)

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


async def test_many_pictures_at_once_make_their_folders_once(folder: OutputFolder) -> None:
    async with anyio.create_task_group() as group:
        for number in range(40):
            of = task(f"id-{number}", f"group-{number % 4}/{number}")
            group.start_soon(keep, folder, of, SMALL.content)
    assert len(scan(folder).made) == 40
    assert clear(folder) == Leftovers(finished=0, cleared=0)
