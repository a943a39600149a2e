"""Folders and sidecars of others, and a terminal: nothing but batchgen's own bar steers it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import sqlite3
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from canary import KEY, heard, spelled
from hostile_runs import JOB, job, run, tame, tree, unprintable
from hostile_texts import ARRIVES, echoes, eight_of, job_with
from in_process import called
from page_server import refusal
from processes import BATCHGEN, environment, sidecars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from page_server import PageServer

HOSTILE_SIDECARS = {
    "image": {"image": {"path": "\x1b[2J\u202e/x.png", "sha256": "aa"}},
    "a device": {"image": {"path": "/dev/zero", "sha256": "aa"}},
    "NUL": {"image": {"path": "a\0b", "sha256": "aa"}},
    "url": {"provider": "gateway", "url": "https://\x1b[2J\u202e.example/"},
    "fields": {"fields": {"\x1b[2J": "x", "model": "\x1b[2J", "prompt": "\u202e"}},
}


@pytest.mark.parametrize("case", HOSTILE_SIDECARS)
def test_a_sidecar_of_others_steers_nothing_when_it_is_replayed(
    tmp_path: Path, canary_page: PageServer, case: str
) -> None:
    assert run(job(canary_page.url), cwd=tmp_path).code == 0
    [place] = sidecars(tmp_path / "output/otters")
    document = json.loads((tmp_path / "output/otters" / place).read_text())
    document["request"] |= HOSTILE_SIDECARS[case]
    (tmp_path / "other.json").write_text(json.dumps(document))
    ended = tame(called("replay", "other.json", cwd=tmp_path, env={"GATEWAY_API_KEY": KEY}))
    assert ended.code == 2, ended.err
    assert len(canary_page.seen) == 1


@pytest.mark.timeout(30)
def test_a_sidecar_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "other.json")
    ended = tame(called("replay", "other.json", cwd=tmp_path))
    assert ended.code == 2
    assert "other.json: is not a file; give the path of a sidecar" in ended.err


def test_a_ledger_and_a_lock_of_others_steer_nothing(tmp_path: Path, canary_page: PageServer) -> None:
    nasty = ARRIVES["escapes"] + ARRIVES["bidi"]
    canary_page.script(refusal(400, "bad_request", "no"))
    assert run(job(canary_page.url, seeds="1..2"), "--concurrency", "1", cwd=tmp_path).code == 1
    folder = tmp_path / "output/otters"
    with sqlite3.connect(folder / "batchgen.sqlite") as ledger:
        ledger.execute("UPDATE failures SET prompt_id = ?, words = ?", (nasty, nasty))
        ledger.execute("UPDATE attempts SET words = ?, started = ?", (nasty, nasty))
        ledger.execute("UPDATE runs SET ending = ?, why = ?, ended = ?", (nasty, nasty, nasty))
    ledger.close()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"pid": 1, "host": nasty, "run": nasty}))
        lock.flush()
        before = tree(folder)
        env = {"PICTURE_KEY": KEY}
        assert tame(called("run", JOB, cwd=tmp_path, env=env)).code == 6
        for command in (("status",), ("status", "--json"), ("verify",), ("verify", "--json")):
            tame(called(command[0], "output/otters", *command[1:], cwd=tmp_path, env=env))
        assert tree(folder) == before


# At a terminal

RICH = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[ABCDGK]|2K)|\r")
"""What the live bar is drawn with: colours, the cursor's place, a line cleared."""


def _at_a_terminal(*args: str, cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run batchgen with both streams at a terminal: its exit code and all it wrote there."""
    ours, theirs = pty.openpty()
    shown = {"COLUMNS": "100", "LINES": "30", "PICTURE_KEY": KEY, **env}
    process = subprocess.Popen(  # noqa: S603 - the very program under test
        [*BATCHGEN, *args], cwd=cwd, env=environment(shown), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = bytearray()
    with suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(ours, 65_536):
            written += chunk
    os.close(ours)
    said = written.decode()
    heard(said)
    assert spelled(bytes(written)) == []
    return process.wait(60), said


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
@pytest.mark.parametrize("case", ["escapes", "controls", "bidi"])
def test_at_a_terminal_nothing_but_the_bar_steers_it(
    tmp_path: Path, canary_page: PageServer, terminal: str, case: str
) -> None:
    text = ARRIVES[case]
    (tmp_path / JOB).write_text(job_with(canary_page.url, eight_of(text)))
    canary_page.script(*echoes(text))
    for args in (("run", JOB, "-v", "--concurrency", "1"), ("plan", JOB), ("plan", JOB, "--json"), ("run", text[:40])):
        code, said = _at_a_terminal(*args, cwd=tmp_path, env={"TERM": terminal})
        assert code in {0, 2, 3}, said
        drawn = args[0] == "run" and terminal != "dumb" and JOB in args
        plain = RICH.sub("", said) if drawn else said.replace("\r\n", "\n")
        assert unprintable(plain) == set(), ascii(plain)
    assert len(canary_page.seen) == 6
