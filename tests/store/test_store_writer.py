"""The one writer of a run: what it says is done lasts, what waits shares a commit, what it was given is written."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from kept_here import KEEPER
from ledger_samples import FAILED, copied_as_killed, failure
from store_batches import LONG_S, one_batch, until
from store_folders import USD, at_work, attempt, files, filled, kept, opened, row_of, scan
from store_samples import samples, sidecar_for, task

from batchgen.model import Billing, Fault
from batchgen.store import desk, keeper, rescue
from batchgen.store.keeper import MOST_AT_ONCE
from batchgen.store.ledger import Ledger
from batchgen.store.ledger_file import look_at_ledger, open_ledger
from batchgen.store.rows import Bill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchgen.model import Task
    from batchgen.store.folder import OutputFolder
    from batchgen.store.keep import Parcel
    from batchgen.store.rows import Changes
    from batchgen.store.tree import Tree

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content


def tasks(count: int) -> list[Task]:
    return [task(f"id-{number}", f"fox/{number}") for number in range(count)]


class Commits:
    """What each commit of the ledger brings; each waits until it is let go, where that is asked for."""

    def __init__(self, patch: pytest.MonkeyPatch, *, held: bool = False) -> None:
        self.seen: list[Changes] = []
        self.go_on = threading.Event()
        self.reached = threading.Event()
        if not held:
            self.go_on.set()
        real = Ledger.commit

        def commit(ledger: Ledger, changes: Changes) -> None:
            self.reached.set()
            assert self.go_on.wait(LONG_S)
            self.seen.append(changes)
            real(ledger, changes)

        patch.setattr(Ledger, "commit", commit)

    @property
    def started(self) -> list[int]:
        """How many attempts each began, where it began any."""
        return [len(changes.started) for changes in self.seen if changes.started]


async def test_an_attempt_that_may_be_sent_is_in_the_ledger_of_whoever_comes_next(folder: OutputFolder) -> None:
    """Seen by a second connection, and in the files as a process that is killed now leaves them."""
    async with at_work(folder) as writer:
        for count, of in enumerate(tasks(5), start=1):
            await writer.begin(row_of(of))
            looked = look_at_ledger(folder.root)
            assert looked is not None
            with closing(looked):
                assert len(looked.in_doubt()) == count
            killed, set_aside = open_ledger(copied_as_killed(folder.root, folder.root / f"killed-{count}"))
            with closing(killed):
                assert set_aside is None
                assert [row.task_id for row in killed.lose()] == [each.id for each in tasks(count)]
                assert killed.bill().at_most == count * USD


async def test_nothing_may_be_sent_before_the_commit_is_done(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, begun = Commits(monkeypatch, held=True), anyio.Event()

    async def begin() -> None:
        await writer.begin(row_of(task()))
        begun.set()

    async with at_work(folder) as writer, anyio.create_task_group() as group:
        group.start_soon(begin)
        await until(commits.reached.is_set)
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert not begun.is_set()
        commits.go_on.set()
        await begun.wait()
        assert folder.ledger.bill().attempts == 1


@pytest.mark.parametrize(("count", "commits_of"), [(40, [40]), (MOST_AT_ONCE + 44, [MOST_AT_ONCE, 44])])
async def test_those_who_wait_share_a_commit(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, count: int, commits_of: list[int]
) -> None:
    commits, numbers = Commits(monkeypatch), []

    async def begin(of: Task) -> None:
        numbers.append(await writer.begin(row_of(of)))

    monkeypatch.setattr("batchgen.store.room.LIKELY_BYTES", 1)
    async with at_work(folder) as writer, anyio.create_task_group() as group, one_batch(writer, monkeypatch, count):
        for of in tasks(count):
            group.start_soon(begin, of)
    assert commits.started == commits_of
    assert numbers == list(range(1, count + 1))
    assert folder.ledger.bill().attempts == count


async def test_what_ends_and_what_is_next_share_a_commit(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = tasks(3)
    async with at_work(folder) as writer:
        numbers = [await writer.begin(row_of(of)) for of in (first, second)]
        sink, picture = await filled(folder, first, CONTENT)
        commits = Commits(monkeypatch)
        async with anyio.create_task_group() as group:

            def keep() -> None:
                group.start_soon(kept, writer, numbers[0], sink, sidecar_for(first, picture))

            async with one_batch(writer, monkeypatch, 3, busy_with=keep):
                writer.settle(numbers[1], FAILED)
                writer.fail(failure(second.id))
                group.start_soon(writer.begin, row_of(third))
        (changes,) = [changes for changes in commits.seen if changes.started]
        assert {number for number, _ in changes.settled} == set(numbers)
        assert [row.task_id for row in changes.pictures] == [first.id]
        assert changes.failures == [failure(second.id)]
        assert [row.task_id for row in writer.unsettled] == [third.id]


async def test_what_begins_does_not_wait_until_pictures_are_written(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
        if parcels:
            begun_before.append(list(commits.started))
        real(tree, parcels)

    first, second = tasks(2)
    real, begun_before = rescue.keep, list[list[int]]()
    monkeypatch.setattr(desk, "keep", keep)
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(first))
        sink, picture = await filled(folder, first, CONTENT)
        commits = Commits(monkeypatch)
        async with anyio.create_task_group() as group, one_batch(writer, monkeypatch, 2):
            group.start_soon(kept, writer, number, sink, sidecar_for(first, picture))
            group.start_soon(writer.begin, row_of(second))
    assert begun_before == [commits.started] == [[1]]


@pytest.mark.parametrize(("flushes", "batches"), [("at once", [2, 2, 1]), ("slowly", [5])])
async def test_where_a_flush_takes_no_time_only_so_much_of_pictures_goes_at_once(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, flushes: str, batches: list[int]
) -> None:
    """Else callers would wait for many pictures of others; what is no picture waits for none."""
    *wanted, following = tasks(6)
    monkeypatch.setattr(keeper, "EARLY_BYTES", 2 * len(CONTENT))
    monkeypatch.setattr(desk.Desk, "flushes_at_once", flushes == "at once")
    async with at_work(folder) as writer:
        numbers = [await writer.begin(row_of(of)) for of in wanted]
        filling = [await filled(folder, of, CONTENT) for of in wanted]
        commits = Commits(monkeypatch)
        async with anyio.create_task_group() as group, one_batch(writer, monkeypatch, 6):
            for of, number, (sink, picture) in zip(wanted, numbers, filling, strict=True):
                group.start_soon(kept, writer, number, sink, sidecar_for(of, picture))
            group.start_soon(writer.begin, row_of(following))
    assert [len(changes.pictures) for changes in commits.seen if changes.pictures] == batches
    assert commits.seen[0].started
    assert {row.task_id for changes in commits.seen for row in changes.pictures} == {of.id for of in wanted}


async def test_all_that_was_handed_in_is_written_before_the_end(folder: OutputFolder) -> None:
    count = 3 * MOST_AT_ONCE
    async with at_work(folder) as writer:
        numbers = [await writer.begin(row_of(task())) for _ in range(3)]
        for number in range(count):
            writer.fail(failure(f"id-{number}", index=number))
            writer.note(b"%d\n" % number)
        for number, billing in zip(numbers, (Billing.NO, Billing.MAYBE, Billing.YES), strict=True):
            writer.settle(number, FAILED._replace(billing=billing))
    assert len(folder.ledger.failures()) == count
    (log,) = (folder.root / "runs").iterdir()
    assert log.read_bytes() == b"".join(b"%d\n" % number for number in range(count))
    bill = folder.ledger.bill()
    assert (bill.spent, bill.at_most, bill.unsettled) == (USD, 2 * USD, 0)


async def test_it_ends_with_its_run_however_that_ends(folder: OutputFolder) -> None:
    async def ends_early() -> None:
        async with at_work(folder) as writer:
            writer.note(b"one\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ends_early()
    assert not [thread for thread in threading.enumerate() if thread.name == KEEPER]
    (log,) = (folder.root / "runs").iterdir()
    assert log.read_bytes() == b"one\n"


async def test_an_attempt_that_was_not_sent_leaves_no_trace(folder: OutputFolder) -> None:
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(task()))
        assert len(writer.unsettled) == 1
        writer.settle(number, None)
        assert not writer.unsettled
    assert folder.ledger.bill() == Bill()


async def test_a_beginning_that_was_cancelled_leaves_no_trace(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(folder) as writer, anyio.create_task_group() as group, one_batch(writer, monkeypatch, 4):
        for of in tasks(2):
            group.start_soon(writer.begin, row_of(of))
        await until(lambda: len(writer.unsettled) == 2)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await until(lambda: not writer.unsettled)
    assert folder.ledger.bill() == Bill()


async def test_a_beginning_that_was_cancelled_while_it_was_written_leaves_no_trace(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Commits(monkeypatch, held=True)
    async with at_work(folder) as writer:
        async with anyio.create_task_group() as group:
            group.start_soon(writer.begin, row_of(task()))
            await until(commits.reached.is_set)
            group.cancel_scope.cancel()
        commits.go_on.set()
        assert not writer.unsettled
    assert (commits.started, folder.ledger.bill()) == ([1], Bill())


async def test_what_was_sent_and_not_waited_for_stays_in_doubt(folder: OutputFolder) -> None:
    async with at_work(folder) as writer:
        await writer.begin(row_of(task()))
        assert [row.usd for row in writer.unsettled] == [USD]
    assert [row.task_id for row in folder.recover().lost] == [task().id]
    assert folder.ledger.bill().faults == {Fault.LOST: 1}


async def test_numbers_go_on_from_run_to_run(folder: OutputFolder) -> None:
    for expected in ([1, 2], [3, 4]):
        async with at_work(folder) as writer:
            assert [await writer.begin(row_of(of)) for of in tasks(2)] == expected


async def test_a_made_task_has_not_failed(folder: OutputFolder) -> None:
    async with at_work(folder) as writer:
        writer.fail(failure(task().id))
        await attempt(folder, writer, task(), CONTENT)
    assert folder.ledger.failures() == []
    assert scan(folder).made == {task().id: task().stem}


async def test_a_new_run_goes_on_from_the_files_of_a_killed_one(quick_path: Path) -> None:
    """One picture kept, one attempt under way: of the first all is known, the second is in doubt."""
    folder = opened(quick_path / "otters")
    first, second = tasks(2)
    async with at_work(folder) as writer:
        await attempt(folder, writer, first, CONTENT)
        await writer.begin(row_of(second))
        killed = copied_as_killed(folder.root, quick_path / "killed")
    for path in files(folder.root):
        (killed / path).parent.mkdir(parents=True, exist_ok=True)
        (killed / path).write_bytes((folder.root / path).read_bytes())
    folder = opened(killed)
    recovered = folder.recover()
    assert (set(recovered.contents.made), recovered.contents.unknown) == ({first.id}, [])
    assert [row.task_id for row in recovered.lost] == [second.id]
    bill = folder.ledger.bill()
    assert (bill.attempts, bill.spent, bill.at_most) == (2, USD, 2 * USD)
