"""What is written lasts, and nothing that is there is replaced."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections import deque
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from batchgen.errors import StorageError
from batchgen.store import durable
from batchgen.store.tree import Tree


def test_a_new_file_never_replaces_or_follows(tmp_path: Path) -> None:
    taken, link = tmp_path / "taken", tmp_path / "link"
    taken.write_bytes(b"old")
    link.symlink_to(tmp_path / "elsewhere")
    for path in (taken, link):
        with pytest.raises(FileExistsError):
            durable.write_new(path, b"new")
    assert taken.read_bytes() == b"old"
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_fsync_leaves_no_file_and_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"):
        durable.write_new(tmp_path / "new", b"content")
    assert len(calls) == 1
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):  # noqa: PTH123
        durable.write_all(full.fileno(), b"content")


def _aligned(size_bytes: int) -> memoryview:
    memory = memoryview(mmap.mmap(-1, size_bytes + durable.BLOCK_BYTES))
    memory[:size_bytes] = os.urandom(size_bytes)
    return memory[:size_bytes]


SIZES = [durable.DIRECT_BYTES + more for more in (-1, 0, 1, durable.BLOCK_BYTES - 1, durable.BLOCK_BYTES, 200_001)]


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_large_file_goes_past_the_cache_and_holds_every_byte(tmp_path: Path, size_bytes: int) -> None:
    content = _aligned(size_bytes)
    durable.write_new(tmp_path / "new", content, lasting=False)
    durable.write_new(tmp_path / "unaligned", bytes(1) + content, lasting=False)
    durable.write_new(tmp_path / "shifted", content[1:])
    assert (tmp_path / "new").read_bytes() == content
    assert (tmp_path / "unaligned").read_bytes() == bytes(1) + content
    assert (tmp_path / "shifted").read_bytes() == content[1:]


def test_whole_blocks_go_directly_and_the_rest_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def set_flags(_descriptor: int, command: int, flags: int) -> int:  # whatever this file system can
        assert command == fcntl.F_SETFL
        steps.append("directly" if flags & os.O_DIRECT else "as ever")
        return 0

    def write(descriptor: int, block: memoryview) -> int:
        steps.append(len(block))
        return real(descriptor, block)

    steps: list[str | int] = []
    real, rest = os.write, 123
    monkeypatch.setattr(durable, "fcntl", set_flags)
    monkeypatch.setattr(os, "write", write)
    content = _aligned(durable.DIRECT_BYTES + rest)
    durable.write_new(tmp_path / "new", content)
    assert steps == ["directly", durable.DIRECT_BYTES, "as ever", rest]
    assert (tmp_path / "new").read_bytes() == content


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EOPNOTSUPP, errno.EFAULT, errno.ENOMEM])
def test_a_direct_write_that_is_refused_goes_on_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def write(descriptor: int, block: memoryview) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(error, os.strerror(error))
        return real(descriptor, block)

    content, real = _aligned(2 * durable.DIRECT_BYTES), os.write
    monkeypatch.setattr(os, "write", write)
    durable.write_new(tmp_path / "new", content)
    assert (tmp_path / "new").read_bytes() == content


def test_a_file_system_that_can_t_is_written_to_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _command: int, flags: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return 0

    monkeypatch.setattr(durable, "fcntl", refuse)
    content = _aligned(durable.DIRECT_BYTES)
    durable.write_new(tmp_path / "new", content)
    assert (tmp_path / "new").read_bytes() == content


@pytest.mark.parametrize("most_bytes", [17 * durable.BLOCK_BYTES, 70_001])
def test_what_the_disk_takes_of_a_direct_write_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    content, real = _aligned(3 * durable.DIRECT_BYTES), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, block: real(descriptor, block[:most_bytes]))
    durable.write_new(tmp_path / "new", content)
    assert (tmp_path / "new").read_bytes() == content


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_what_a_direct_write_meets_passes_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def write(_descriptor: int, _block: memoryview) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match=os.strerror(error)):
        durable.write_new(tmp_path / "new", _aligned(durable.DIRECT_BYTES))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("no_links", [None, errno.EPERM, errno.EOPNOTSUPP])
def test_a_rename_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_links: int | None) -> None:
    if no_links:

        def link(*_args: Any, **_kwargs: Any) -> None:
            raise OSError(no_links, os.strerror(no_links))

        monkeypatch.setattr(os, "link", link)
    source, target = tmp_path / "a.part", tmp_path / "a"
    source.write_bytes(b"new")
    durable.rename_new(source, target)
    assert (source.exists(), target.read_bytes()) == (False, b"new")
    source.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        durable.rename_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"newer", b"new")


def test_other_faults_of_a_link_pass_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.part").touch()
    with pytest.raises(OSError, match="No space left"):
        durable.rename_new(tmp_path / "a.part", tmp_path / "a")
    assert (tmp_path / "a.part").exists()


def test_each_new_folder_is_made_durable_in_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(durable, "fsync_folder", lambda path: synced.append(path.name))
    durable.make_folders(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path.name, "a", "b"]
    durable.make_folders(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_a_folder_that_another_process_makes_meanwhile_is_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A run and what keeps its pictures make the same ones; what else comes there is refused as ever."""

    def mkdir(path: str) -> None:
        match kind:
            case "folder":
                real(path)
            case "link":
                Path(path).symlink_to(tmp_path)
            case _:
                Path(path).touch()
        real(path)

    real, tree, synced = os.mkdir, Tree(tmp_path), list[str]()
    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(durable, "fsync_folder", synced.append)
    if kind == "folder":
        assert tree.ready(PurePosixPath("images/fox")) == str(tmp_path / "images/fox")
        assert synced == [str(tmp_path), str(tmp_path / "images")]
    else:
        with pytest.raises((StorageError, NotADirectoryError), match=r"symbolic link|Not a directory"):
            tree.ready(PurePosixPath("images/fox"))
        assert not synced


