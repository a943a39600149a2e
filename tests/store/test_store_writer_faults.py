"""When the disk, the ledger or batchgen itself fails under the writer: nobody hangs, nothing paid for is dropped."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from ledger_samples import FAILED, failure
from store_batches import LONG_S, one_batch
from store_folders import USD, at_work, attempt, close_all, files, filled, keep, kept, opened, row_of, scan
from store_samples import ATTEMPT, big_png, samples, sidecar_for, task

from batchgen.errors import StorageError
from batchgen.model import Fault
from batchgen.store import desk, durable, room
from batchgen.store.ledger import Ledger
from batchgen.store.rescue import LostError
from batchgen.store.rows import Bill
from batchgen.store.run_log import RunLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchgen.model import Task
    from batchgen.store.folder import OutputFolder
    from batchgen.store.writer import Writer

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content
FIRST, SECOND, THIRD = (task(name, f"fox/{name}") for name in ("1", "2", "3"))


async def tried(folder: OutputFolder, writer: Writer, of: Task, said: dict[str, object]) -> None:
    """An attempt, with what came of it."""
    try:
        said[of.id] = await attempt(folder, writer, of, CONTENT)
    except Exception as error:  # noqa: BLE001 - it is looked at
        said[of.id] = error


async def kept_in_one_batch(folder: OutputFolder, writer: Writer, patch: pytest.MonkeyPatch) -> dict[str, object]:
    """Three pictures that the writer takes at once, and what came of each."""
    said: dict[str, object] = {}

    async def one(of: Task) -> None:
        sink, picture = await filled(folder, of, CONTENT)
        try:
            said[of.id] = await kept(writer, numbers[of.id], sink, sidecar_for(of, picture))
        except Exception as error:  # noqa: BLE001 - it is looked at
            said[of.id] = error

    numbers = {of.id: await writer.begin(row_of(of)) for of in (FIRST, SECOND, THIRD)}
    with anyio.fail_after(LONG_S):
        async with anyio.create_task_group() as group, one_batch(writer, patch, 3):
            for of in (FIRST, SECOND, THIRD):
                group.start_soon(one, of)
    return said


def fails(patch: pytest.MonkeyPatch, name: str, when: Callable[[Path], bool]) -> None:
    """A step of the disk fails for these paths."""
    real: Callable[..., Any] = getattr(durable, name)

    def failing(*args: Any, **how: Any) -> None:
        if when(Path(args[-1] if isinstance(args[-1], str) else args[0])):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*args, **how)

    patch.setattr(durable, name, failing)


@pytest.mark.parametrize("step", ["taken", "write_new", "rename_new"])
async def test_what_goes_wrong_with_one_picture_leaves_the_others_alone(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    if step == "taken":
        (folder.root / "images/fox").mkdir(parents=True)
        (folder.root / "images/fox/2.png").write_bytes(b"somebody's work")
    async with at_work(folder) as writer:
        if step != "taken":
            fails(monkeypatch, step, lambda path: path.stem.startswith("2"))
        said = await kept_in_one_batch(folder, writer, monkeypatch)
        assert (said["1"], said["3"]) == ("images/fox/1.png", "images/fox/3.png")
        assert isinstance(said["2"], StorageError)
        assert [row.task_id for row in writer.unsettled] == ["2"]
    monkeypatch.undo()
    bill = folder.ledger.bill()
    assert (bill.spent, bill.at_most, bill.unsettled) == (2 * USD, 3 * USD, 1)
    assert {row.task_id for row in folder.ledger.pictures()} == {"1", "3"}
    folder.recover()
    assert not any(path.endswith(".part") for path in files(folder.root))


async def test_a_file_that_can_not_be_opened_any_more_costs_its_own_picture_only(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took it away, and the system does not tell what its process has open."""
    said: dict[str, object] = {}

    async def one(of: Task, content: bytes) -> None:
        sink, picture = await filled(folder, of, content)
        wrapped = await sink.wrap(sidecar_for(of, picture))
        if wrapped.streamed:
            (folder.root / wrapped.streamed).unlink()
            wrapped = wrapped._replace(process=0)
        try:
            await writer.keep(numbers[of.id], ATTEMPT, wrapped)
        except Exception as error:  # noqa: BLE001 - it is looked at
            said[of.id] = error
        await sink.discard()

    async with at_work(folder) as writer:
        numbers = {of.id: await writer.begin(row_of(of)) for of in (FIRST, SECOND)}
        async with anyio.create_task_group() as group, one_batch(writer, monkeypatch, 3):
            group.start_soon(one, FIRST, CONTENT)
            group.start_soon(one, SECOND, big_png())
            group.start_soon(writer.begin, row_of(THIRD))
        assert said.keys() == {"2"}
        assert isinstance(said["2"], LostError)
        assert re.search(r"^/[^\n]*/2\.part: No such file or directory; [^\n]+$", str(said["2"]))
        assert [row.task_id for row in writer.unsettled] == ["2", "3"]
    assert set(scan(folder).made) == {"1"}


