"""An outage of the server: how soon the limit is used again once it is over, and what was sent meanwhile.

It takes its real time, and asks for so little that other trials can run beside it.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import clients
from benchmarks.clients import Batchgen
from benchmarks.measure import Figure
from benchmarks.rules import Kind, Rule
from benchmarks.servers import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

_RULE = Rule(Kind.WINDOW, 150, 10)
_BEGINS_S = 15
_FULL_SPEED = 0.95
_FIRST_STEP_S, _LONGEST_STEP_S, _SHORTENED = 5.0, 30.0, 0.75
# What was on its way when the first request failed has failed by then, and the first step is not over.
_IN_FLIGHT_S = 3.0
_RECOVERS_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Outage:
    """So many seconds of 503 in the course of so many tasks."""

    seconds: int
    tasks: int

    def figures(self) -> tuple[list[Figure], str | None]:
        """What came of it, and what went wrong with batchgen itself; takes the outage's time and a minute or two."""
        ends_s = _BEGINS_S + self.seconds
        server = Sandbox(rule=_RULE, penalty_s=60, latency_s=0.5, spread_s=0.3, outage=(_BEGINS_S, ends_s))
        with tempfile.TemporaryDirectory(prefix="batchgen-bench-") as name:
            folder = Path(name)
            with server.start(folder) as running:
                client = Batchgen(told=True)
                commands = client.commands(running.url, self.tasks, _RULE, folder)
                fault = clients.run(commands, folder, may_end_with=client.may_end_with, within_s=ends_s + 180)
            entries = [json.loads(line) for line in running.log.read_text().splitlines()]
        served = sorted(each["monotonic"] for each in entries if each["status"] == 200)
        refused = sorted(each["monotonic"] for each in entries if each["status"] == 503)
        throttled = sum(each["status"] == 429 for each in entries)
        found = [
            _figure(
                "from its end to full speed",
                full_speed_after_s(served, running.began + ends_s),
                "s",
                within=_RECOVERS_WITHIN_S,
            ),
            _figure("requests to find out that it lasts", probes(refused), "requests", within=steps(self.seconds) + 1),
            _figure("requests beyond the limit", throttled, "requests", within=0),
            _figure("tasks lost", self.tasks - len(served), "tasks", within=0),
        ]
        return found, fault


def full_speed_after_s(served: Sequence[float], ended: float) -> float:
    """Seconds from `ended` to the begin of the first stretch that used the limit nearly whole; infinite if none did.

    `served`: when the requests that got a picture arrived, in order.
    """
    after = [at for at in served if at >= ended]
    whole = ceil(_FULL_SPEED * _RULE.sends)
    stretches = zip(after, after[whole - 1 :], strict=False)
    return next((first - ended for first, last in stretches if last - first <= _RULE.seconds), inf)


def probes(refused: Sequence[float]) -> int:
    """How many requests met the outage after those that were on their way when it began; `refused` in order."""
    return sum(at > refused[0] + _IN_FLIGHT_S for at in refused)


def steps(seconds: float) -> int:
    """How many probes an outage of so many seconds takes at most: steps from 5 s, doubling to 30 s, less a quarter."""
    count, at, step = 0, 0.0, _FIRST_STEP_S
    while (at := at + step * _SHORTENED) < seconds:
        count, step = count + 1, min(2 * step, _LONGEST_STEP_S)
    return count


def _figure(name: str, value: float, unit: str, *, within: float) -> Figure:
    return Figure(name=name, values=(value,), unit=unit, bound=within)