def test_only_the_copy_of_the_job_is_replaced_in_one_step(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    (tmp_path / "job.yaml.part").write_bytes(b"what a crash left")
    durable.replace(job, b"one")
    durable.replace(job, b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"job.yaml": b"two"}


@pytest.mark.parametrize(
    ("took_s", "slow"),
    [
        ([0.01] * durable.LOOKED_AT, True),
        ([0.01] * (durable.LOOKED_AT - 1), False),
        ([0.0001] * 4 + [5.0] * (durable.LOOKED_AT - 4), False),
        ([0.0001] * durable.LOOKED_AT + [0.01] * durable.LOOKED_AT, True),
        ([0.01] * durable.LOOKED_AT + [0.0001] * 4, False),
    ],
    ids=["slow", "too few to tell", "a busy machine", "became slow", "became quick"],
)
def test_a_slow_disk_is_told_from_a_busy_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took_s: list[float], *, slow: bool
) -> None:
    now_s = 0.0
    left = iter(took_s)

    def fsync(_descriptor: int) -> None:
        nonlocal now_s
        now_s += next(left)

    monkeypatch.setattr(durable, "_took_s", deque(maxlen=durable.LOOKED_AT))
    monkeypatch.setattr(durable, "monotonic", lambda: now_s)
    monkeypatch.setattr(os, "fsync", fsync)
    for _ in took_s:
        durable.fsync_folder(tmp_path)
    assert durable.is_slow() is slow


def test_a_flush_that_takes_long_is_not_asked_for_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may write more to the same disk than this one."""
    file_system = durable.FileSystem(tmp_path)
    assert file_system.is_quick()
    assert file_system.took_s == inf
    assert file_system.sync()
    assert 0 <= file_system.took_s < durable.LONG_S
    assert file_system.is_quick()
    monkeypatch.setattr(durable, "LONG_S", -1)
    assert file_system.sync()
    assert not file_system.is_quick()


def test_a_folder_that_is_gone_has_no_file_system_to_flush(tmp_path: Path) -> None:
    assert not durable.FileSystem(tmp_path / "gone").is_quick()


def test_a_system_whose_flush_hides_errors_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_TELLS_ERRORS", False)
    assert not durable.FileSystem(tmp_path).is_quick()
