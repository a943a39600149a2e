"""One run at a time on a folder: the second is told whose it is, and a lock dies with its process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from batchgen.errors import OwnedError, StorageError
from batchgen.store.lock import LOCK, FolderLock, Owner, owner

if TYPE_CHECKING:
    from pathlib import Path

HERE = socket.gethostname()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def test_a_folder_has_one_owner_until_it_is_let_go(root: Path) -> None:
    assert owner(root) is None
    lock = FolderLock.take(root, "first")
    assert owner(root) == Owner(pid=os.getpid(), host=HERE, run="first")
    with pytest.raises(OwnedError, match=rf"\(run first, process {os.getpid()} on {HERE}\); wait for its end, or"):
        FolderLock.take(root, "second")
    lock.release()
    assert owner(root) is None
    FolderLock.take(root, "third").release()


@pytest.mark.parametrize("left", [b"", b'{"pid": 4711, "host": "elsewhere", "run": "dead"}', b"\0" * 9000])
def test_what_a_dead_run_left_in_its_lock_holds_nobody_up(root: Path, left: bytes) -> None:
    (root / LOCK).write_bytes(left)
    assert owner(root) is None
    lock = FolderLock.take(root, "next")
    assert json.loads((root / LOCK).read_bytes()) == {"pid": os.getpid(), "host": HERE, "run": "next"}
    lock.release()


@pytest.mark.parametrize("said", [b"", b"{", b'{"pid": "x"}', b"[1]", b'{"pid": 1, "host": "h"}'])
def test_an_owner_that_can_not_be_read_is_one_all_the_same(root: Path, said: bytes) -> None:
    lock = FolderLock.take(root, "first")
    (root / LOCK).write_bytes(said)
    assert owner(root) is not None
    with pytest.raises(OwnedError, match="another run owns this folder"):
        FolderLock.take(root, "second")
    lock.release()


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_file_in_its_place_is_refused_and_not_followed(root: Path, kind: str) -> None:
    outside = root / "outside"
    match kind:
        case "link":
            outside.write_bytes(b"mine")
            (root / LOCK).symlink_to(outside)
        case "dangling link":
            (root / LOCK).symlink_to(outside)
        case "pipe":
            os.mkfifo(root / LOCK)
        case _:
            (root / LOCK).mkdir()
    with pytest.raises(StorageError, match=rf"/{LOCK}: is no file of batchgen; move it away"):
        FolderLock.take(root, "first")
    assert owner(root) is None
    assert not outside.exists() or outside.read_bytes() == b"mine"


def test_who_only_looks_keeps_no_run_away(root: Path) -> None:
    """Such as `status`, called again and again."""
    FolderLock.take(root, "first").release()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            owner(root)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(2000):
            FolderLock.take(root, "next").release()
    finally:
        done.set()
        looking.join()


def test_a_program_that_a_run_started_does_not_keep_its_lock(root: Path) -> None:
    """Such as the embedded sandbox, or a program that the user's shell runs on."""
    lock = FolderLock.take(root, "first")
    waits = [sys.executable, "-c", "import sys; print('here', flush=True); sys.stdin.read()"]
    with subprocess.Popen(  # noqa: S603 - this very Python
        waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        os.close(lock.descriptor)  # as the end of the process would
        assert child.poll() is None
        FolderLock.take(root, "second").release()
        child.communicate(b"")
