"""All crash rounds: `python tests/crash [--seed N] [--only WORDS] [--jobs N] [--list]`; 1 where a promise is broken."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "guard"), str(HERE.parent / "cli")]
# The processes of a round talk to this machine alone too, and get no settings from outside.
for name in [name for name in os.environ if name.startswith("BATCHGEN_") or name.lower().endswith("_proxy")]:
    del os.environ[name]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent / "guard"), os.environ.get("PYTHONPATH", ""))))

import loopback_only  # noqa: E402 - found by the lines above
from damaged_ledgers import ledger_rounds  # noqa: E402
from judge import Tally  # noqa: E402
from power import power_rounds  # noqa: E402
from random_kills import random_rounds  # noqa: E402
from rounds import recovery_rounds, step_rounds  # noqa: E402
from system_calls import system_call_rounds  # noqa: E402

if TYPE_CHECKING:
    from rounds import Round

COLUMNS = ("rounds", "deaths", "requests", "repeated", "in_doubt", "lost")


def main() -> int:
    """Play the rounds, tell what they came to."""
    arguments = _arguments()
    rounds = [each for each in _rounds(arguments.seed) if arguments.only in f"{each.group}: {each.name}"]
    if arguments.list:
        _say(*(f"{each.group}: {each.name}" for each in rounds))
        return 0
    began_s = time.monotonic()
    _say(f"{len(rounds)} rounds, --seed {arguments.seed}")
    skipped = Counter(why for each in rounds if (why := each.lacking()))
    tallies = _play([each for each in rounds if not each.lacking()], arguments.jobs)
    _say("", *_table(tallies), *(f"skipped {count} rounds: {why}" for why, count in skipped.items()))
    _say(f"{time.monotonic() - began_s:.0f} s")
    findings = sum((tally.findings for tally in tallies.values()), ())
    if findings:
        _say(f"{len(findings)} findings")
    return 1 if findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/crash", description=__doc__)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of the random moments")
    parser.add_argument("--only", default="", help="rounds whose group or name has these words")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="rounds at a time")
    parser.add_argument("--list", action="store_true", help="name the rounds, play none")
    return parser.parse_args()


def _rounds(seed: int) -> list[Round]:
    return [
        *step_rounds(),
        *recovery_rounds(),
        *random_rounds(seed),
        *ledger_rounds(),
        *system_call_rounds(),
        *power_rounds(seed),
    ]


def _play(rounds: list[Round], at_a_time: int) -> dict[str, Tally]:
    """The sums by group; what is wrong is said as it is found."""
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    with ThreadPoolExecutor(at_a_time) as pool:
        played = {pool.submit(_one, each): each for each in rounds}
        try:
            for count, done in enumerate(as_completed(played), start=1):
                each, tally = played[done], done.result()
                tallies[each.group] += tally
                _say(*(f"{each.group}: {each.name}: {finding}" for finding in tally.findings))
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r{count} of {len(rounds)} ")
        finally:
            pool.shutdown(cancel_futures=True)  # whoever ends this waits for what is being played, not for the rest
    return dict(sorted(tallies.items()))


def _one(each: Round) -> Tally:
    try:
        with TemporaryDirectory(prefix="batchgen-crash-") as base:
            return each.go(Path(base))
    except Exception as error:  # noqa: BLE001 - one round that can't be played is a finding, not the end of the others
        return Tally(rounds=1, findings=(f"could not be played: {type(error).__name__}: {error}",))


def _table(tallies: dict[str, Tally]) -> list[str]:
    rows = [*tallies.items(), ("all", sum(tallies.values(), Tally()))]
    head = f"{'':16}" + "".join(f"{name.replace('_', ' '):>10}" for name in (*COLUMNS, "findings"))
    return [
        head,
        *(
            f"{group:16}" + "".join(f"{getattr(tally, name):>10}" for name in COLUMNS) + f"{len(tally.findings):>10}"
            for group, tally in rows
        ),
    ]


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is mounted is taken down
    loopback_only.install()
    sys.exit(main())
