"""A ledger is kept on a file system of this machine only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from store_folders import opened

from batchgen.errors import StorageError
from batchgen.store import file_system

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = """\
22 27 0:21 / /proc rw,nosuid shared:14 - proc proc rw
27 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What says which file systems there are."""
    path = tmp_path / "mountinfo"
    monkeypatch.setattr(file_system, "_MOUNTS", path)
    return path


def line(root: Path, kind: str, *, optional: str = "shared:1") -> str:
    """A mount as proc(5) has it; the optional fields are any number of them, and the dash ends them."""
    device = root.stat().st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    return " ".join(filter(None, ["36", "35", numbers, "/", "/mnt/my\\040share", "rw", optional, "-", kind, "x", "rw"]))


@pytest.mark.parametrize("optional", ["", "shared:1", "master:2 propagate_from:3"])
@pytest.mark.parametrize("kind", sorted(file_system.NETWORK))
def test_a_network_file_system_is_refused(mounts: Path, tmp_path: Path, kind: str, optional: str) -> None:
    mounts.write_text(OTHERS + line(tmp_path, kind, optional=optional) + "\n")
    words = rf"^{tmp_path}/otters: is on a network file system \({kind}\).*choose a folder of this machine"
    with pytest.raises(StorageError, match=words):
        opened(tmp_path / "otters")
    assert not list((tmp_path / "otters").iterdir())


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "fuse.mergerfs", "zfs"])
def test_every_other_one_is_taken(mounts: Path, tmp_path: Path, kind: str) -> None:
    mounts.write_text(OTHERS + line(tmp_path, kind) + "\n")
    assert opened(tmp_path / "otters").root.is_dir()


@pytest.mark.parametrize("text", [None, "", OTHERS, "\udcff\n"], ids=["missing", "empty", "others", "no UTF-8"])
def test_where_the_system_does_not_tell_nothing_is_refused(mounts: Path, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        mounts.write_text(text.replace("\udcff", "36 35 0:0 / /\udcff rw - nfs x rw"), errors="surrogateescape")
    assert opened(tmp_path / "otters").root.is_dir()


def test_what_this_machine_says_is_understood(tmp_path: Path) -> None:
    """By its own list of mounts, whatever it is."""
    kind = file_system._kind(tmp_path)
    assert kind == "" or f" - {kind} " in file_system._MOUNTS.read_text()
