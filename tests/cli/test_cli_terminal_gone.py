"""A terminal that closes ends its run in order, or not at all where the run was told to outlive it (nohup)."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import (
    BATCHGEN,
    KEY,
    NOTHING,
    Mark,
    Running,
    assert_whole,
    batchgen,
    environment,
    finish,
    job_for,
    made,
    pictures,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# As a login does it: the leader of a session of its own, with the terminal to control it.
IN_A_SESSION = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
DEAF = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
"""What starts a program with SIGHUP ignored, as nohup does; its streams stay at the terminal."""


@contextmanager
def _at_a_terminal(
    *args: str, cwd: Path, through: tuple[str, ...] = (), env: Mapping[str, str] = NOTHING
) -> Iterator[tuple[Running, Callable[[], None]]]:
    """A command with all its streams at a terminal, and what closes that."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", IN_A_SESSION, *through, *BATCHGEN, *args]
    env = environment({"TERM": "xterm-256color", **KEY, **env})
    process = subprocess.Popen(  # noqa: S603 - the very program under test
        command, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, text=True
    )
    os.close(theirs)
    is_open = [ours]

    def close() -> None:
        while is_open:
            os.close(is_open.pop())

    yield process, close
    close()


@pytest.fixture
def job(tmp_path: Path, slow_sandbox: Mark) -> Path:
    """Twenty pictures, a second each."""
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..10"))
    return tmp_path


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}], ids=["a live bar", "plain lines"])
def test_a_run_whose_terminal_closes_ends_in_order(job: Path, slow_sandbox: Mark, env: Mapping[str, str]) -> None:
    folder = job / "output/otters"
    with _at_a_terminal("run", "otters.yaml", "-v", "--concurrency", "4", cwd=job, env=env) as (process, close):
        wait_until(lambda: len(slow_sandbox.requests()) >= 4, "requests in flight")
        close()
        assert finish(process).code == 143
    assert len(pictures(folder)) == len(slow_sandbox.requests()) == 4
    assert_whole(folder)
    assert batchgen("run", "otters.yaml", "-q", cwd=job, env=KEY).code == 0
    assert len(pictures(folder)) == len(slow_sandbox.requests()) == 20
    assert_whole(folder)


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}], ids=["a live bar", "plain lines"])
def test_a_run_that_ignores_hangups_outlives_its_terminal(job: Path, env: Mapping[str, str]) -> None:
    folder = job / "output/otters"
    command = ("run", "otters.yaml", "-v", "--concurrency", "7")
    with _at_a_terminal(*command, cwd=job, through=DEAF, env=env) as (process, close):
        wait_until(lambda: made(folder), "the first picture")
        close()
        assert finish(process).code == 0
    assert len(pictures(folder)) == 20
    assert_whole(folder)


def test_nohup(job: Path) -> None:
    folder = job / "output/otters"
    command = ("run", "otters.yaml", "--concurrency", "10")
    with _at_a_terminal(*command, cwd=job, through=("nohup",)) as (process, close):
        wait_until(lambda: made(folder), "the first picture")
        close()
        process.send_signal(signal.SIGHUP)
        assert finish(process).code == 0
    assert len(pictures(folder)) == 20
    assert (job / "nohup.out").read_text().endswith("output/otters\n")


def test_events_that_went_to_a_terminal_which_is_gone_stop_the_run_in_order(job: Path, slow_sandbox: Mark) -> None:
    command = ("run", "otters.yaml", "--json", "--concurrency", "4")
    with _at_a_terminal(*command, cwd=job, through=DEAF) as (process, close):
        wait_until(lambda: len(slow_sandbox.requests()) >= 4, "requests in flight")
        close()
        assert finish(process).code == 130
    assert 4 <= len(pictures(job / "output/otters")) == len(slow_sandbox.requests()) < 20
    assert_whole(job / "output/otters")


def test_a_message_for_a_terminal_that_is_gone_changes_no_exit_code(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "closed")
    once_closed = 'trap "" HUP; : > ready; read _ < closed; exec "$@"'
    with _at_a_terminal("run", "none.yaml", cwd=tmp_path, through=("sh", "-c", once_closed, "sh")) as (process, close):
        wait_until((tmp_path / "ready").exists, "it is about to start")
        close()
        (tmp_path / "closed").write_text("\n")
        assert finish(process).code == 2
