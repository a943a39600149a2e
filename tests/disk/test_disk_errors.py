"""System calls that fail or take their time, by strace: on pictures, sidecars, folders and the ledger."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from disk_stage import BIG, SMALL, STORAGE, completed, events, stopped, tell, why_it_stopped
from stage import Job, reference, staged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stage import Stage

FSYNC = "fsync,fdatasync"
ONE = replace(SMALL, in_flight=1)
ONE_BIG = replace(BIG, in_flight=1)
SLOW = Job(seeds=3, in_flight=6)


@pytest.fixture(autouse=True)
def _strace() -> None:
    if not shutil.which("strace"):
        # Only a tracer makes a system call of another process fail. The same errors, raised in its place, are in
        # tests/store/test_store_writer_faults.py and tests/disk/test_rescue.py, which need nothing.
        pytest.skip("system calls that fail need strace")


def strace(base: Path, paths: Sequence[Path], calls: str, injection: str) -> list[str]:
    """What to run a program by, so that these calls on these paths are as the injection says; writes a trace."""
    only = [option for path in paths for option in ("-P", str(path))]
    return [
        *("strace", "-f", "-qq", "-y", "--seccomp-bpf", "-o", str(base / "trace.txt"), *only),
        *("-e", f"trace={calls}", "-e", "signal=none", "-e", f"inject={calls}:{injection}"),
    ]


def first(stage: Stage, job: Job, suffix: str) -> Path:
    """A file of the first picture: its final name with another suffix."""
    names = sorted(pair.picture for pair in reference(job).values())
    return (stage.output / names[0]).with_suffix(suffix)


@pytest.mark.parametrize(("job", "suffix"), [(ONE, ".json.part"), (ONE_BIG, ".part")])
def test_a_failed_fsync_is_never_repeated_on_the_same_file(tmp_path: Path, job: Job, suffix: str) -> None:
    """What it was for is written once more as another file; then the run goes on."""
    with staged(tmp_path, job) as stage:
        part = first(stage, job, suffix)
        stage.run(*strace(tmp_path, [part], FSYNC, "error=EIO"))
        (call,) = (tmp_path / "trace.txt").read_text().splitlines()
        assert f"<{part}>" in call
        assert call.endswith("(Input/output error) (INJECTED)")
        assert completed(stage, tmp_path).requests == 2 * job.seeds


@pytest.mark.parametrize(
    ("suffix", "calls", "error", "words"),
    [
        (".part", "write", "EDQUOT", "Disk quota exceeded; free some of your quota, then run again"),
        (".png", "link,linkat", "EIO", "Input/output error; look at the disk, or choose another folder with --output"),
        ("", FSYNC, "EIO", "Input/output error; look at the disk, or choose another folder with --output"),
    ],
    ids=["write", "rename", "folder"],
)
def test_what_a_disk_refuses_is_rescued(tmp_path: Path, suffix: str, calls: str, error: str, words: str) -> None:
    with staged(tmp_path, ONE) as stage:
        path = first(stage, ONE, suffix or ".png")
        path = path if suffix else path.parent
        code = stage.run(*strace(tmp_path, [path], calls, f"error={error}:when=1"), allowed=(STORAGE,))
        assert re.search(
            rf"^{path.parent}\S*: {words}.*; its picture is kept as /\S+: the next run", why_it_stopped(stage)
        )
        assert len(stopped(stage, tmp_path, code)) == 1
        assert completed(stage, tmp_path).requests == 2 * ONE.seeds


def test_a_ledger_that_fails_stops_the_run_and_what_was_sent_is_kept(tmp_path: Path) -> None:
    with staged(tmp_path, ONE) as stage:
        ledger = [stage.output / f"batchgen.sqlite{ending}" for ending in ("", "-wal")]
        code = stage.run(*strace(tmp_path, ledger, FSYNC, "error=EIO:when=4"), allowed=(STORAGE,))
        assert re.search(r"/batchgen.sqlite: disk I/O error; look at the disk", why_it_stopped(stage))
        assert not stopped(stage, tmp_path, code)
        assert completed(stage, tmp_path).requests == 2 * ONE.seeds


def test_a_disk_that_takes_its_time_harms_neither_pace_nor_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second for each fsync, and a limit that punishes what comes too soon."""
    monkeypatch.setenv("BATCHGEN_RATE_LIMIT", "3/1s")
    with staged(tmp_path, SLOW) as stage:
        tell(stage, limit=["3/1s"], penalty=60)
        assert stage.run(*strace(tmp_path, [], FSYNC, "delay_enter=500ms")) == 0
        assert not events(stage, "task_retried")
        assert stage._summary()["throttled"] == 0
        assert len(stage.snapshot().safe) == stage._summary()["requests"] == 2 * SLOW.seeds
