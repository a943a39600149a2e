"""A run's events in its folder: line by line what was said, and never a reason to stop."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from store_folders import at_work, attempt, scan
from store_samples import samples, task

from batchgen.errors import StorageError
from batchgen.store import durable
from batchgen.store.run_log import RunLog
from batchgen.store.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.store.folder import OutputFolder

pytestmark = pytest.mark.usefixtures("kept_here")

CONTENT = next(samples()).content


def lines_of(root: Path) -> bytes:
    (log,) = (root / "runs").iterdir()
    return log.read_bytes()


def test_every_line_is_there_in_order(quick_path: Path) -> None:
    log = RunLog(Tree(quick_path), "20261122T023011Z-3f9c")
    log.write([b"1\n", b"2\n"])
    log.write([])
    log.write([b"3\n"])
    assert (quick_path / "runs/20261122T023011Z-3f9c.ndjson").read_bytes() == b"1\n2\n3\n"  # while it goes on
    log.close()


def test_no_runs_file_is_written_to_again(quick_path: Path) -> None:
    log = RunLog(Tree(quick_path), "1")
    log.write([b"1\n"])
    log.close()
    with pytest.raises(FileExistsError):
        RunLog(Tree(quick_path), "1")
    assert lines_of(quick_path) == b"1\n"


def test_no_link_is_followed(quick_path: Path) -> None:
    outside = quick_path / "outside"
    outside.mkdir()
    root = quick_path / "otters"
    (root / "runs").mkdir(parents=True)
    (root / "runs/1.ndjson").symlink_to(outside / "1")
    with pytest.raises(FileExistsError):
        RunLog(Tree(root), "1")
    (root / "runs/1.ndjson").unlink()
    (root / "runs").rmdir()
    (root / "runs").symlink_to(outside)
    with pytest.raises(StorageError, match="is a symbolic link"):
        RunLog(Tree(root), "1")
    assert not list(outside.iterdir())


async def test_a_disk_that_takes_no_more_of_it_stops_nothing(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = durable.write_all, 0

    def write_all(descriptor: int, content: bytes) -> None:
        nonlocal refused
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and b"event" in content:
            refused += 1
            os.write(descriptor, content[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor, content)

    monkeypatch.setattr(durable, "write_all", write_all)
    async with at_work(folder) as writer:
        for number in range(5):
            writer.note(b'{"event": %d}\n' % number)
            await attempt(folder, writer, task(str(number), str(number)), CONTENT)
    assert len(scan(folder).made) == 5
    assert folder.ledger.bill().unsettled == 0
    assert refused == 1  # what follows a half line would be no line
    assert lines_of(folder.root) == b'{"eve'


async def test_its_last_fsync_may_fail(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with at_work(folder) as writer:
        writer.note(b"1\n")
        monkeypatch.setattr(os, "fsync", fsync)
    assert (len(calls), lines_of(folder.root)) == (1, b"1\n")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(calls[0])
