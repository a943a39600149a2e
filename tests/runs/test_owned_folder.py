"""A run owns its folder: a second one is told whose it is, and a killed one lets go, whatever it had started."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from processes import KEY, Mark, batchgen, job_for, made, outside_sandbox, pictures, start, wait_until

from batchgen.store.lock import LOCK, owner

JOB = "otters.yaml"


def test_a_second_run_ends_with_6_and_one_that_is_killed_lets_go(tmp_path: Path, sandbox: Mark) -> None:
    root = tmp_path / "output/otters"
    with outside_sandbox("--limit", "none", "--fail", "hang=1") as silent:
        (tmp_path / JOB).write_text(job_for(silent.url))
        first = start("run", JOB, "--concurrency", "1", cwd=tmp_path, env=KEY)
        wait_until(lambda: len(silent.log()) == 1, "a request in flight")
        (log,) = (root / "runs").iterdir()
        before = log.read_bytes()
        second = batchgen("run", JOB, cwd=tmp_path, env=KEY)
        assert second.code == 6
        assert f"(run {log.stem}, process {first.pid} on {socket.gethostname()})" in second.err
        assert second.err.count("\n") == 1
        assert [path.read_bytes() for path in log.parent.iterdir()] == [before]
        assert first.poll() is None
        assert owner(root) is not None
        first.kill()
        first.communicate()
        assert len(silent.log()) == 1
    wait_until(lambda: owner(root) is None, "what kept its pictures has ended too")
    assert json.loads((root / LOCK).read_bytes())["pid"] == first.pid  # it could not take that back
    (tmp_path / JOB).write_text(job_for(sandbox.url))
    third = batchgen("run", JOB, cwd=tmp_path, env=KEY)
    assert third.code == 0, third.err
    assert len(pictures(root)) == 4


def test_a_killed_run_lets_go_though_the_sandbox_that_it_started_has_not_ended(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..400}\n")
    process = start("run", JOB, "--provider", "sandbox", cwd=tmp_path)
    root = tmp_path / "output/otters@sandbox"
    wait_until(lambda: made(root) > 0, "a picture")
    (sandbox,) = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    os.kill(sandbox, signal.SIGSTOP)  # it would end with its parent
    try:
        process.kill()
        process.communicate()
        wait_until(lambda: owner(root) is None, "what kept its pictures has ended too")
    finally:
        os.kill(sandbox, signal.SIGCONT)
