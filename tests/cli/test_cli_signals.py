"""Ctrl-C, SIGTERM, SIGHUP and SIGKILL: what is paid for is kept, what is half done is gone, the next run goes on."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from contextlib import suppress
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

from batchgen.signals import ONE_ORDER_S

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
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 143, "terminated")],
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
        time.sleep(2 * ONE_ORDER_S)
        assert process.poll() is None
        process.send_signal(number)
        assert finish(process).code == (130 if number == signal.SIGINT else 143)
        assert len(silent.log()) == 4
    assert "4 pictures left to make" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert_whole(tmp_path / "output/otters")
    assert pictures(tmp_path / "output/otters") == {}


def test_what_is_one_order_said_twice_does_not_end_it_now(tmp_path: Path, slow_sandbox: Mark) -> None:
    process = _begin(tmp_path, slow_sandbox)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert finish(process).code in {130, 143}
    _assert_all_kept(tmp_path / "output/otters", slow_sandbox)


def test_a_terminal_that_closes_twice_does_not_end_it_now(tmp_path: Path, slow_sandbox: Mark) -> None:
    process = _begin(tmp_path, slow_sandbox)
    process.send_signal(signal.SIGHUP)
    time.sleep(2 * ONE_ORDER_S)
    process.send_signal(signal.SIGHUP)
    assert finish(process).code == 143
    _assert_all_kept(tmp_path / "output/otters", slow_sandbox)


def test_the_first_signal_is_the_first_though_the_run_was_ending_already(tmp_path: Path) -> None:
    folder = tmp_path / "output/otters"
    with outside_sandbox("--limit", "none", "--latency", "1", "--jitter", "2", "--seed", "1") as uneven:
        (tmp_path / JOB).write_text(job_for(uneven.url, seeds="1..20"))
        process = start("run", JOB, "--json", "--concurrency", "12", cwd=tmp_path, env=KEY)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        wait_until(lambda: made(folder), "the first picture, of which nobody is told")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in {130, 143}  # whichever was noticed first
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stderr.close()
        assert 12 <= len(uneven.log()) == len(pictures(folder)) < 40
    assert_whole(folder)


def _assert_all_kept(folder: Path, sandbox: Mark) -> None:
    assert len(pictures(folder)) == len(sandbox.requests()) == 4
    assert_whole(folder)


def test_a_request_that_still_connects_at_the_first_signal_never_leaves(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, log.open("w") as err:
        server.settimeout(0.05)
        port = server.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]  # nobody else gets in until these are accepted
        for each in queued:
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        before = _connecting(port)
        (tmp_path / JOB).write_text(job_for(f"http://127.0.0.1:{port}/v1"))
        process = start("run", JOB, cwd=tmp_path, err=err, env=KEY)
        wait_until(lambda: _connecting(port) == before + 4, "requests that connect")
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "waiting up to" in log.read_text(), "the signal was noticed")
        accepted = list[tuple[socket.socket, int]]()
        while process.poll() is None or _accept(server, accepted):
            _accept(server, accepted)
        assert finish(process).code == 130
        ours = {each.getsockname()[1] for each in queued}
        assert {each.recv(1) for each, port in accepted if port not in ours} <= {b""}
        for each in (*queued, *(each for each, _ in accepted)):
            each.close()


def _accept(server: socket.socket, accepted: list[tuple[socket.socket, int]]) -> bool:
    """Take the next connection, if one is there, and the port that it comes from."""
    with suppress(TimeoutError):
        connection, (_, port) = server.accept()
        accepted.append((connection, port))
        return True
    return False


def _connecting(port: int) -> int:
    """How many connections to a port of this machine are asked for and not there yet (SYN_SENT, proc_net_tcp(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows)


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


def test_its_children_end_with_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..9}\n")
    again = ("run", JOB, "--provider", "sandbox")
    process, folder = start(*again, "--concurrency", "1", cwd=tmp_path), tmp_path / "output/otters@sandbox"
    wait_until(lambda: made(folder), "the first picture")
    children = _children(process.pid)
    assert len(children) == 2  # the embedded sandbox, and who keeps the pictures
    process.kill()
    finish(process)
    wait_until(lambda: not any(map(_is_running, children)), "they ended")
    assert batchgen(*again, cwd=tmp_path).code == 0
    assert len(pictures(folder)) == 9
    assert_whole(folder)


def test_its_children_outlive_ctrl_c_and_end_with_the_run(tmp_path: Path) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..30}\n")
    process = start("run", JOB, "--provider", "sandbox", "--concurrency", "2", cwd=tmp_path)
    folder = tmp_path / "output/otters@sandbox"
    wait_until(lambda: made(folder), "the first picture")
    children = _children(process.pid)
    assert len(children) == 2
    for pid in (process.pid, *children):  # as a terminal sends it
        os.kill(pid, signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert "failed" not in ended.err
    assert not any(map(_is_running, children))
    assert_whole(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_while_the_sandbox_starts_ends_both(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / JOB).write_text("prompts: [a fox]\nsweep: {seeds: 1..30}\n")
    process = start("run", JOB, "--provider", "sandbox", cwd=tmp_path)
    wait_until(lambda: _children(process.pid), "the sandbox began")
    children = _children(process.pid)
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}.get(number, 143)
    assert {signal.SIGINT: "interrupted", signal.SIGKILL: ""}.get(number, "terminated") in ended.err
    wait_until(lambda: not any(map(_is_running, children)), "the sandbox ended")
    assert_whole(tmp_path / "output/otters@sandbox")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_while_who_keeps_the_pictures_starts_stops_in_order(
    tmp_path: Path, slow_sandbox: Mark, number: signal.Signals, code: int
) -> None:
    """As a terminal sends it; the youngest process has not yet said what it thinks of signals."""
    (tmp_path / JOB).write_text(job_for(slow_sandbox.url, seeds="1..10"))
    process = start("run", JOB, cwd=tmp_path, env=KEY)
    wait_until(lambda: _children(process.pid), "who keeps the pictures begins")
    for pid in (process.pid, *_children(process.pid)):
        os.kill(pid, number)
    assert finish(process).code == code
    assert_whole(tmp_path / "output/otters")


def _children(pid: int) -> list[int]:
    """Of all its threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
