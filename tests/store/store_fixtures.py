"""Fixtures of the tests of the store."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kept_here import keep_here
from store_folders import close_all, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.store.folder import OutputFolder

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the machine's file system in memory


@pytest.fixture(autouse=True)
def _folders_are_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def kept_here() -> Iterator[None]:
    """Pictures are kept by a thread of this process, which sees its patches; by another process where it is not asked.

    Apart from the test's own patches, which it may undo before its end.
    """
    with pytest.MonkeyPatch.context() as patch:
        keep_here(patch.setattr)
        yield


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory where there is room: for what is repeated often and needs no real disk."""
    roomy = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > 1 << 30
    with tempfile.TemporaryDirectory(prefix="batchgen-", dir=IN_MEMORY if roomy else None) as path:
        yield Path(path)
        close_all()


@pytest.fixture
def folder(quick_path: Path) -> OutputFolder:
    """An empty output folder."""
    return opened(quick_path / "otters")
