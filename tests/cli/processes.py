"""batchgen as a process of its own, a sandbox as another, and what they leave."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import canary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

BATCHGEN = (sys.executable, "-m", "batchgen")
DEADLINE_S = 60.0
"""Far more than anything here takes; reached only where something is broken."""

NOTHING: Mapping[str, str] = {}

Running = subprocess.Popen[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        """What it said is searched for the key when all tests are over."""
        canary.heard(self.out, self.err)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with more."""
    return {**os.environ, **extra}


def start(*args: str, cwd: Path, env: Mapping[str, str] = NOTHING, err: int | IO[str] = subprocess.PIPE) -> Running:
    """Start `batchgen ARGS` in a folder, with more environment variables."""
    return subprocess.Popen(  # noqa: S603 - the very program under test
        [*BATCHGEN, *args],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=err,
        text=True,
    )


def finish(process: Running) -> Ended:
    """Wait for the end of a process; one that does not end is killed and fails its test."""
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it never ended; it said:\n{out}\n{err}") from None
    assert "Traceback" not in (err or ""), err
    return Ended(code=process.returncode, out=out or "", err=err or "")


def batchgen(*args: str, cwd: Path, env: Mapping[str, str] = NOTHING) -> Ended:
    """Run `batchgen ARGS` to its end."""
    return finish(start(*args, cwd=cwd, env=env))


def wait_until(happened: Callable[[], Any], what: str) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideSandbox:
    """A sandbox that is no child of the run: the independent witness of what was asked."""

    url: str
    log_url: str

    def log(self) -> list[dict[str, Any]]:
        """Every request so far."""
        with urllib.request.urlopen(self.log_url, timeout=DEADLINE_S) as answer:  # noqa: S310 - http on this machine
            requests: list[dict[str, Any]] = json.load(answer)["requests"]
            return requests


@contextmanager
def outside_sandbox(*options: str) -> Iterator[OutsideSandbox]:
    """A sandbox with small pictures on a free port, as a process."""
    command = [*BATCHGEN, "sandbox", "--port", "0", "--size", "small", "--json", "--key", canary.KEY, *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield OutsideSandbox(url=said["url"], log_url=said["log"])
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Mark:
    """A sandbox that others use too, from here on."""

    sandbox: OutsideSandbox
    before: int

    @property
    def url(self) -> str:
        """Where pictures are made."""
        return self.sandbox.url

    def requests(self) -> list[dict[str, Any]]:
        """The requests since this mark."""
        return self.sandbox.log()[self.before :]


KEY = {"PICTURE_KEY": canary.KEY}
"""The environment in which the jobs of `job_for` find their key."""


def job_for(url: str, *, prompts: str = "['a fox', 'an owl']", seeds: str = "1..2", more: str = "") -> str:
    """A job that asks the API at `url`; its key is in PICTURE_KEY. Further lines stand at its end."""
    provider = f"{{kind: gateway, url: '{url}', api_key_env: PICTURE_KEY, rate_limit: none}}"
    return f"provider: {provider}\nprompts: {prompts}\nsweep: {{seeds: {seeds}}}\n{more}"


def sidecars(folder: Path) -> dict[str, dict[str, Any]]:
    """Every sidecar below a folder, by its path there."""
    found = [*folder.glob("images/**/*.json"), *folder.glob("filtered/**/*.json")]
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in sorted(found)}


def made(folder: Path) -> int:
    """How many pictures are made so far, while a run is still at it."""
    return len(list(folder.glob("images/**/*.json")))


def pictures(folder: Path) -> dict[str, str]:
    """The sha256 of every picture below a folder, by its path there."""
    found = [path for area in ("images", "filtered") for path in (folder / area).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(found)
        if path.suffix != ".json"
    }


def parts(folder: Path) -> list[Path]:
    """What is not finished below a folder."""
    return [path for path in folder.rglob("*") if ".part" in path.name]


def assert_whole(folder: Path) -> None:
    """Every picture has its sidecar, says what it says, and nothing else lies there."""
    said = {
        str((folder / place).parent.relative_to(folder) / each["picture"]["file"]): each["picture"]["sha256"]
        for place, each in sidecars(folder).items()
    }
    assert pictures(folder) == said
    assert not parts(folder)


def events(out: str) -> list[dict[str, Any]]:
    """The events of a `--json` run."""
    return [json.loads(line) for line in out.splitlines()]
