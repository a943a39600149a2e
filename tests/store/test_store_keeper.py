"""The process that keeps a run's pictures: what it is given it keeps, whatever becomes of the run; then it ends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import pytest
from kept_here import keep_here, keeper_thread
from store_batches import LONG_S, is_sent, until
from store_folders import USD, at_work, attempt, close_all, files, filled, keep, kept, opened, row_of, scan
from store_runs import BIG, SMALL, TASKS
from store_samples import sidecar_for, task

from batchgen.errors import OwnedError, StorageError
from batchgen.store import desk, lock, rescue
from batchgen.store.desk import Desk
from batchgen.store.folder import OutputFolder
from batchgen.store.handed import Answer, Begin, Close, Keep, Opening, Wrapped, framed, receive
from batchgen.store.keeper import _share, keeper_process
from batchgen.store.lock import LOCK, owner
from batchgen.store.pictures import PictureSink
from batchgen.store.room import Room
from batchgen.store.sidecar import Sidecar
from batchgen.store.slots import SLOTS, Slots, shared_memory
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchgen.model import Task
    from batchgen.store.handed import Item
    from batchgen.store.keep import Parcel
    from batchgen.store.writer import Writer

FIRST, SECOND = task("1", "fox/1"), task("2", "fox/2")
GONE = r"^/\S+/otters: the process that keeps its pictures was ended; run again: what is made stays"


@pytest.fixture
def keepers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the processes that keep pictures, as they are started."""
    started: list[int] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return started


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_it_keeps_what_a_thread_of_the_run_would(quick_path: Path, keepers: list[int], content: bytes) -> None:
    apart, here = opened(quick_path / "apart"), opened(quick_path / "here")
    path = await keep(apart, FIRST, content)
    assert len(keepers) == 1
    with pytest.MonkeyPatch.context() as patch:
        keep_here(patch.setattr)
        assert await keep(here, FIRST, content) == path
    assert len(keepers) == 1
    assert files(apart.root) == files(here.root)
    assert list(apart.ledger.pictures()) == list(here.ledger.pictures())
    assert apart.ledger.bill() == here.ledger.bill()


async def test_when_it_is_killed_nobody_hangs_and_the_next_goes_on(folder: OutputFolder, keepers: list[int]) -> None:
    said: list[StorageError] = []

    async def refused(what: Any) -> None:
        with pytest.raises(StorageError, match=GONE) as error:
            await what
        said.append(error.value)

    async def work(writer: Writer) -> None:
        numbers = [await writer.begin(row_of(of)) for of in (FIRST, SECOND)]
        (sink, picture), (keeper,) = await filled(folder, FIRST, SMALL), keepers
        os.kill(keeper, signal.SIGSTOP)  # so that it has not answered yet
        async with anyio.create_task_group() as group:
            group.start_soon(refused, writer.begin(row_of(task("3"))))
            group.start_soon(refused, kept(writer, numbers[0], sink, sidecar_for(FIRST, picture)))
            await anyio.lowlevel.checkpoint()
            await until(lambda: is_sent(writer))
            os.kill(keeper, signal.SIGKILL)
        assert len(said) == 2
        await refused(writer.begin(row_of(task("4"))))
        writer.note(b"to nobody\n")
        assert [row.task_id for row in writer.unsettled] == ["1", "2"]
        await sink.discard()

    with anyio.fail_after(LONG_S), pytest.raises(StorageError, match=GONE):
        async with at_work(folder) as writer:
            await work(writer)
    folder = opened(folder.path)
    recovered = folder.recover()
    assert [row.task_id for row in recovered.lost] == ["1", "2"]
    assert recovered.contents.made == {}
    assert await keep(folder, FIRST, SMALL) == "images/fox/1.png"
    assert folder.ledger.bill().spent == USD


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_what_was_handed_over_whole_is_kept_though_the_run_is_gone(folder: OutputFolder, content: bytes) -> None:
    """And half a message is as if it had never been sent."""
    memory = shared_memory()
    sink = PictureSink(Tree(folder.root), FIRST, anyio.CapacityLimiter(1), Slots(memory))
    await sink.write(content)
    whole: Any = await sink.finish()
    given = Keep(1, row_of(FIRST).attempt, await sink.wrap(sidecar_for(FIRST, whole)))
    messages: list[Any] = [
        Opening(folder.root, None, "run", folder.ledger.run),
        [Begin(1, row_of(FIRST)), b"begun\n"],
        [given, b"kept\n"],
        [Begin(2, row_of(SECOND)), b"never said\n"],
    ]
    content_sent = [b"".join(map(bytes, framed(message))) for message in messages]

    def run() -> None:
        with keeper_process(folder._lock.descriptor, memory) as line:
            line.sendall(content_sent[0])
            assert receive(line) == [Answer()]
            line.sendall(b"".join(content_sent[1:])[:-5])

    await anyio.to_thread.run_sync(run)
    await sink.discard()
    os.close(memory)
    assert scan(folder).made == {"1": "fox/1"}
    bill = folder.ledger.bill()
    assert (bill.attempts, bill.spent, bill.unsettled) == (1, USD, 0)
    assert (folder.root / "runs/run.ndjson").read_bytes() == b"begun\nkept\n"


