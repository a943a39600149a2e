"""A signal before a run hears it, or after: one line, the right exit code, and nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
from processes import BATCHGEN, KEY, Mark, assert_whole, batchgen, environment, finish, job_for, start, wait_until

SIGNALS = [
    pytest.param(signal.SIGINT, 130, "interrupted", id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, "terminated", id="SIGTERM"),
    pytest.param(signal.SIGHUP, 143, "terminated", id="SIGHUP"),
]
SLOW_MODULE = """
import pathlib, time
pathlib.Path("imported").touch()
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_while_the_program_is_imported(tmp_path: Path, number: signal.Signals, code: int, word: str) -> None:
    (tmp_path / "click.py").write_text(SLOW_MODULE)
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    process = start("run", "otters.yaml", cwd=tmp_path, env=path)
    wait_until((tmp_path / "imported").exists, "it is being imported")
    process.send_signal(number)
    ended = finish(process)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err == f"batchgen: {word}; what is made stays, run again to go on\n"


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_while_a_big_job_is_read(tmp_path: Path, number: signal.Signals, code: int, word: str) -> None:
    prompts = "\n".join(f"  - {{id: p{number}, prompt: a fox, seed: {number}}}" for number in range(20_000))
    (tmp_path / "otters.yaml").write_text(f"prompts:\n{prompts}\n")
    process = start("run", "otters.yaml", "--provider", "sandbox", cwd=tmp_path)
    maps = Path(f"/proc/{process.pid}/maps")
    wait_until(lambda: "_yaml" in maps.read_text(), "the reader is there")
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == code
    assert ended.err == f"batchgen: {word}; what is made stays, run again to go on\n"
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_once_all_is_made_and_nobody_takes_the_result(
    tmp_path: Path, sandbox: Mark, number: signal.Signals, code: int, word: str
) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, bytes(2**20))
    os.set_blocking(writer, True)
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(  # noqa: S603 - the very program under test
            [*BATCHGEN, "run", "otters.yaml"], cwd=tmp_path, env=environment(KEY), stdout=writer, stderr=log, text=True
        )
        wait_until(lambda: "pictures and sidecars" in (tmp_path / "log").read_text(), "its end")
        while process.poll() is None:  # one that comes while the end is written down ends nothing
            process.send_signal(number)
            time.sleep(0.5)
        assert finish(process).code == code
    os.close(reader)
    os.close(writer)
    assert (tmp_path / "log").read_text().endswith(f"batchgen: {word}; what is made stays, run again to go on\n")
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert_whole(tmp_path / "output/otters")


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_at_any_instant(tmp_path: Path, number: signal.Signals, code: int, word: str) -> None:
    """From the program's first lines on; a run that ended before its signal came ended well."""
    (tmp_path / "otters.yaml").write_text("prompts: [a fox]\nsweep: {seeds: 1..8}\n")
    command = ("run", "otters.yaml", "--provider", "sandbox", "--concurrency", "2")
    for step in range(6):
        process = start(*command, cwd=tmp_path)
        wait_until(partial(_hears_hangups, process.pid), "the program began")
        time.sleep(step * 0.2)
        process.send_signal(number)
        ended = finish(process)
        assert ended.code in {0, code}
        assert (word in ended.err) is (ended.code == code)
    assert batchgen(*command, cwd=tmp_path).code == 0
    assert_whole(tmp_path / "output/otters@sandbox")


def _hears_hangups(pid: int) -> bool:
    """Does a process have a handler for SIGHUP (SigCgt, proc_pid_status(5))? It is the last that the program sets."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) & 1 << signal.SIGHUP - 1)
