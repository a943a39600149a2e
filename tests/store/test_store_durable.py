"""What is written lasts, and nothing that is there is replaced."""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from batchgen.store import durable

if TYPE_CHECKING:
    from pathlib import Path


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
