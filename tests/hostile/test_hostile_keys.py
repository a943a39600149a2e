"""A key file or a key of any wrong kind is one line with its place and remedy, without the key; and nothing is sent."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from canary import KEY
from hostile_runs import JOB, job, served, tame
from in_process import called
from page_server import png
from raw_server import ok

from batchgen.keys import MOST_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Ended

ONE_WORD = "the file of PICTURE_KEY_FILE holds no API key; a key is one word of at most 4,096 ASCII characters"


def _run(folder: Path, env: dict[str, str]) -> tuple[Ended, list[str]]:
    """A run with this environment, and what it was asked with at the server."""
    with served(ok(png(7))) as server:
        (folder / JOB).write_text(job(server.url))
        ended = tame(called("run", JOB, cwd=folder, env=env))
    return ended, [server.headers(number)["authorization"] for number in range(len(server.requests))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a key file goes."""
    (tmp_path / "planted").mkdir()
    return tmp_path / "planted" / "key"


def _write(content: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)
        path.chmod(mode)

    return write


def _below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def _endless(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, 1 << 40)


GOOD = {
    "bare": KEY.encode(),
    "a line": KEY.encode() + b"\n",
    "CRLF": KEY.encode() + b"\r\n",
    "blanks around it": b"\n\t " + KEY.encode() + b" \n\n" + b"\n" * 10_000,
    "the longest": b"k" * MOST_CHARACTERS + b"\r\n",
}


@pytest.mark.parametrize("content", GOOD.values(), ids=list(GOOD))
def test_a_key_file_is_read_without_the_ends_of_its_line(tmp_path: Path, file: Path, content: bytes) -> None:
    _write(content)(file)
    ended, asked = _run(tmp_path, {"PICTURE_KEY_FILE": str(file)})
    assert ended.code == 0, ended.err
    assert asked == [f"Bearer {content.strip().decode()}"]


def test_a_key_file_stands_over_the_variable_and_may_be_a_link(tmp_path: Path, file: Path) -> None:
    _write(KEY.encode())(file.with_name("real"))
    file.symlink_to("real")
    ended, asked = _run(tmp_path, {"PICTURE_KEY_FILE": str(file), "PICTURE_KEY": "another"})
    assert (ended.code, asked) == (0, [f"Bearer {KEY}"])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "{file} (PICTURE_KEY_FILE) can't be read: No such file or directory; give a file"),
    "below a file": (_below_a_file, "can't be read: Not a directory; give"),
    "a folder": (lambda path: path.mkdir(), "{file} (PICTURE_KEY_FILE) can't be read: Is a directory; give a file"),
    "a pipe": (lambda path: os.mkfifo(path, 0o600), "{file} (PICTURE_KEY_FILE) is not a regular file; give a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is not a regular file; give a file that holds the key"),
    "a loop": (lambda path: path.symlink_to(path), "can't be read: Too many levels of symbolic links; give a file"),
    "for the group": (_write(KEY.encode(), 0o640), "can be read by others; chmod 600 {file}"),
    "for all": (_write(KEY.encode(), 0o604), "can be read by others; chmod 600 {file}"),
    "written by all": (_write(KEY.encode(), 0o602), "can be read by others; chmod 600 {file}"),
    "empty": (_write(b""), ONE_WORD),
    "blank": (_write(b" \r\n\n"), ONE_WORD),
    "two words": (_write(b"Bearer " + KEY.encode()), ONE_WORD),
    "two lines": (_write(KEY.encode() + b"\nmore\n"), ONE_WORD),
    "CRLF inside": (_write(KEY.encode() + b"\r\nX-Evil: 1"), ONE_WORD),
    "NUL": (_write(KEY.encode() + b"\0"), ONE_WORD),
    "ESC": (_write(b"\x1b[2J" + KEY.encode()), ONE_WORD),
    "DEL": (_write(KEY.encode() + b"\x7f"), ONE_WORD),
    "latin-1": (_write(KEY.encode() + b"\xe9"), ONE_WORD),
    "UTF-8": (_write(f"{KEY}é".encode()), ONE_WORD),
    "not latin-1": (_write(f"{KEY}狐\u202e".encode()), ONE_WORD),
    "UTF-16": (_write(KEY.encode("utf-16")), ONE_WORD),
    "a mark before it": (_write(f"\ufeff{KEY}".encode()), ONE_WORD),
    "no text": (_write(b"\xff\xfe\0\x80"), ONE_WORD),
    "too long": (_write(b"k" * (MOST_CHARACTERS + 1)), ONE_WORD),
    "endless": (_endless, ONE_WORD),
}


@pytest.mark.parametrize("case", BAD)
def test_a_key_file_that_can_not_be_used_is_one_line_without_the_key(tmp_path: Path, file: Path, case: str) -> None:
    make, said = BAD[case]
    make(file)
    ended, asked = _run(tmp_path, {"PICTURE_KEY_FILE": str(file)})
    assert (ended.code, ended.out, asked) == (2, "", [])
    [line] = ended.err.splitlines()
    assert line.startswith("batchgen: ")
    assert said.format(file=file) in line
    assert "PICTURE_KEY_FILE" in line


def test_a_socket_for_a_key_file_is_no_file(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("key")
        file.chmod(0o600)
        ended, asked = _run(tmp_path, {"PICTURE_KEY_FILE": str(file)})
    assert (ended.code, asked) == (2, [])
    assert "(PICTURE_KEY_FILE) can't be read: No such device or address; give a file that holds the key" in ended.err


def test_a_path_that_would_steer_a_terminal_is_shown_escaped(tmp_path: Path) -> None:
    ended, _ = _run(tmp_path, {"PICTURE_KEY_FILE": "/\x1b[2J\u202e\n"})
    assert ended.code == 2
    assert ended.err.startswith(r"batchgen: /\x1b[2J\u202e\n (PICTURE_KEY_FILE) can't be read: ")


@pytest.mark.parametrize(
    "key",
    ["two words", f"{KEY}\nX-Evil: 1", f"{KEY}\r", f"{KEY}\x1b[2J", f"{KEY}é", f"{KEY}狐", f"\u202e{KEY}", "\x7f"],
)
def test_a_key_that_can_not_stand_in_a_header_is_one_line_without_it(tmp_path: Path, key: str) -> None:
    ended, asked = _run(tmp_path, {"PICTURE_KEY": key})
    if key.strip() == KEY:  # a line's end is none of the key
        assert (ended.code, asked) == (0, [f"Bearer {KEY}"])
        return
    assert (ended.code, ended.out, asked) == (2, "", [])
    said = "batchgen: PICTURE_KEY holds no API key; a key is one word of at most 4,096 ASCII characters\n"
    assert ended.err == said
