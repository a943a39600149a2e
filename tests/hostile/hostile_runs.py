"""What means batchgen ill: servers, and whole runs of the command line against them; and what holds whatever comes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

import canary
from anyio.from_thread import start_blocking_portal
from in_process import called
from processes import NOTHING, Ended
from raw_server import RawServer, raw_server, read_request

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from raw_server import Answer, Then

JOB = "otters.yaml"
KEY = {"PICTURE_KEY": canary.KEY}


@contextmanager
def served(
    answer: Answer,
    then: Then | None = None,
    *,
    reads: Callable[[asyncio.StreamReader], Awaitable[bytes]] = read_request,
) -> Iterator[RawServer]:
    """A raw server on a thread of its own, for a client that has its own event loop."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(raw_server(answer, then, reads=reads)) as server,
    ):
        yield server


def job(url: str, *, prompts: str = "[a fox]", seeds: str = "7", timeout: str = "60s", more: str = "") -> str:
    """A job for the API at `url` that takes every answer for final; its key is in PICTURE_KEY."""
    provider = f"kind: gateway, url: '{url}', api_key_env: PICTURE_KEY, rate_limit: none, timeout: {timeout}"
    return (
        f"provider: {{{provider}}}\nretry: {{attempts: 1, paid: 0}}\n"
        f"prompts: {prompts}\nsweep: {{seeds: {seeds}}}\n{more}"
    )


def run(text: str, *options: str, cwd: Path, env: Mapping[str, str] = NOTHING) -> Ended:
    """`batchgen run` of a job's text, with all that it has to say; tame whatever it met."""
    (cwd / JOB).write_text(text)
    return tame(called("run", JOB, "-v", *options, cwd=cwd, env={**KEY, **env}))


def tame(ended: Ended) -> Ended:
    """What was said is lines of words: nothing that steers a terminal, no traceback, no key."""
    said = ended.out + ended.err
    canary.heard(said)
    assert unprintable(said) == set(), ascii(said)
    assert "Traceback" not in said, said
    assert canary.spelled(said.encode()) == [], said
    return ended


def unprintable(text: str) -> set[str]:
    """Controls, escapes, bidi marks, halves of characters and line ends of other kinds in a text."""
    found = {char: unicodedata.category(char) for char in set(text) - {"\n"}}
    return {char for char, kind in found.items() if kind[0] == "C" or kind in {"Zl", "Zp"}}


def quoted(value: object) -> str:
    """Texts as flow YAML, with each odd character as an escape where it has one; JSON's halves of pairs are none."""
    written = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(char):04x}" if unprintable(char) and char < "\uffff" else char for char in written)


def lines_with(ended: Ended, words: str) -> list[str]:
    """The lines of stderr in which these words stand."""
    return [line for line in ended.err.splitlines() if words in line]


def tree(root: Path, *, but: Path | None = None) -> dict[str, str]:
    """Everything below a folder by its path: its kind, its permissions, and what it holds; `but` is left out."""
    found = {}
    for above, folders, files in os.walk(root):
        folders[:] = [name for name in folders if root.joinpath(above, name) != but]
        for name in (*folders, *files):
            path = root.joinpath(above, name)
            found[str(path.relative_to(root))] = _shown(path)
    return found


def _shown(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {path.readlink()}"
    content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""
    return f"{stat.filemode(mode)} {content}"
