"""A disk that is full, of bytes or of files: by this run, or by another program while requests are in flight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from disk_stage import BIG, SMALL, STORAGE, completed, events, start_slowly, stopped, why_it_stopped
from small_disks import KIB, enlarge, fill, small_disk
from stage import staged

if TYPE_CHECKING:
    from pathlib import Path

    from stage import Job, Stage


def test_a_run_stops_before_its_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=32m") as disk, staged(tmp_path, SMALL, output=disk / "otters") as stage:
        run = start_slowly(stage)
        fill(disk, 2200 * KIB)
        code = stage._wait(run)
        assert_stopped_in_time(
            stage, tmp_path, code, r"2\.\d MiB are free, and 2\.1 MiB are needed .*; free some space"
        )
        enlarge(disk)
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


def test_a_run_stops_before_its_disk_has_no_more_files(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path, "size=16m,nr_inodes=34") as disk,
        staged(tmp_path, SMALL, output=disk / "otters") as stage,
    ):
        code = stage.run(allowed=(STORAGE,))
        assert_stopped_in_time(
            stage, tmp_path, code, r"\d+ more files can be made, and 12 are needed .*; remove some files"
        )
        enlarge(disk)
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


def assert_stopped_in_time(stage: Stage, base: Path, code: int, words: str) -> None:
    """The numbers are said, and every picture that was asked for is kept where it belongs."""
    assert re.search(rf"{words}, then run again: what is made stays", why_it_stopped(stage))
    assert not stopped(stage, base, code)
    made = stage.snapshot()
    assert 1 < made.asked == len(made.safe) < 2 * SMALL.seeds


def test_a_small_disk_that_is_large_enough_refuses_nothing(tmp_path: Path) -> None:
    """It holds two as they are likely to be; the rest waits until it is known how small they are."""
    with small_disk(tmp_path, "size=11m") as disk, staged(tmp_path, SMALL, output=disk / "otters") as stage:
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds


@pytest.mark.parametrize(
    ("job", "leave_bytes"),
    [(SMALL, 0), (BIG, 300 * KIB)],
    ids=["small", "streamed"],  # of the latter, one `.part` takes what is left, but not to its end; the other nothing
)
def test_what_is_in_flight_when_others_fill_the_disk_is_rescued(tmp_path: Path, job: Job, leave_bytes: int) -> None:
    with small_disk(tmp_path, "size=32m") as disk, staged(tmp_path, job, output=disk / "otters") as stage:
        run = start_slowly(stage)
        taken = fill(disk, leave_bytes)
        waiting = stopped(stage, tmp_path, stage._wait(run))
        unkept = [event["words"] for event in events(stage, "task_unkept")]
        assert len(waiting) == job.in_flight == len(unkept)
        kept_elsewhere = (
            r"/otters/images/\S+: No space left on device; free some space, .*; its picture is kept as "
            rf"{tmp_path}/state/batchgen/rescued/\w+/images/\S+\.png: the next run into this folder brings it home"
        )
        assert all(re.search(f"{kept_elsewhere}$", words) for words in unkept)
        no_room = r"/otters: [\d.]+ MiB are free, and [\d.]+ MiB are needed .*"  # said of what was to be sent next
        assert re.search(rf"({kept_elsewhere}|{no_room}) \(DISK\)$", why_it_stopped(stage))
        assert stage.run(allowed=(STORAGE,)) == STORAGE  # nothing is sent while there is no room
        taken.unlink()
        assert completed(stage, tmp_path).requests == 2 * job.seeds


def test_what_nothing_can_hold_is_said_to_be_lost_and_what_it_cost(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=32m") as disk, staged(tmp_path, SMALL, output=disk / "otters") as stage:
        (tmp_path / "state").touch()  # no rescue place can be made
        run = start_slowly(stage)
        taken = fill(disk, 0)
        assert not stopped(stage, tmp_path, stage._wait(run))
        said = [event["words"] for event in events(stage, "task_unkept")]
        assert len(said) == SMALL.in_flight
        lost = r"No space left .*; nor can it be rescued \(.*Not a dir.*\); the picture is lost, and cost \$0.065$"
        assert all(re.search(lost, words) for words in said)
        taken.unlink()
        (tmp_path / "state").unlink()
        assert completed(stage, tmp_path).requests == 2 * SMALL.seeds + SMALL.in_flight
