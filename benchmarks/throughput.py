"""Part `throughput`: pictures a second of batchgen and of what people use instead, against a server that never waits.

Clients of a group take turns, a round after another; a ratio is of two clients in the same round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import file_server
from benchmarks.file_server import KB_10, KB_264, MB_20
from benchmarks.measure import Figure
from benchmarks.places import DISK, MEMORY
from benchmarks.throughput_clients import BARE, BATCHGEN, BUILT, CURL, HTTPX, IMG2DATASET, REQUESTS, TENACITY
from benchmarks.trials import Trial, Work, tried
from benchmarks.watched import how_busy, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.throughput_clients import Client

    Results = dict[Client, list[Trial]]


@dataclass(frozen=True, slots=True)
class Bound:
    """What batchgen has to reach, as a multiple of another client in the same round."""

    of: Client
    at_least: float
    a_cpu_second: bool = False
    """Of pictures a second of CPU, not of time."""

    @property
    def words(self) -> str:
        """What is compared, in the words of the table."""
        return f"batchgen / {self.of.words}{', a CPU-second' if self.a_cpu_second else ''}"

    def ratios(self, ours: Sequence[Trial], theirs: Sequence[Trial]) -> tuple[float, ...]:
        """Of each round."""
        return tuple(self._rate(our) / self._rate(their) for our, their in zip(ours, theirs, strict=False))

    def _rate(self, trial: Trial) -> float:
        return trial.a_cpu_second if self.a_cpu_second else trial.a_second


@dataclass(frozen=True, slots=True)
class Group:
    """Clients that take turns at the same work."""

    work: Work
    clients: tuple[Client, ...]
    bounds: tuple[Bound, ...]
    within_s: float = 110.0
    """No round begins later."""


_ALL = (BARE, BUILT, TENACITY, REQUESTS, HTTPX, IMG2DATASET, CURL, BATCHGEN)
_SOME = (BARE, BUILT, TENACITY, REQUESTS, CURL, BATCHGEN)
_CPU = Bound(IMG2DATASET, 3.0, a_cpu_second=True)
GROUPS = (
    Group(Work(KB_10, 5_000, MEMORY), _ALL, (Bound(BARE, 1.8), Bound(TENACITY, 4.0), _CPU), within_s=300),
    Group(Work(KB_264, 5_000, MEMORY), _SOME, (Bound(BARE, 1.35), Bound(TENACITY, 4.0)), within_s=300),
    Group(Work(KB_10, 5_000, DISK), (BARE, BATCHGEN), (Bound(BARE, 1.0),)),
    Group(Work(KB_264, 5_000, DISK), (BARE, BATCHGEN), (Bound(BARE, 1.0),)),
    Group(Work(MB_20, 100, MEMORY), (CURL, BATCHGEN), (Bound(CURL, 0.55),)),
)
QUICK = (
    Group(Work(KB_10, 1_500, MEMORY), (BARE, BUILT, TENACITY, CURL, BATCHGEN), GROUPS[0].bounds[:2]),
    Group(Work(KB_264, 300, MEMORY), (BARE, CURL, BATCHGEN), GROUPS[1].bounds[:1]),
    Group(Work(KB_10, 500, DISK), (BARE, BATCHGEN), GROUPS[2].bounds),
    Group(Work(MB_20, 66, MEMORY), (CURL, BATCHGEN), GROUPS[4].bounds),
)


def report() -> bool:
    """Print the part's tables, in some fifteen minutes; whether every bound is kept by what could be run."""
    return show(GROUPS, rounds=5)


def report_quick() -> bool:
    """The same with fewer pictures, rounds and peers, in two minutes."""
    return show(QUICK, rounds=3)


def show(groups: Sequence[Group], rounds: int) -> bool:
    """Try all clients and print a row for each, then the ratios; whether all bounds are kept."""
    if why := file_server.absent():
        print(f"\nThroughput: skipped: {why}")
        return True
    print(f"\nThroughput, by the server's own log ({how_busy()})")
    lines, met = [], True
    for group in groups:
        print(f"\n{group.work.pictures:,} pictures of {group.work.words}\n")
        if why := group.work.absent():
            print(f"skipped: {why}")
            continue
        results, faults = _take_turns(group, rounds)
        _print_clients(group, results, faults)
        met = met and BATCHGEN not in faults
        for bound in group.bounds:
            line, kept = _against(bound, group.work, results, faults)
            lines.append(line)
            met = met and kept
    print("\nThroughput against others\n\n| figure | median | spread | bound | met |\n|---|---|---|---|---|")
    print("\n".join(lines), flush=True)
    return met


def _take_turns(group: Group, rounds: int) -> tuple[Results, dict[Client, str]]:
    """All rounds of each client, and why some have none or fewer: what failed once is not run again."""
    results: Results = {client: [] for client in group.clients}
    faults = {client: f"skipped: {why}" for client in group.clients if (why := client.absent())}
    for _ in turns(rounds, group.within_s):
        for client in group.clients:
            if client in faults:
                continue
            found = tried(client, group.work)
            if isinstance(found, str):
                faults[client] = f"failed: {found}"
            else:
                results[client].append(found)
    return results, faults


def _print_clients(group: Group, results: Results, faults: dict[Client, str]) -> None:
    print("| client | pictures a second | spread | x bare | a CPU-second | wall s |\n|---|---|---|---|---|---|")
    for client in group.clients:
        if client in faults:
            print(f"| {client.words} | {faults[client]} | | | | |")
            continue
        print(f"| {client.words} | {_row(results[client], results.get(BARE, []))} |")
    if _CPU in group.bounds:
        _print_starts(group.work, faults)


def _row(trials: Sequence[Trial], bare: Sequence[Trial]) -> str:
    rates = [trial.a_second for trial in trials]
    ratios = [rate / other.a_second for rate, other in zip(rates, bare, strict=False)]
    cells = [
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{median(ratios):.2f}" if ratios else "",
        f"{median(trial.a_cpu_second for trial in trials):,.0f}",
        f"{median(trial.wall_s for trial in trials):.2f}",
    ]
    return " | ".join(cells)


def _print_starts(work: Work, faults: dict[Client, str]) -> None:
    """What of a client's CPU is its start, which more pictures would share."""
    for client in (IMG2DATASET, BATCHGEN):
        if client not in faults:
            found = tried(client, replace(work, pictures=1))
            said = found if isinstance(found, str) else f"{found.cpu_s:.2f} s of CPU, start and end included"
            print(f"\n{client.words}, a single picture: {said}")


def _against(bound: Bound, work: Work, results: Results, faults: dict[Client, str]) -> tuple[str, bool]:
    """The row of a bound, and whether it is kept; a bound against what can't be had here is skipped by name."""
    name = f"{bound.words}, {work.words}"
    for client in (bound.of, BATCHGEN):
        if client in faults:
            verdict = "NO" if client is BATCHGEN else ""
            return f"| {name} | {client.words} {faults[client]} | | | {verdict} |", client is not BATCHGEN
    ratios = bound.ratios(results[BATCHGEN], results[bound.of])
    figure = Figure(name=name, values=ratios, unit="x", bound=bound.at_least, at_least=True)
    return figure.row(), figure.met