@pytest.mark.parametrize("most", [0, 1])
async def test_where_threads_are_short_pictures_are_kept_by_those_there_are(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    class Scarce(threading.Thread):
        begun = 0

        def start(self) -> None:
            if Scarce.begun >= most:
                raise RuntimeError("can't start new thread")
            Scarce.begun += 1
            super().start()

    monkeypatch.setattr(durable, "is_slow", lambda: True)
    monkeypatch.setattr("batchgen.store.side_by_side.Thread", Scarce)
    async with at_work(folder) as writer:
        said = await kept_in_one_batch(folder, writer, monkeypatch)
    assert said == {each.id: f"images/{each.stem}.png" for each in (FIRST, SECOND, THIRD)}
    assert Scarce.begun == most
    assert len(folder.recover().contents.made) == 3


async def test_an_error_that_nobody_foresaw_in_one_of_several_threads_is_raised(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(durable, "is_slow", lambda: True)
    monkeypatch.setattr(durable, "write_new", broken)
    work = at_work(folder)
    writer = await work.__aenter__()
    said = await kept_in_one_batch(folder, writer, monkeypatch)
    assert {type(each) for each in said.values()} == {ZeroDivisionError}
    with pytest.raises(ZeroDivisionError):
        await work.__aexit__(None, None, None)


@pytest.mark.parametrize(("before", "place"), [("fox/0", "fox"), ("0", "images")], ids=["names in it", "its own name"])
async def test_a_folder_that_does_not_last_makes_nothing_but_loses_nothing(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, before: str, place: str
) -> None:
    """Pictures that got their names and no sidecars, and those in parts, are finished by the next start."""
    async with at_work(folder) as writer:
        await keep_one(folder, writer, task("0", before))
        fails(monkeypatch, "fsync_folder", lambda path: path.name == place)
        said = await kept_in_one_batch(folder, writer, monkeypatch)
        assert all(isinstance(error, StorageError) for error in said.values())
        assert len(writer.unsettled) == 3
    monkeypatch.undo()
    assert set(scan(folder).made) == {"0"}
    recovered = folder.recover()
    assert (recovered.finished, recovered.lost, len(recovered.contents.made)) == (3, [], 4)
    assert folder.ledger.bill().spent == 4 * USD


async def keep_one(folder: OutputFolder, writer: Writer, of: Task) -> None:
    assert await attempt(folder, writer, of, CONTENT) == f"images/{of.stem}.png"


class FullLedger:
    """A ledger that takes no commit from the given one on, as on a full disk."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.tried = 0

        def commit(_ledger: Ledger, _changes: object) -> None:
            self.tried += 1
            raise StorageError("the ledger is full")

        patch.setattr(Ledger, "commit", commit)


async def test_a_ledger_that_failed_begins_nothing_more_and_pictures_are_kept_all_the_same(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(FIRST))
        sink, picture = await filled(folder, FIRST, CONTENT)
        with monkeypatch.context() as patched:
            full = FullLedger(patched)
            with pytest.raises(StorageError, match="the ledger is full"):
                await writer.begin(row_of(SECOND))
        with pytest.raises(StorageError, match="the ledger is full"):
            await writer.begin(row_of(THIRD))  # though it would take more by now: what failed is not known
        assert full.tried == 1
        assert await kept(writer, number, sink, sidecar_for(FIRST, picture)) == "images/fox/1.png"
        assert not writer.unsettled
    # The ledger does not know that it was made; its sidecar does.
    assert folder.ledger.bill().unsettled == 1
    recovered = folder.recover()
    assert (set(recovered.contents.made), recovered.lost) == ({"1"}, [])
    bill = folder.ledger.bill()
    assert (bill.attempts, bill.spent, bill.at_most) == (1, USD, USD)


async def test_a_picture_in_the_very_batch_whose_commit_fails_is_kept(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(FIRST))
        sink, picture = await filled(folder, FIRST, CONTENT)
        said: dict[str, object] = {}
        FullLedger(monkeypatch)
        async with anyio.create_task_group() as group:

            def keep() -> None:
                group.start_soon(kept, writer, number, sink, sidecar_for(FIRST, picture))

            async with one_batch(writer, monkeypatch, 1, busy_with=keep):
                group.start_soon(tried, folder, writer, SECOND, said)
        assert isinstance(said["2"], StorageError)
        assert not writer.unsettled
    monkeypatch.undo()
    assert set(folder.recover().contents.made) == {"1"}
    assert folder.ledger.bill().spent == USD


async def test_what_the_ledger_did_not_take_is_in_doubt_at_most(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(FIRST))
        FullLedger(monkeypatch)
        writer.settle(number, FAILED)
        writer.fail(failure("1"))
    monkeypatch.undo()
    assert [row.task_id for row in folder.recover().lost] == ["1"]
    bill = folder.ledger.bill()
    assert bill == Bill(at_most=USD, faults=Counter({Fault.LOST: 1}), attempts=1, in_vain=1)


@pytest.mark.parametrize("where", ["keep", "commit", "log"])
async def test_an_error_that_nobody_foresaw_reaches_who_waits(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with pytest.raises(ZeroDivisionError, match=where):
        await _broken_run(folder, monkeypatch, where)
    (log,) = (folder.root / "runs").iterdir()
    assert log.read_bytes() == b"goes on\n"
    made = set(folder.recover().contents.made)
    assert made == ({"1"} if where != "keep" else set())
    assert folder.ledger.bill().at_most == USD


async def _broken_run(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(where)

    async with at_work(folder) as writer:
        number = await writer.begin(row_of(FIRST))
        sink, picture = await filled(folder, FIRST, CONTENT)
        with monkeypatch.context() as patched, anyio.fail_after(LONG_S):
            match where:
                case "keep":
                    patched.setattr(desk, "keep", broken)
                case "commit":
                    patched.setattr(Ledger, "commit", broken)
                case _:
                    patched.setattr(RunLog, "write", broken)
            if where == "keep":  # what begins does not wait for pictures
                writer.settle(await writer.begin(row_of(SECOND)), None)
            else:
                with pytest.raises(ZeroDivisionError, match=where):
                    await writer.begin(row_of(SECOND))
            with pytest.raises(ZeroDivisionError, match=where):
                await kept(writer, number, sink, sidecar_for(FIRST, picture))
        writer.note(b"goes on\n")
        assert [row.task_id for row in writer.unsettled] == ["1"]


async def test_an_error_that_nobody_waits_for_is_raised_in_the_end(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    work = at_work(folder)
    writer = await work.__aenter__()
    number = await writer.begin(row_of(FIRST))
    monkeypatch.setattr(Ledger, "commit", broken)
    writer.settle(number, FAILED)
    with pytest.raises(ZeroDivisionError):
        await work.__aexit__(None, None, None)


async def test_what_begins_is_measured_by_the_pictures_that_came_with_it(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(folder) as writer:
        monkeypatch.setattr(room, "LIKELY_BYTES", 1)
        free = SimpleNamespace(f_bavail=room.RESERVE_BYTES + 3 * (1 + room.BESIDE_BYTES), f_frsize=1, f_files=0)
        monkeypatch.setattr(os, "statvfs", lambda _path: free)
        number = await writer.begin(row_of(FIRST))
        sink, picture = await filled(folder, FIRST, big_png())
        said: dict[str, object] = {}
        async with anyio.create_task_group() as group, one_batch(writer, monkeypatch, 2):
            group.start_soon(tried, folder, writer, SECOND, said)
            group.start_soon(kept, writer, number, sink, sidecar_for(FIRST, picture))
        assert "are needed for one more picture" in str(said["2"])
    assert set(scan(folder).made) == {"1"}


async def test_nothing_begins_whose_answer_could_not_be_stored(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statvfs(_path: object) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with at_work(folder) as writer:
        number = await writer.begin(row_of(FIRST))
        sink, picture = await filled(folder, FIRST, CONTENT)
        with monkeypatch.context() as patched:
            patched.setattr(os, "statvfs", statvfs)
            with pytest.raises(StorageError, match=r"^/[^\n]*: Input/output error; [^\n]+$"):
                await writer.begin(row_of(SECOND))
            # What was paid for is kept while the disk takes it.
            assert await kept(writer, number, sink, sidecar_for(FIRST, picture)) == "images/fox/1.png"
        await keep_one(folder, writer, THIRD)
    assert {row.task_id for row in folder.ledger.pictures()} == {"1", "3"}
    assert folder.ledger.bill().attempts == 2


async def test_a_removed_folder_is_said_and_nobody_hangs(folder: OutputFolder) -> None:
    with anyio.fail_after(LONG_S):
        async with at_work(folder) as writer:
            number = await writer.begin(row_of(FIRST))
            sink, picture = await filled(folder, FIRST, CONTENT)
            folder.root.rename(folder.root.with_name("elsewhere"))
            with pytest.raises((OSError, StorageError)):
                await kept(writer, number, sink, sidecar_for(FIRST, picture))
            with suppress(StorageError):
                await writer.begin(row_of(SECOND))
    close_all()
    moved = opened(folder.root.with_name("elsewhere"))
    assert moved.recover().contents.made == {}
    assert moved.ledger.bill().at_most >= USD


async def test_a_picture_whose_place_is_taken_when_it_comes_costs_its_place_only(folder: OutputFolder) -> None:
    """The attempt is settled as billed by whoever made it; the next one goes on."""
    (folder.root / "images/fox").mkdir(parents=True)
    (folder.root / "images/fox/1.json").write_bytes(b"somebody's")
    async with at_work(folder) as writer:
        said: dict[str, object] = {}
        await tried(folder, writer, FIRST, said)
        assert isinstance(said["1"], StorageError)
        await keep_one(folder, writer, SECOND)
    assert set(scan(folder).made) == {"2"}
    await keep(folder, THIRD, CONTENT)
    assert set(scan(folder).made) == {"2", "3"}
