"""kill -9 at random moments, several in a row, while much is in flight and the server fails now and then.

Every other one ends the run's process alone, as users do, half of those so that the next run begins while its pictures
are still being kept; the others end all that belongs to it, at one instant.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from rounds import Round
from stage import Job, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from judge import Tally

ROUNDS = 28
LONGEST_S = 1.3
"""After a run's first word; a job takes some 2 s, so that few kills come too late."""
FAULTS = ("500=0.05", "reset=0.03", "reset-first=0.02", "cut=0.04", "reset-body=0.02", "drop=0.02")


class Kill(NamedTuple):
    """How a run ends; see `Stage.kill_after`."""

    begun: bool
    seconds: float
    whole: bool
    seen: bool


def random_rounds(seed: int) -> Iterator[Round]:
    """Rounds that are the same for the same seed, as far as a machine's pace allows."""
    for number in range(ROUNDS):
        chance = Random(f"{seed}-{number}")  # noqa: S311 - moments, not secrets
        big, faulty = number % 4 == 3, number % 2 == 1
        job = Job(
            seeds=8 if big else chance.choice((20, 40, 60)),
            in_flight=8 if big else 16,
            size="full" if big else "small",
            server=_server(chance, faulty=faulty),
        )
        kills = [
            Kill(
                begun=chance.random() < 0.8,
                seconds=chance.uniform(0.0, LONGEST_S),
                whole=(number + each) % 2 == 0,
                seen=chance.random() < 0.5 or (number + each) % 2 == 0,
            )
            for each in range(chance.randint(2, 4))
        ]
        kind = f"{2 * job.seeds} {'big' if big else 'small'} pictures{', faults' if faulty else ''}"
        yield Round(group="random kills", name=f"{number}: {len(kills)} kills, {kind}", go=_go(job, kills))


def _server(chance: Random, *, faulty: bool) -> tuple[str, ...]:
    latency = ("--latency", f"{chance.uniform(0.1, 0.4):.2f}", "--jitter", "0.2", "--seed", str(chance.randrange(1000)))
    return (*latency, *(option for fault in FAULTS for option in ("--fail", fault))) if faulty else latency


def _go(job: Job, kills: list[Kill]) -> Callable[[Path], Tally]:
    def go(base: Path) -> Tally:
        with staged(base, job) as stage:
            for kill in kills:
                stage.kill_after(**kill._asdict())
            stage.complete()
            return stage.judged()

    return go
