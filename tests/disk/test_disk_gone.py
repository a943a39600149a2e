"""An output folder that is taken away, or can no longer be written to, while requests are in flight."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import power
import pytest
from disk_stage import SMALL, STORAGE, completed, start_slowly, stopped, why_it_stopped
from stage import staged

if TYPE_CHECKING:
    from pathlib import Path

LEAST = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Runs a program as this user, root too, without the privilege to write where permissions forbid it."""


def test_a_folder_that_is_moved_away_loses_nothing(tmp_path: Path) -> None:
    with staged(tmp_path, SMALL) as stage:
        run = start_slowly(stage)
        moved = stage.output.rename(tmp_path / "elsewhere")
        code = stage._wait(run)
        assert f"{stage.output}" in why_it_stopped(stage)
        assert "put it back, then run again" in why_it_stopped(stage)
        moved.rename(stage.output)
        assert len(stopped(stage, tmp_path, code)) == SMALL.in_flight
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


def test_what_was_in_flight_for_a_removed_folder_is_not_paid_for_again(tmp_path: Path) -> None:
    with staged(tmp_path, SMALL) as stage:
        run = start_slowly(stage)
        shutil.rmtree(stage.output)
        assert len(stopped(stage, tmp_path, stage._wait(run))) == SMALL.in_flight
        stage.ledger_gone = stage._snapshots[-1]
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


def test_a_disk_that_becomes_read_only_loses_nothing(tmp_path: Path) -> None:
    if why := power.lacking():
        # Only root may mount a disk and take it away. A folder that is removed, moved or forbidden is tried without.
        pytest.skip(why)
    with power.disk(tmp_path) as disk, staged(tmp_path, SMALL, output=disk.folder / "otters") as stage:
        run = start_slowly(stage)
        make_read_only(disk.folder)
        code = stage._wait(run)
        assert "Read-only file system; choose another folder with --output" in why_it_stopped(stage)
        disk.unmount()
        disk.mount()
        assert len(stopped(stage, tmp_path, code)) == SMALL.in_flight
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


def make_read_only(folder: Path) -> None:
    """As ext4 does it when it meets an error, though files are open."""
    subprocess.run(["mount", "-o", "remount,abort", str(folder)], check=True)  # noqa: S603, S607


def test_a_folder_without_permission_to_write(tmp_path: Path) -> None:
    """For one that can't be written to at all nothing is sent; what comes for a folder below it is rescued."""
    if not shutil.which("setpriv"):
        # The suite may run as root, whom no permission stops; without setpriv nothing here makes it somebody else.
        pytest.skip("a run without the privilege to write anywhere needs setpriv")
    words = "Permission denied; choose a folder of yours with --output, or allow writing there"
    with staged(tmp_path, SMALL) as stage:
        for place in (stage.output, stage.output / "images"):
            place.mkdir()
            place.chmod(0o555)
            code = stage.run(*LEAST, allowed=(STORAGE,))
            assert re.search(rf"{place}/?\S*: {words}", why_it_stopped(stage))
            place.chmod(0o755)
            waiting = stopped(stage, tmp_path, code)
            assert len(waiting) == stage.snapshot().asked
            assert bool(waiting) == (place != stage.output)
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds
