"""The order of writing: parts, pictures, folders, sidecars, folders, the ledger; no final name is ever written to."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from store_batches import one_batch
from store_folders import at_work, attempt, files, filled, keep, kept, row_of
from store_samples import big_png, samples, sidecar_for, task
from store_steps import Steps

from batchgen.store import durable

if TYPE_CHECKING:
    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

SMALL = next(samples()).content
BIG = big_png()


class Order:
    """What happens to the disk, in its order, once it is watched."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Every fsync, every final name, every commit of the ledger."""
        Steps(self._at).install(patch.setattr, commits=True)
        real = durable.FileSystem.sync

        def sync(file_system: durable.FileSystem) -> bool:
            self.steps.append("flush")
            return real(file_system)

        patch.setattr(durable.FileSystem, "sync", sync)

    def _at(self, _number: int, name: str, args: tuple[Any, ...]) -> None:
        match name:
            case "fsync":
                self.steps.append(f"fsync {Path(f'/proc/self/fd/{args[0]}').readlink().name}")
            case "link":
                self.steps.append(f"name {Path(args[1]).name}")
            case "commit":
                self.steps.append(f"ledger: {len(args[1].pictures)} pictures")


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("filtered", [False, True], ids=["images", "filtered"])
async def test_nothing_is_opened_for_writing_under_a_final_name(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, content: bytes, *, filtered: bool
) -> None:
    opened: list[str] = []

    def at(_number: int, name: str, args: tuple[Any, ...]) -> None:
        if name == "open" and args[1] & (os.O_WRONLY | os.O_RDWR):
            assert args[1] & os.O_EXCL
            assert args[1] & os.O_NOFOLLOW
            opened.append(str(args[0]))

    async with at_work(folder) as writer:
        Steps(at).install(monkeypatch.setattr)
        await attempt(folder, writer, task(), content, filtered=filtered)
    assert len(opened) == 2
    assert all(path.endswith(".part") for path in opened)


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
async def test_the_order_of_writing(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    order = Order()
    async with at_work(folder) as writer:
        number = await writer.begin(row_of(task()))
        order.watch(monkeypatch)
        sink, picture = await filled(folder, task(), content)
        await kept(writer, number, sink, sidecar_for(task(), picture))
    # Theirs that were made; for what streams, before its first byte, and again by who keeps it, which did not see that.
    folders = ["fsync otters", "fsync images"]
    parts = ["fsync 7-abcdefghijkl.part", "fsync 7-abcdefghijkl.json.part"]
    before = folders if content is BIG else []
    assert order.steps[: 9 + len(before)] == [
        *(before + parts + folders),
        *("name 7-abcdefghijkl.png", "fsync a-red-fox"),
        *("name 7-abcdefghijkl.json", "fsync a-red-fox"),
        "ledger: 1 pictures",
    ]


FOUR = ["fox/1", "fox/2", "owl/3", "fox/4"]


async def kept_in_one_batch(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch, stems: list[str]) -> list[str]:
    """What happens to the disk meanwhile; their folders are there and last."""
    order = Order()
    async with at_work(folder) as writer:
        for parent in dict.fromkeys(stem.partition("/")[0] for stem in stems):
            await attempt(folder, writer, task(parent, f"{parent}/0"), SMALL)
        numbers = [await writer.begin(row_of(task(stem, stem))) for stem in stems]
        async with anyio.create_task_group() as group, one_batch(writer, monkeypatch, len(stems)):
            for number, stem in zip(numbers, stems, strict=True):
                sink, picture = await filled(folder, task(stem, stem), SMALL)
                group.start_soon(kept, writer, number, sink, sidecar_for(task(stem, stem), picture))
            order.watch(monkeypatch)
    assert set(folder.recover().contents.made) >= set(stems)
    monkeypatch.undo()
    return order.steps[: order.steps.index(f"ledger: {len(stems)} pictures")]


async def test_the_pictures_of_a_batch_share_what_can_be_shared(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = await kept_in_one_batch(folder, monkeypatch, FOUR)
    assert (
        steps[-12:]
        == [
            "flush",
            *(f"name {stem[-1]}.png" for stem in FOUR),
            *("fsync fox", "fsync owl"),
            *(f"name {stem[-1]}.json" for stem in FOUR),
            *("fsync fox", "fsync owl"),
        ][-12:]
    )
    assert steps[-13] == "flush"
    assert not [step for step in steps if step.endswith(".part")]


async def test_where_pictures_lie_in_many_folders_these_share_a_flush_too(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stems = [f"{name}/1" for name in ("fox", "owl", "cat", "dog")]
    steps = await kept_in_one_batch(folder, monkeypatch, stems)
    assert steps[-11:] == ["flush", *["name 1.png"] * 4, "flush", *["name 1.json"] * 4, "flush"]


async def test_where_a_flush_takes_its_time_each_file_has_its_own_fsync(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable.FileSystem, "is_quick", lambda _: False)
    monkeypatch.setattr("batchgen.store.durable.SLOW_S", inf)  # one after another, however busy the disk
    steps = await kept_in_one_batch(folder, monkeypatch, FOUR)
    assert steps[-20:-12] == [f"fsync {stem[-1]}{part}" for stem in FOUR for part in (".part", ".json.part")]
    assert "flush" not in steps


async def test_where_a_flush_failed_each_file_is_written_anew_and_tells_for_itself(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable.FileSystem, "sync", lambda _: False)
    monkeypatch.setattr("batchgen.store.durable.SLOW_S", inf)
    steps = await kept_in_one_batch(folder, monkeypatch, FOUR)
    assert steps[-21:-12] == [
        "flush",
        *(f"fsync {stem[-1]}{part}" for stem in FOUR for part in (".part", ".json.part")),
    ]


async def test_a_folder_that_a_killed_run_made_is_made_durable_once(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.root / "images" / "fox").mkdir(parents=True)
    synced: list[str] = []
    async with at_work(folder) as writer:
        monkeypatch.setattr(durable, "fsync_folder", lambda path: synced.append(Path(path).name))
        for name in ("1", "2"):
            await attempt(folder, writer, task(name, f"fox/{name}"), SMALL)
    assert synced == ["otters", "images", *["fox"] * 4]


async def test_nothing_counts_as_made_before_its_picture_is_durable(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sidecar gets its name only once the picture's name lasts."""
    seen: list[set[str]] = []

    def fsync_folder(path: str) -> None:
        seen.append({name.rpartition("/")[2] for name in files(folder.root)})
        real(path)

    real = durable.fsync_folder
    await keep(folder, task("0", "0"), SMALL)
    monkeypatch.setattr(durable, "fsync_folder", fsync_folder)
    await keep(folder, task("1", "1"), SMALL)
    before, after = {"1.png", "1.json.part"}, {"1.png", "1.json"}
    assert [names - {"0.png", "0.json"} for names in seen if names & after] == [before, after]
