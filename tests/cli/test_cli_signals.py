"""Ctrl-C, SIGTERM and SIGKILL: what is paid for is kept, what is half done is gone, and the next run goes on."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from processes import (
    KEY,
    Mark,
    Running,
    assert_whole,
    batchgen,
    finish,
    job_for,
    made,
    outside_sandbox,
    pictures,
    sidecars,
    start,
    wait_until,
)

JOB = "otters.yaml"


def _begin(folder: Path, sandbox: Mark, *, in_flight: int = 4) -> Running:
    """A run of twenty pictures with so many in flight, and nothing answered yet."""
    (folder / JOB).write_text(job_for(sandbox.url, seeds="1..10"))
    process = start("run", JOB, "--concurrency", str(in_flight), cwd=folder, env=KEY)
    wait_until(lambda: len(sandbox.requests()) >= in_flight, "requests in flight")
    return process


def _asked(sandbox: Mark) -> Counter[str]:
    return Counter(f"{each['fields']['prompt']} {each['fields']['seed']}" for each in sandbox.requests())


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_the_first_signal_stops_in_order(
    tmp_path: Path, slow_sandbox: Mark, number: signal.Signals, code: int, word: str
) -> None:
    process, folder = _begin(tmp_path, slow_sandbox), tmp_path / "output/otters"
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == code
    assert f"stopped: {word}" in ended.err
    assert "run the same command again to go on" in ended.err
    kept = pictures(folder)
    assert 4 <= len(kept) == len(slow_sandbox.requests()) < 20
    assert_whole(folder)
    assert batchgen("run", JOB, cwd=tmp_path, env=KEY).code == 0
    assert kept.items() <= pictures(folder).items()
    assert _asked(slow_sandbox) == dict.fromkeys(_asked(slow_sandbox), 1)
    assert len(pictures(folder)) == 20
    assert_whole(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_it_now(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with outside_sandbox("--fail", "hang=1") as silent, log.open("w") as err:
        (tmp_path / JOB).write_text(job_for(silent.url))
        process = start("run", JOB, cwd=tmp_path, err=err, env=KEY)
        wait_until(lambda: len(silent.log()) == 4, "requests in flight")
        process.send_signal(number)
        wait_until(lambda: "waiting up to" in log.read_text(), "the first signal was noticed")
        assert process.poll() is None
        process.send_signal(number)
        assert finish(process).code == (130 if number == signal.SIGINT else 143)
        assert len(silent.log()) == 4
    assert "4 pictures left to make" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert_whole(tmp_path / "output/otters")
    assert pictures(tmp_path / "output/otters") == {}


def test_a_killed_run_goes_on_with_the_same_pictures(tmp_path: Path, slow_sandbox: Mark) -> None:
    process, folder = _begin(tmp_path, slow_sandbox), tmp_path / "output/otters"
    wait_until(lambda: made(folder) >= 2, "the first pictures")
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    kept = {place: each for place, each in sidecars(folder).items() if pictures(folder).get(_picture(place, each))}
    assert batchgen("run", JOB, cwd=tmp_path, env=KEY).code == 0
    assert kept.items() <= sidecars(folder).items()
    assert len(pictures(folder)) == 20
    assert_whole(folder)
    again = tmp_path / "whole"
    assert batchgen("run", JOB, "--output", str(again), cwd=tmp_path, env=KEY).code == 0
    assert pictures(again) == pictures(folder)
    assert {each["task"]["id"] for each in sidecars(again).values()} == {
        each["task"]["id"] for each in sidecars(folder).values()
    }


def _picture(place: str, sidecar: dict[str, dict[str, str]]) -> str:
    return str(Path(place).parent / sidecar["picture"]["file"])


def test_the_embedded_sandbox_ends_with_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..9}\n")
    again = ("run", JOB, "--provider", "sandbox")
    process, folder = start(*again, "--concurrency", "1", cwd=tmp_path), tmp_path / "output/otters@sandbox"
    wait_until(lambda: made(folder), "the first picture")
    children = _children(process.pid)
    assert len(children) == 1
    process.kill()
    finish(process)
    wait_until(lambda: not _is_running(children[0]), "the sandbox ended")
    assert batchgen(*again, cwd=tmp_path).code == 0
    assert len(pictures(folder)) == 9
    assert_whole(folder)


def test_the_embedded_sandbox_outlives_ctrl_c_and_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..30}\n")
    process = start("run", JOB, "--provider", "sandbox", "--concurrency", "2", cwd=tmp_path)
    folder = tmp_path / "output/otters@sandbox"
    wait_until(lambda: made(folder), "the first picture")
    (child,) = _children(process.pid)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert "failed" not in ended.err
    assert not _is_running(child)
    assert_whole(folder)


def test_ctrl_c_while_the_sandbox_starts_ends_both(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..30}\n")
    process = start("run", JOB, "--provider", "sandbox", cwd=tmp_path)
    wait_until((tmp_path / "output/otters@sandbox/job.yaml").exists, "the folder was opened")
    children = _children(process.pid)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert "interrupted" in ended.err
    wait_until(lambda: not any(map(_is_running, children)), "the sandbox ended")
    assert_whole(tmp_path / "output/otters@sandbox")


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
