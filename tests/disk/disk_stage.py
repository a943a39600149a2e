"""A run whose disk fails, and the one that follows on a healthy disk: what both owe, whatever it was that failed."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evidence import pairs
from processes import DEADLINE_S, wait_until
from stage import Job

if TYPE_CHECKING:
    from pathlib import Path

    from evidence import Pair
    from judge import Tally
    from stage import Process, Stage

SMALL = Job(seeds=4, in_flight=4)
BIG = Job(seeds=2, in_flight=2, size="full", set_aside="defaults: {aspect_ratio: '3:2'}")
"""The first of its pictures have more than 560 KB."""
STORAGE = 5
LONG_S = 2.0
"""Enough for something to happen to a disk."""


def rescue_places(base: Path) -> list[Path]:
    """The folders in which pictures wait that their output folder did not take."""
    return sorted((base / "state" / "batchgen" / "rescued").glob("*"))


def rescued(base: Path) -> list[Pair]:
    """The pairs there, which are whole."""
    found = [pair for place in rescue_places(base) for pair in pairs(place)]
    assert not [pair.flaw for pair in found if pair.flaw]
    return found


def events(stage: Stage, name: str) -> list[dict[str, Any]]:
    """What the latest run said of this kind."""
    lines = map(json.loads, stage.events.read_text().splitlines())
    return [event for event in lines if event["event"] == name]


def why_it_stopped(stage: Stage) -> str:
    """The one line with place, cause and remedy."""
    said = [event["why"] for event in events(stage, "run_ended")] or stage.errors.read_text().splitlines()
    assert len(said) == 1
    assert "\n" not in said[0]
    return str(said[0])


def tell(stage: Stage, **settings: Any) -> None:
    """Other settings for the server, from now on."""
    control = stage._sandbox.log_url.removesuffix("/log") + "/control"
    change = json.dumps(settings).encode()
    with urllib.request.urlopen(control, data=change, timeout=DEADLINE_S) as answer:  # noqa: S310 - http on this machine
        now = json.load(answer)
    assert {key: now[key] for key in settings} == settings


def start_slowly(stage: Stage) -> Process:
    """A run with as many requests in flight as its job allows; they are answered once something befell its disk."""
    tell(stage, latency=LONG_S)
    run = stage.start()
    wait_until(lambda: stage._summary()["in_flight"] == stage._job.in_flight, "all that may be is in flight")
    tell(stage, latency=0)
    return run


def stopped(stage: Stage, base: Path, code: int) -> list[Pair]:
    """A run has ended because of its disk, and in order; what it left in the rescue place."""
    assert code == STORAGE
    assert not stage.findings
    stage.deaths += 1  # nobody could write the run's end into a ledger that takes no more
    there, snapshot = rescued(base), stage.snapshot()
    stage._snapshots.append(
        replace(snapshot, safe={**snapshot.safe, **{pair.task: pair.sidecar_sha256 for pair in there}})
    )
    return there


def completed(stage: Stage, base: Path) -> Tally:
    """On a healthy disk the job is made to its end, and all that the judge looks at is as it should be."""
    stage.run()
    tally = stage.judged()
    assert tally.findings == ()
    assert tally.lost == 0
    assert not rescue_places(base)
    return tally