@pytest.mark.parametrize("places", [1, 9])
async def test_nothing_begins_once_the_run_is_gone(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """Neither what had to wait for room, which there is by then, nor what was read with the line's end."""

    def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
        assert gone.wait(LONG_S)
        real(tree, parcels)

    real, gone = rescue.keep, threading.Event()
    monkeypatch.setattr(desk, "keep", keep)
    monkeypatch.setattr(Room, "_places", lambda _room: places)
    memory = shared_memory()
    sink = PictureSink(Tree(folder.root), FIRST, anyio.CapacityLimiter(1), Slots(memory))
    await sink.write(SMALL)
    whole: Any = await sink.finish()
    given = Keep(1, row_of(FIRST).attempt, await sink.wrap(sidecar_for(FIRST, whole)))

    def run() -> None:
        with keeper_thread(folder._lock.descriptor, memory) as line:
            send(line, Opening(folder.root, None, "run", folder.ledger.run))
            assert receive(line) == [Answer()]
            send(line, [Begin(1, row_of(FIRST)), *([Begin(2, row_of(SECOND))] if places == 1 else [])])
            assert receive(line) == [Answer(1)]
            send(line, [given])
            if places > 1:
                send(line, [Begin(2, row_of(SECOND))])
            line.shutdown(socket.SHUT_WR)
            gone.set()

    def send(line: socket.socket, message: Any) -> None:
        line.sendall(b"".join(map(bytes, framed(message))))

    await anyio.to_thread.run_sync(run)
    await sink.discard()
    os.close(memory)
    assert scan(folder).made == {"1": "fox/1"}
    assert (folder.ledger.bill().attempts, folder.ledger.bill().unsettled) == (1, 0)


def test_what_streamed_to_a_file_takes_no_time_to_keep() -> None:
    """So it does not count where a batch has so many bytes of pictures at most."""
    small, streamed = (
        Keep(number, row_of(FIRST).attempt, Wrapped(Sidecar(b"", b""), "", "", "", "", 0, size, "", streamed=path))
        for number, size, path in ((1, 400, None), (2, 9_000, "/a.part"))
    )
    items: list[Item] = [small, streamed, small, b"event", streamed, small, Close()]
    assert _share(items, 1_000) == ([small, streamed, small, b"event", streamed, Close()], [small])
    assert _share([small._replace(wrapped=small.wrapped._replace(size_bytes=5_000))] * 2, 1_000)[0]
    assert _share(items, inf) == (items, [])


@pytest.mark.parametrize(("took_s", "at_once"), [(0.000005, True), (0.0005, False), (inf, False)])
def test_a_disk_does_not_flush_at_once_and_memory_does(tmp_path: Path, took_s: float, *, at_once: bool) -> None:
    tree, nothing = Tree(tmp_path), cast("Any", None)
    tree.file_system.took_s = took_s
    assert Desk(tree, nothing, nothing, nothing).flushes_at_once == at_once


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_are_for_the_run(folder: OutputFolder, keepers: list[int], number: signal.Signals) -> None:
    async with at_work(folder) as writer:
        (keeper,) = keepers
        for of in (FIRST, SECOND):
            os.kill(keeper, number)
            await attempt(folder, writer, of, SMALL)
    assert scan(folder).made.keys() == {"1", "2"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_they_are_for_the_run_from_its_first_moment(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A terminal gives them to both."""

    class Disturbed(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.send_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Disturbed)
    await keep(folder, FIRST, SMALL)
    assert scan(folder).made.keys() == {"1"}


@pytest.mark.parametrize("there", ["file", "link", "the run's own"])
async def test_where_it_can_keep_nothing_its_run_is_told_why(folder: OutputFolder, there: str) -> None:
    log, place = folder.root / "runs/run.ndjson", folder.root / "runs"
    match there:
        case "file":
            place.write_bytes(b"")
        case "link":
            place.symlink_to("elsewhere")
        case _:
            place.mkdir()
            log.write_bytes(b"")
            place = log
    with pytest.raises(StorageError, match=rf"^{place}: [^\n]+; [^\n]+$"):
        async with folder.writer("run"):
            pytest.fail("nothing could be kept")
    if there != "the run's own":
        place.unlink()
    assert await keep(folder, FIRST, SMALL) == "images/fox/1.png"


async def test_more_pictures_than_there_is_memory_for_are_kept_too(folder: OutputFolder) -> None:
    """Those that find no room in it travel along the line; once pictures are kept, there is room again."""
    count = SLOTS + 44
    slots: list[int | None] = []
    all_came: set[str] = set()

    async def one(of: Task) -> None:
        number = await writer.begin(row_of(of))
        sink, picture = await filled(folder, of, SMALL)
        all_came.add(of.id)
        await until(lambda: len(all_came) == count)
        wrapped = await sink.wrap(sidecar_for(of, picture))
        slots.append(wrapped.slot)
        await writer.keep(number, row_of(of).attempt, wrapped)
        await sink.discard()

    many = [task(str(number), f"fox/{number}") for number in range(count)]
    async with at_work(folder) as writer:
        async with anyio.create_task_group() as group:
            for of in many:
                group.start_soon(one, of)
        sink, picture = await filled(folder, task("last", "fox/last"), SMALL)
        assert (await sink.wrap(sidecar_for(FIRST, picture))).slot is not None
        await sink.discard()
    assert (len(set(slots) - {None}), slots.count(None)) == (SLOTS, 44)
    assert len(scan(folder).made) == count


# A run that was killed


@contextmanager
def killed_run(root: Path) -> Iterator[tuple[int, int]]:
    """The number of a run that is gone, and of its keeper, which was given all that it made and has not looked yet."""
    script = Path(__file__).with_name("store_run.py")
    with subprocess.Popen([sys.executable, str(script), str(root)], stdout=subprocess.PIPE) as run:  # noqa: S603
        assert run.stdout is not None
        keeper = int(run.stdout.readline())
        run.kill()
    try:
        yield run.pid, keeper
    finally:
        _go_on(keeper)
        while holder(root) == run.pid:
            time.sleep(0.01)


def holder(root: Path) -> int | None:
    """The number of the process that a lock names, where it is held, by that or by another."""
    with (root / LOCK).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(json.loads(file.read())["pid"])
    return None


def _go_on(keeper: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGCONT)


def test_the_next_run_waits_for_what_a_killed_one_gave(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, waited = quick_path / "otters", 0
    with killed_run(root) as (run, keeper):

        def sleep(seconds: float, real: Callable[[float], None] = time.sleep) -> None:
            nonlocal waited
            waited += 1
            _go_on(keeper)
            real(seconds)

        assert holder(root) == run
        monkeypatch.setattr(lock, "LAST_WORDS_S", LONG_S)
        monkeypatch.setattr(time, "sleep", sleep)
        folder = opened(root)
    assert waited
    assert scan(folder).made.keys() == TASKS.keys()
    recovered, bill = folder.recover(), folder.ledger.bill()
    assert (recovered.finished, recovered.lost) == (0, [])
    assert (bill.attempts, bill.spent, bill.at_most) == (4, 4 * USD, 4 * USD)


def test_it_waits_for_so_long_only_and_says_for_whom(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_run(quick_path / "otters") as (run, _):
        monkeypatch.setattr(lock, "LAST_WORDS_S", 0)
        with pytest.raises(OwnedError, match=rf"another run owns this folder \(run \w+, process {run} on"):
            OutputFolder.open(quick_path / "otters", "next")


async def test_nobody_waits_for_a_run_that_lives(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(folder):
        monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
        with pytest.raises(OwnedError, match=rf"another run owns this folder \(run \w+, process {os.getpid()} on"):
            OutputFolder.open(folder.path, "next")
    monkeypatch.undo()
    close_all()
    assert owner(folder.root) is None
