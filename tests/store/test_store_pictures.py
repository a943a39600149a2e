"""A picture's way from its first byte to its final name, and what is left when that way ends early."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiofiles
import pytest
from store_folders import files, filled, keep, keep_sink
from store_samples import Sample, big_png, samples, sidecar_for, task

from batchgen.errors import StorageError
from batchgen.model import Picture
from batchgen.store import durable
from batchgen.store.pictures import BLOCK_BYTES
from batchgen.store.sidecar import Sidecar
from batchgen.store.slots import SLOT_BYTES
from batchgen.store.structure import CutOff, NotAPicture

if TYPE_CHECKING:
    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

SMALL = next(samples())
BIG = big_png()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("sample", list(samples()), ids=lambda sample: sample.name)
async def test_a_picture_is_named_by_its_bytes(folder: OutputFolder, sample: Sample) -> None:
    extension = "jpg" if sample.format == "jpeg" else sample.format
    assert await keep(folder, task(), sample.content) == f"images/a-red-fox/7-abcdefghijkl.{extension}"
    found = files(folder.root)
    assert found.pop(f"images/a-red-fox/7-abcdefghijkl.{extension}") == digest(sample.content)
    assert list(found) == ["images/a-red-fox/7-abcdefghijkl.json"]


async def test_the_facts_are_those_of_the_bytes(folder: OutputFolder) -> None:
    sink, picture = await filled(folder, task(), SMALL.content)
    assert picture == Picture(format="png", width=19, height=11, size_bytes=len(SMALL.content))
    assert sink.picture_file == "7-abcdefghijkl.png"
    await sink.discard()


@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_filtered_pictures_go_to_a_place_of_their_own(folder: OutputFolder, content: bytes) -> None:
    assert await keep(folder, task(), content, filtered=True) == "filtered/a-red-fox/7-abcdefghijkl.png"
    assert [path.split("/")[0] for path in files(folder.root)] == ["filtered", "filtered"]


async def test_a_big_picture_is_streamed_with_bounded_memory(folder: OutputFolder) -> None:
    sink, part = folder.sink(task()), folder.root / "images/a-red-fox/7-abcdefghijkl.part"
    for start in range(0, len(BIG), 10_000):
        await sink.write(BIG[start : start + 10_000])
        came = min(start + 10_000, len(BIG))
        assert came - (part.stat().st_size if part.exists() else 0) <= (BLOCK_BYTES if part.exists() else SLOT_BYTES)
        assert sink._buffer is None or len(sink._buffer) <= SLOT_BYTES
    picture = await sink.finish()
    assert isinstance(picture, Picture)
    await keep_sink(folder, task(), sink, sidecar_for(task(), picture))
    assert files(folder.root)["images/a-red-fox/7-abcdefghijkl.png"] == digest(BIG)


async def test_one_huge_chunk_is_streamed_in_blocks(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[int] = []
    real: Any = aiofiles.threadpool.binary.AsyncFileIO.write

    async def write(self: object, block: bytes) -> int:
        blocks.append(len(block))
        return int(await real(self, block))

    monkeypatch.setattr(aiofiles.threadpool.binary.AsyncFileIO, "write", write)
    sink = folder.sink(task())
    await sink.write(BIG)
    picture = await sink.finish()
    assert isinstance(picture, Picture)
    assert max(blocks) <= SLOT_BYTES
    assert len(BIG) - BLOCK_BYTES <= sum(blocks) <= len(BIG)
    await keep_sink(folder, task(), sink, sidecar_for(task(), picture))
    await sink.discard()
    assert files(folder.root)["images/a-red-fox/7-abcdefghijkl.png"] == digest(BIG)


async def test_a_small_picture_touches_no_disk_before_it_is_kept(folder: OutputFolder) -> None:
    before = sorted(folder.root.iterdir())
    sink, _ = await filled(folder, task(), SMALL.content)
    assert sorted(folder.root.iterdir()) == before
    await sink.discard()
    assert sorted(folder.root.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", NotAPicture), (b"<html>" * 900, NotAPicture), (SMALL.content[:-1], CutOff), (SMALL.content + b"x", str)],
)
async def test_what_is_no_whole_picture_is_never_kept(folder: OutputFolder, content: bytes, kind: type[str]) -> None:
    sink = folder.sink(task())
    await sink.write(content)
    assert type(await sink.finish()) is kind
    assert sink.beginning == content[:2048]
    with pytest.raises(RuntimeError):
        await keep_sink(folder, task(), sink, Sidecar(b"{", b"}"))
    await sink.discard()
    assert not files(folder.root)


async def test_discard_removes_the_part_and_may_be_repeated(folder: OutputFolder) -> None:
    for _ in range(2):
        sink, _ = await filled(folder, task(), BIG)
        assert list(files(folder.root)) == ["images/a-red-fox/7-abcdefghijkl.part"]
        await sink.discard()
        await sink.discard()
        assert not files(folder.root)


async def test_discard_after_keep_changes_nothing(folder: OutputFolder) -> None:
    sink, picture = await filled(folder, task(), BIG)
    await keep_sink(folder, task(), sink, sidecar_for(task(), picture))
    before = files(folder.root)
    await sink.discard()
    assert files(folder.root) == before


async def test_another_attempts_part_is_never_removed(folder: OutputFolder) -> None:
    first, picture = await filled(folder, task(), BIG)
    second = folder.sink(task())
    with pytest.raises(StorageError, match="File exists"):
        await second.write(BIG)
    await second.discard()
    await keep_sink(folder, task(), first, sidecar_for(task(), picture))
    assert files(folder.root)["images/a-red-fox/7-abcdefghijkl.png"] == digest(BIG)


@pytest.mark.parametrize("name", ["7-abcdefghijkl.png", "7-abcdefghijkl.json"])
@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_taken_place_stays_as_it_is(folder: OutputFolder, content: bytes, name: str) -> None:
    taken = folder.root / "images/a-red-fox" / name
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"somebody's work")
    with pytest.raises(StorageError, match="File exists"):
        await keep(folder, task(), content)
    assert files(folder.root) == {f"images/a-red-fox/{name}": digest(b"somebody's work")}


async def test_a_place_taken_in_the_last_moment_stays_as_it_is(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = durable.write_new

    def write_new(path: str, content: bytes, **how: Any) -> None:
        real(path, content, **how)
        Path(path).with_name("7-abcdefghijkl.png").write_bytes(b"somebody's work")

    monkeypatch.setattr(durable, "write_new", write_new)
    with pytest.raises(StorageError, match="File exists"):
        await keep(folder, task(), SMALL.content)
    assert files(folder.root) == {"images/a-red-fox/7-abcdefghijkl.png": digest(b"somebody's work")}


@pytest.mark.parametrize("link", ["images", "images/a-red-fox"])
@pytest.mark.parametrize("content", [SMALL.content, BIG], ids=["small", "big"])
async def test_a_symbolic_link_on_the_way_is_refused(
    folder: OutputFolder, tmp_path: Path, content: bytes, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder.root / link).parent.mkdir(exist_ok=True)
    (folder.root / link).symlink_to(outside)
    with pytest.raises(StorageError, match=rf"{link}: is a symbolic link.*put a real folder"):
        await keep(folder, task(), content)
    assert not list(outside.iterdir())


@pytest.mark.parametrize("stem", ["../x", "/abs", "a//b", "a/../b", "", ".", "a/\0", "a/" + "x" * 250])
def test_an_unsafe_stem_is_refused(folder: OutputFolder, stem: str) -> None:
    with pytest.raises(ValueError, match="stem"):
        folder.sink(task(stem=stem))


async def test_a_folder_that_was_removed_meanwhile_is_made_again(folder: OutputFolder) -> None:
    await keep(folder, task(), SMALL.content)
    for path in sorted((folder.root / "images").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    await keep(folder, task(), SMALL.content)
    assert len(files(folder.root)) == 2
