"""The search for the key finds it wherever a test may leave it, and fails the session that did."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from canary import ALSO, KEY, leaks

if TYPE_CHECKING:
    from pathlib import Path

BEARER = f"Authorization: Bearer {KEY}"
SPELLINGS = {
    "text": BEARER,
    "repr": repr({"Authorization": BEARER}),
    "json": json.dumps({"said": BEARER}),
    "json in json": json.dumps(json.dumps(BEARER)),
    "all escaped": "".join(f"\\u{ord(char):04x}" for char in KEY),
    "url": quote(BEARER, safe=""),
    "percent": "".join(f"%{ord(char):02X}" for char in KEY),
    "html": html.escape(BEARER),
    "characters": "".join(f"&#{ord(char)};" for char in KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of more": base64.b64encode(BEARER.encode()).decode(),
    "base64 of yet more": base64.urlsafe_b64encode(f"x{BEARER}".encode()).decode(),
    "hex": BEARER.encode().hex(),
    "upper hex": BEARER.encode().hex(" ").upper().replace(" ", ""),
    "reversed": BEARER[::-1],
    **{f"also {number}": key for number, key in enumerate(ALSO)},
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder in which the key may stand: the search at the end of this very session leaves it out."""
    folder = tmp_path / "planted"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=list(SPELLINGS))
def test_every_spelling_is_found(planted: Path, text: str) -> None:
    (planted / "log").write_text(f"x\n{text}\ny")
    assert [place.partition(":")[0] for place in leaks(planted)] == ["log"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_it_is_found_in_other_encodings(planted: Path, encoding: str) -> None:
    (planted / "log").write_bytes(BEARER.encode(encoding))
    (planted / "reversed").write_bytes(BEARER.encode(encoding)[::-1])
    assert {place.partition(":")[0] for place in leaks(planted)} == {"log", "reversed"}


def test_it_is_found_in_a_database_in_names_and_deep_down(planted: Path) -> None:
    with sqlite3.connect(planted / "ledger.sqlite") as ledger:
        ledger.execute("PRAGMA journal_mode = WAL")
        ledger.execute("CREATE TABLE attempts (words TEXT)")
        ledger.execute("INSERT INTO attempts VALUES (?)", (BEARER,))
    deep = planted / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / ".hidden").write_bytes(bytes(3_000_000) + KEY.encode() + bytes(3_000_000))
    (deep / f"{KEY.replace('/', '')}.png").touch()
    found = {place.partition(":")[0] for place in leaks(planted)}
    assert {"a/b/c/.hidden", f"a/b/c/{KEY.replace('/', '')}.png"} < found
    assert found & {"ledger.sqlite", "ledger.sqlite-wal"}
    ledger.close()


def test_what_is_no_file_is_not_waited_for_and_holes_are_not_read(planted: Path) -> None:
    os.mkfifo(planted / "pipe")
    (planted / "loop").symlink_to("loop")
    (planted / "link").symlink_to("/proc/self/environ")
    (planted / "empty").touch()
    with (planted / "huge").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(KEY.encode())
    assert [place.partition(":")[0] for place in leaks(planted)] == ["huge"]


def test_a_place_where_a_test_puts_it_is_excused(planted: Path) -> None:
    (planted / "test_it0" / "planted").mkdir(parents=True)
    (planted / "test_it0" / "planted" / "key").write_text(KEY)
    assert not list(leaks(planted))


LEAKY = f"""\
from pathlib import Path
from canary import heard
KEY = {KEY!r}

def no_permission(*_args, **_options):
    raise PermissionError

def test_file(tmp_path):
    (tmp_path / "log.ndjson").write_text('{{"words": "' + KEY.encode().hex() + '"}}')

def test_process(monkeypatch):
    monkeypatch.setattr(Path, "write_text", no_permission)
    heard("all is well", "Bearer " + KEY)

def test_planted(tmp_path):
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/key").write_text(KEY)
"""
CLEAN = """\
def test_file(tmp_path):
    (tmp_path / "log").write_text("all is well")
"""


def _pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "canary", f"--basetemp={folder}/base", "--rootdir=.", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)  # noqa: S603


def _session(planted: Path, text: str, *options: str) -> tuple[int, list[str]]:
    """A session of pytest with these tests: its exit code, and the places that it names."""
    (planted / "test_it.py").write_text(text)
    ended = _pytest(planted, *options)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("THE KEY STANDS IN ")]
    assert "error" not in ended.stdout.lower(), ended.stdout
    return ended.returncode, [line.removeprefix("THE KEY STANDS IN ") for line in lines]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_session_that_leaves_it_somewhere_fails(planted: Path, workers: tuple[str, ...]) -> None:
    code, places = _session(planted, LEAKY, *workers)
    assert code == 1
    said, file = sorted(places, key=lambda place: "test_file" in place)
    assert re.search(r"(^|/)said/[^/]+\.txt: as it is$", said)
    assert re.search(r"(^|/)test_file0/log\.ndjson: hex$", file)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_session_that_leaves_it_nowhere_passes(planted: Path, workers: tuple[str, ...]) -> None:
    assert _session(planted, CLEAN, *workers) == (0, [])


def test_what_tests_leave_must_stay(planted: Path) -> None:
    (planted / "pytest.ini").write_text("[pytest]\ntmp_path_retention_policy = none\n")
    ended = _pytest(planted)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "tmp_path_retention_policy: must be all" in ended.stderr
