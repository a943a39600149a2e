"""Clients, each as one or more real processes that make a number of pictures and end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.servers import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.rules import Rule

_KEY_ENV = "BENCH_KEY"


class Client(Protocol):
    """One client as it will be started."""

    @property
    def may_end_with(self) -> frozenset[int]:
        """The exit codes that are no fault of the client itself."""

    @property
    def words(self) -> str:
        """The client in the words of the table."""

    def commands(self, url: str, tasks: int, rule: Rule, folder: Path) -> list[list[str]]:
        """The processes to run at once, together making `tasks` pictures."""


@dataclass(frozen=True, slots=True)
class Batchgen:
    """`batchgen run` of a sweep of seeds, in one process or several on one key, each with a folder of its own."""

    told: bool
    """Whether the job says the server's rule, or `rate_limit: unknown`. It never says anything of concurrency."""
    processes: int = 1
    margin: str | None = None
    """In place of the default, which is at least 50 ms and so a twentieth of a window of 1 s."""

    @property
    def may_end_with(self) -> frozenset[int]:
        """See Client. 1: some tasks failed; the server's log says how many."""
        return frozenset({0, 1})

    @property
    def words(self) -> str:
        """See Client."""
        several = f", {self.processes} processes" if self.processes > 1 else ""
        margin = f", margin {self.margin}" if self.margin else ""
        return f"batchgen, {'told the limit' if self.told else 'limit unknown'}{margin}{several}"

    def commands(self, url: str, tasks: int, rule: Rule, folder: Path) -> list[list[str]]:
        """See Client."""
        share = tasks // self.processes
        commands = []
        for number in range(self.processes):
            job = folder / f"job-{number}.yaml"
            job.write_text(json.dumps(self._job(url, rule, f"{number * share + 1}..{(number + 1) * share}")))
            output = folder / f"output-{number}"
            commands.append([sys.executable, "-m", "batchgen", "run", str(job), "--output", str(output), "-q"])
        return commands

    def _job(self, url: str, rule: Rule, seeds: str) -> dict[str, Any]:
        limit = rule.told if self.told else "unknown"
        margin = {"margin": self.margin} if self.margin else {}
        return {
            "provider": {"kind": "gateway", "url": url, "api_key_env": _KEY_ENV, "rate_limit": limit, **margin},
            "defaults": {"model": "sd3-large-turbo"},
            "prompts": ["an otter"],
            "sweep": {"seeds": seeds},
        }


@dataclass(frozen=True, slots=True)
class Peer:
    """A program without batchgen; see benchmarks/peers.py."""

    name: str
    words: str

    @property
    def may_end_with(self) -> frozenset[int]:
        """See Client."""
        return frozenset({0})

    def commands(self, url: str, tasks: int, rule: Rule, folder: Path) -> list[list[str]]:  # noqa: ARG002 - the protocol's
        """See Client."""
        numbers = (str(tasks), str(rule.sends), str(rule.seconds))
        return [[sys.executable, "-m", "benchmarks.peers", self.name, url, *numbers]]


def run(
    commands: Sequence[Sequence[str]], folder: Path, *, may_end_with: frozenset[int], within_s: float
) -> str | None:
    """Run a client's processes at once, to their ends; what went wrong with them in a line, or None.

    What batchgen remembers of limits goes to `folder`, so every trial begins without a memory.
    """
    environment = {**os.environ, _KEY_ENV: KEY, "XDG_STATE_HOME": str(folder / "state")}
    with (folder / "clients.txt").open("w") as said:
        children = [subprocess.Popen(each, env=environment, stdout=said, stderr=said) for each in commands]
    give_up_at = time.monotonic() + within_s
    try:
        codes = [child.wait(max(0.0, give_up_at - time.monotonic())) for child in children]
    except subprocess.TimeoutExpired:
        return f"did not end within {within_s:g} s"
    finally:
        for child in children:
            child.kill()
            child.wait()
    return None if may_end_with.issuperset(codes) else f"ended with {codes}: {_last_line(folder)}"


def _last_line(folder: Path) -> str:
    lines = (folder / "clients.txt").read_text().strip().splitlines()
    return lines[-1] if lines else "it said nothing"
