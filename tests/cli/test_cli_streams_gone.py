"""Streams that are closed, full or unread: messages nobody can read stop nothing, events nobody can read stop a run."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from processes import (
    BATCHGEN,
    KEY,
    Ended,
    Mark,
    assert_whole,
    environment,
    events,
    finish,
    job_for,
    pictures,
    start,
)

if TYPE_CHECKING:
    from pathlib import Path

FULL = (
    "batchgen: stdout: No space left on device, so what it was to take is cut short; make room or lead it elsewhere\n"
)


@pytest.fixture
def job(tmp_path: Path, sandbox: Mark) -> Path:
    """Four pictures; its folder."""
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    return tmp_path


def _in_a_shell(job: Path, redirected: str, *args: str) -> Ended:
    """A command as it is typed with such redirections, and the exit code that a shell sees."""
    command = ["bash", "-c", f'set -o pipefail; "$@" {redirected}', "bash", *BATCHGEN, *args]
    return finish(
        subprocess.Popen(  # noqa: S603 - the very program under test
            command, cwd=job, env=environment(KEY), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    )


@pytest.mark.parametrize("redirected", ["2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", "2>&1 | head -1", "2>&1 | true"])
def test_messages_that_nobody_can_read_stop_nothing(job: Path, sandbox: Mark, redirected: str) -> None:
    assert _in_a_shell(job, redirected, "run", "otters.yaml", "-v").code == 0
    assert len(pictures(job / "output/otters")) == len(sandbox.requests()) == 4
    assert_whole(job / "output/otters")


def test_events_to_a_closed_stdout_are_not_wanted(job: Path) -> None:
    ended = _in_a_shell(job, ">&-", "run", "otters.yaml", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert len(pictures(job / "output/otters")) == 4


def test_no_file_of_ours_takes_the_place_of_a_closed_stream(job: Path) -> None:
    assert _in_a_shell(job, "<&- >&- 2>&-", "run", "otters.yaml", "-v").code == 0
    said = [path for path in (job / "output").rglob("*") if path.is_file() and b"made: images" in path.read_bytes()]
    assert [path for path in said if path.suffix != ".ndjson"] == []
    assert_whole(job / "output/otters")


def test_a_folder_that_stdout_does_not_take_is_no_success_but_all_is_made(job: Path) -> None:
    ended = _in_a_shell(job, ">/dev/full", "run", "otters.yaml", "-q")
    assert (ended.code, ended.err) == (5, FULL)
    assert len(pictures(job / "output/otters")) == 4
    assert_whole(job / "output/otters")


def test_events_that_stdout_does_not_take_stop_a_run_before_it_sends(job: Path, sandbox: Mark) -> None:
    ended = _in_a_shell(job, ">/dev/full", "run", "otters.yaml", "--json")
    assert (ended.code, ended.err) == (5, FULL)
    assert sandbox.requests() == []


def test_events_that_stdout_takes_no_longer_stop_a_run_in_order(tmp_path: Path, slow_sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..12"))
    most_bytes, room_bytes = 2**26, 1000  # for the first event, and not for all of the next ones
    with (tmp_path / "events").open("ab") as file:
        file.truncate(most_bytes - room_bytes)
        command = [*BATCHGEN, "run", "otters.yaml", "--json", "--concurrency", "3"]
        process = subprocess.Popen(  # noqa: S603 - the very program under test
            command, cwd=tmp_path, env=environment(KEY), stdout=file, stderr=subprocess.PIPE, text=True
        )
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        ended = finish(process)
    assert ended.code == 5
    assert ended.err.startswith("batchgen: stdout: File too large, ")
    assert 3 <= len(pictures(tmp_path / "output/otters")) == len(slow_sandbox.requests()) < 24
    assert_whole(tmp_path / "output/otters")


@pytest.mark.parametrize("command", [["plan", "otters.yaml"], ["validate", "otters.yaml"], ["models"], ["--help"]])
def test_data_that_stdout_does_not_take_is_no_success(job: Path, command: list[str]) -> None:
    ended = _in_a_shell(job, ">/dev/full", *command)
    assert (ended.code, ended.err) == (5, FULL)


@pytest.mark.parametrize("redirected", [">&-", "| true", "| head -1", "2>&-", "2>/dev/full"])
def test_data_that_nobody_wants_is_no_trouble(job: Path, redirected: str) -> None:
    assert _in_a_shell(job, redirected, "plan", "otters.yaml").code == 0


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", ">&- 2>&-", "2>&1 | true"])
def test_an_error_that_nobody_reads_has_its_exit_code(job: Path, redirected: str) -> None:
    assert _in_a_shell(job, redirected, "run", "none.yaml").code == 2


def test_both_streams_full(job: Path) -> None:
    assert _in_a_shell(job, ">/dev/full 2>/dev/full", "run", "otters.yaml", "-v").code == 5
    assert len(pictures(job / "output/otters")) == 4


def test_a_pipe_that_does_not_wait_gets_all() -> None:
    """Whoever made stdout such a pipe (an event loop, say) reads it when it comes round to that."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen([*BATCHGEN, "models", "--json"], stdout=writer, stderr=subprocess.PIPE, text=True)  # noqa: S603
    taken = os.write(writer, bytes(2**20))  # it is full from the beginning
    os.close(writer)
    time.sleep(2)  # it has met the full pipe by now
    with open(reader, "rb") as said:  # noqa: PTH123 - a descriptor
        assert said.read(taken) == bytes(taken)
        assert said.read().endswith(b"]\n")
    assert finish(process).code == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_events_are_json_in_any_encoding(tmp_path: Path, sandbox: Mark, encoding: str) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts="[{id: füchse 🦊 日本, prompt: a fox}]"))
    ended = finish(start("run", "otters.yaml", "--json", cwd=tmp_path, env={**KEY, "PYTHONIOENCODING": encoding}))
    assert ended.code == 0
    assert {each["prompt_id"] for each in events(ended.out) if each["event"] == "task_made"} == {"füchse 🦊 日本"}
