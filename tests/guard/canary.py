"""The key that must be nowhere: what the tests give for a key, and the search for it in all that they left behind.

It is a plug-in of pytest. When a session is over, every regular file below its temporary folder (those of all workers)
is searched, by name and content, whole; a place where it stands fails the session. What is read from a process that a
test runs is no file, so `heard` makes it one.
"""

from __future__ import annotations

import base64
import errno
import mmap
import os
import stat
from contextlib import suppress
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CORE: Final = "Zq7Vt3KxPw9d"
KEY: Final = f"sk-{_CORE}/+%3C\"\\&<x>=~'"
"""All that can stand in a header and is spelled otherwise elsewhere. Its core is the same in most spellings."""

ALSO: Final = ("page-key", "wrong-key-4711", "canary-key-0123456789", "sk-canary-0123456789abcdef")
"""The keys that single tests give; these are searched for as they are."""

PLANTED: Final = ("*/planted/*",)
"""Where tests put a key themselves: the only places, below the temporary folder, in which it may stand."""

_said: list[Path] = []
_unwritten: list[str] = []
_numbers = count()
_leaks = pytest.StashKey[list[str]]()


def heard(*texts: str) -> None:
    """Keep what a process said for the search at the end."""
    _unwritten.extend(texts)
    with suppress(PermissionError):  # while a test is another user; then with what is heard next
        _write()


def _write() -> None:
    for folder in _said:
        if _unwritten:
            file = folder / f"{os.getpid()}-{next(_numbers)}.txt"
            file.write_text("\n".join(_unwritten), errors="surrogateescape")
            _unwritten.clear()


def spelled(content: bytes) -> list[str]:
    """How a key is spelled in this; nothing where it holds none."""
    return [spelling for spelling, form in _forms() if form in content]


def leaks(folder: Path) -> Iterator[str]:
    """Each place below a folder where a key stands, and how it is spelled there."""
    sought = list(_forms())
    for path in _below(folder):
        place = path.relative_to(folder)
        if any(fnmatch(f"/{place}", pattern) for pattern in PLANTED):
            continue
        name = os.fsencode(place)
        found = [spelling for spelling, form in sought if form in name] or _in_file(path, sought)
        yield from (f"{place}: {spelling}" for spelling in found)


def _forms() -> Iterator[tuple[str, bytes]]:
    core = _CORE.encode()
    yield "as it is", core
    yield "reversed", core[::-1]
    yield "UTF-16", _CORE.encode("utf-16-le")
    yield "UTF-16, big-endian", _CORE.encode("utf-16-be")
    yield "UTF-16, reversed", _CORE.encode("utf-16-le")[::-1]
    yield "hex", core.hex().encode()
    yield "HEX", core.hex().upper().encode()
    yield "percent-encoded", "".join(f"%{byte:02x}" for byte in core).encode()
    yield "Percent-encoded", "".join(f"%{byte:02X}" for byte in core).encode()
    yield "JSON-escaped", "".join(f"\\u{byte:04x}" for byte in core).encode()
    yield "in characters of HTML", "".join(f"&#{byte};" for byte in core).encode()
    for before in range(3):
        # The characters that no neighbour has a part in; the same in the alphabet for urls, as the core has no + or /.
        whole = base64.b64encode(bytes(before) + core)
        yield "base64", whole[-(-before * 8 // 6) : (before + len(core)) * 8 // 6]
    yield from ((f"{key!r} as it is", key.encode()) for key in ALSO)


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder that has a name; no link is followed."""
    for above, folders, files in os.walk(folder):
        yield from (Path(above, name) for name in (*folders, *files))


def _in_file(path: Path, sought: list[tuple[str, bytes]]) -> list[str]:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
            return []
        with path.open("rb") as file:
            spans = list(_written(file.fileno(), found.st_size))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return [
                    spelling
                    for spelling, form in sought
                    if any(content.find(form, start, end) >= 0 for start, end in spans)
                ]
    except FileNotFoundError:  # a moment ago it was there
        return []
    except OSError as error:
        return [f"can't be searched ({error.strerror})"]


def _written(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes: a test's file of 5 GB may hold nothing at all."""
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # no data behind here
                raise
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def _base(config: pytest.Config) -> Path:
    factory = config._tmp_path_factory  # type: ignore[attr-defined]  # what the fixture of that name gives
    return Path(factory.getbasetemp())


@pytest.hookimpl
def pytest_sessionstart(session: pytest.Session) -> None:
    """What processes say is kept from here on; what tests leave must still be there when they are over."""
    if session.config.getini("tmp_path_retention_policy") != "all":
        raise pytest.UsageError("tmp_path_retention_policy: must be all, so that what tests leave can be searched")
    folder = _base(session.config) / "said"
    folder.mkdir(exist_ok=True)
    _said[:] = [folder]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """All tests are over, those of the workers too: their folders lie in the controller's."""
    _write()
    if hasattr(session.config, "workerinput"):
        return
    found = session.config.stash[_leaks] = list(leaks(_base(session.config)))
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Where the key stands that must be nowhere."""
    for place in config.stash.get(_leaks, []):
        terminalreporter.write_line(f"THE KEY STANDS IN {place}", red=True)
