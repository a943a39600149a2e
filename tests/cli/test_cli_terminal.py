"""At a terminal: a live bar, gone in the end, with the terminal as it was."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from processes import BATCHGEN, KEY, NOTHING, Mark, environment, job_for, pictures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HIDE_CURSOR, SHOW_CURSOR, ESCAPE = "\x1b[?25l", "\x1b[?25h", "\x1b"


def _at_a_terminal(*args: str, cwd: Path, env: Mapping[str, str] = NOTHING) -> tuple[int, str, bool]:
    """Run batchgen with stderr at a terminal: its exit code, all it wrote there, and whether the settings stayed."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    env = environment({"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **env})
    process = subprocess.Popen(  # noqa: S603 - the very program under test
        [*BATCHGEN, *args], cwd=cwd, env=env, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs
    )
    # Another process keeps the terminal's other end open until it ends; then reading ends with EIO.
    written = bytearray()
    while process.poll() is None:
        written += _read(ours)
    same = termios.tcgetattr(theirs) == before
    os.close(theirs)
    while rest := _read(ours):
        written += rest
    os.close(ours)
    return process.returncode, written.decode(), same


def _read(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError, OSError):
        return os.read(descriptor, 65536)
    return b""


def test_a_live_bar_that_is_gone_in_the_end(tmp_path: Path, slow_sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url))
    code, said, same = _at_a_terminal("run", "otters.yaml", cwd=tmp_path, env=KEY)
    assert (code, same) == (0, True)
    assert "making" in said
    assert "0/4" in said
    assert said.count(HIDE_CURSOR) == said.count(SHOW_CURSOR) >= 1
    after = said[said.rindex(SHOW_CURSOR) :]
    assert "made 4 pictures" in after
    assert "0/4" not in after
    assert len(pictures(tmp_path / "output/otters")) == 4


@pytest.mark.parametrize("how", [{"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "dumb"}])
def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, sandbox: Mark, how: dict[str, str]) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    code, said, _ = _at_a_terminal("run", "otters.yaml", cwd=tmp_path, env={**KEY, **how})
    assert code == 0
    assert "made 4 pictures" in said
    assert ESCAPE not in said


def test_no_color_means_no_colour_at_a_terminal_too(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    code, said, _ = _at_a_terminal("run", "otters.yaml", cwd=tmp_path, env={"NO_COLOR": "1", **KEY})
    assert code == 0
    assert not [code for code in ("\x1b[3", "\x1b[9", "\x1b[1;3") if code in said]


def test_a_usage_error_at_a_terminal_leaves_it_as_it_was(tmp_path: Path) -> None:
    code, said, same = _at_a_terminal("run", "none.yaml", cwd=tmp_path)
    assert (code, same) == (2, True)
    assert ESCAPE not in said


def test_a_prompt_can_not_steer_the_terminal(tmp_path: Path, sandbox: Mark) -> None:
    prompts = '["\\e[2J\\e]0;owned\\a a fox"]'
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts=prompts, seeds="1"))
    code, said, _ = _at_a_terminal("run", "otters.yaml", "-v", cwd=tmp_path, env={"TERM": "dumb", **KEY})
    assert ESCAPE not in said
    assert code in {0, 2}
