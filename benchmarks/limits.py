"""Part `limits`: how near clients come to a server's limit, and how often they cross it.

Servers are started afresh for each trial and count for themselves. Seconds run from the first request's arrival to the
last picture; the optimum is what the server's rule allows, and the mean latency of the last answer. Trials of a round
run at once: those that together ask for little, so that two cores are enough for them. The outage runs beside them all.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import clients
from benchmarks.clients import Batchgen, Peer
from benchmarks.measure import table
from benchmarks.outage import Outage
from benchmarks.rules import Kind, Rule
from benchmarks.servers import Haproxy, Nginx, Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.clients import Client
    from benchmarks.seen import Seen
    from benchmarks.servers import Server

_ENDS_WITHIN_S = 360.0


@dataclass(frozen=True, slots=True)
class Bound:
    """What a trial has to keep. Nothing may be lost, whatever the bound."""

    ratio: float
    """Of its seconds to the optimum."""
    rejected_per_1000: float
    """Of its requests."""

    def __str__(self) -> str:
        return f"{self.ratio:.2f}, {self.rejected_per_1000:g} in 1,000"


@dataclass(frozen=True, slots=True)
class Case:
    """One client against one server."""

    server: Server
    tasks: int
    client: Client
    bound: Bound | None = None

    @property
    def words(self) -> str:
        """The case as the table names it."""
        return f"{self.server.words} | {self.client.words} | {self.tasks:,}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a case."""

    case: Case
    seen: Seen
    fault: str | None
    """What went wrong with the client itself."""

    @property
    def ratio(self) -> float:
        """Of the seconds it took to the optimum."""
        return self.seen.seconds / self.case.server.rule.optimum_s(self.case.tasks, self.case.server.latency_s)

    @property
    def lost(self) -> int:
        """Tasks without a picture."""
        return self.case.tasks - self.seen.served

    @property
    def met(self) -> bool:
        """Did the client end by itself, and within its bound if it has one?"""
        bound = self.case.bound
        return self.fault is None and (
            bound is None
            or (self.lost == 0 and self.ratio <= bound.ratio and self.seen.rejected_per_1000 <= bound.rejected_per_1000)
        )

    def __str__(self) -> str:
        bound = self.case.bound
        verdict = "NO" if not self.met else "yes" if bound else ""
        rejected = f"{self.seen.rejected} | {self.seen.rejected_per_1000:.1f}"
        took = f"{self.seen.seconds:.1f} | {self.ratio:.3f}"
        return f"| {self.case.words} | {took} | {rejected} | {self.lost} | {bound or ''} | {verdict} |"


_DOCUMENTED = Sandbox(rule=Rule(Kind.WINDOW, 150, 10), penalty_s=60, latency_s=0.5, spread_s=0.3)
_LATE = Sandbox(rule=Rule(Kind.WINDOW, 150, 10), penalty_s=60, latency_s=0.5, spread_s=0.3, arrival_jitter_s=0.2)
_SLOW = Sandbox(rule=Rule(Kind.WINDOW, 150, 10), penalty_s=60, latency_s=6, spread_s=2)
_BUCKET_15 = Sandbox(rule=Rule(Kind.BUCKET, 15, 1), latency_s=0.5, spread_s=0.3)
_BUCKET_30 = Sandbox(rule=Rule(Kind.BUCKET, 30, 1), latency_s=0.5, spread_s=0.3)
_BUCKET_30_SAYS = Sandbox(rule=Rule(Kind.BUCKET, 30, 1), latency_s=0.5, spread_s=0.3, retry_after=True)
_NGINX_50 = Nginx(Rule(Kind.LEAKY, 100, 2))
_HAPROXY_30 = Haproxy(Rule(Kind.STICK, 60, 2))

_TOLD, _UNKNOWN = Batchgen(told=True), Batchgen(told=False)
_PEERS = (
    Peer("tenacity", "64 workers, each alone (tenacity)"),
    Peer("aiolimiter", "aiolimiter, told the limit"),
    Peer("botocore", "botocore's adaptive classes"),
)
_KNOWN = Bound(1.05, 0)
_PENALTY = Bound(1.10, 0)
_SAID = Bound(1.10, 5)
_UNSAID = Bound(1.15, 10)

Round = tuple[Case, ...]


def _peers(server: Server, tasks: int) -> Round:
    return tuple(Case(server, tasks, peer) for peer in _PEERS)


ROUNDS: tuple[Round, ...] = (
    (Case(_LATE, 1050, _TOLD, _KNOWN),),
    (
        Case(_DOCUMENTED, 450, _TOLD, _PENALTY),
        Case(_SLOW, 900, _TOLD, _PENALTY),
        Case(_DOCUMENTED, 600, Batchgen(told=True, processes=2), _PENALTY),
        Case(_BUCKET_15, 300, Batchgen(told=True, margin="20ms"), _KNOWN),
    ),
    (*_peers(_DOCUMENTED, 450), *_peers(_BUCKET_15, 300)),
    (Case(_NGINX_50, 1000, _TOLD, _KNOWN),),
    (
        Case(_NGINX_50, 5000, _UNKNOWN, _UNSAID),
        Case(_HAPROXY_30, 4000, _UNKNOWN, _UNSAID),
        Case(_BUCKET_30, 4000, _UNKNOWN, _UNSAID),
        Case(_BUCKET_30_SAYS, 4000, _UNKNOWN, _SAID),
    ),
    _peers(_NGINX_50, 5000),
    _peers(_HAPROXY_30, 3000),
    _peers(_BUCKET_30_SAYS, 3000),
)
QUICK: tuple[Round, ...] = (
    (Case(_DOCUMENTED, 450, _TOLD, _PENALTY), Case(_DOCUMENTED, 600, Batchgen(told=True, processes=2), _PENALTY)),
    (Case(_NGINX_50, 500, _TOLD, _KNOWN),),
    (Case(_NGINX_50, 2000, _UNKNOWN, _UNSAID), Case(_BUCKET_30_SAYS, 2000, _UNKNOWN, _SAID)),
)


_OUTAGE = Outage(seconds=600, tasks=1200)
_QUICK_OUTAGE = Outage(seconds=30, tasks=750)


def report() -> bool:
    """Print the part's tables; whether every bound is kept by what could be run."""
    return _tables(ROUNDS, _OUTAGE)


def report_quick() -> bool:
    """The same with fewer requests, a short outage and no peers, in about a minute and a half."""
    return _tables(QUICK, _QUICK_OUTAGE)


def _tables(rounds: Sequence[Round], outage: Outage) -> bool:
    with ThreadPoolExecutor(1) as beside:
        tried = beside.submit(outage.figures)
        met = show(rounds)
        figures, fault = tried.result()
    met = table(f"An outage of {outage.seconds} s", figures) and met
    if fault:
        print(f"\nbatchgen {fault}")
    return met and fault is None


def show(rounds: Sequence[Round]) -> bool:
    """Try all cases and print a row for each; whether all that could be tried are met."""
    print("\nLimits (the servers' own counts)\n")
    print("| server | client | tasks | seconds | / optimum | 429s | in 1,000 | lost | bound | met |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    faults = []
    met = True
    for cases in rounds:
        with ThreadPoolExecutor(len(cases)) as pool:
            for case, row in zip(cases, pool.map(_tried, cases), strict=True):
                if isinstance(row, str):
                    print(f"| {case.words} | skipped: {row} | | | | | | |", flush=True)
                    continue
                print(row, flush=True)
                met = met and row.met
                faults += [f"{case.client.words}, {case.server.words}: {row.fault}"] if row.fault else []
    for fault in faults:
        print(f"\n{fault}")
    return met


def _tried(case: Case) -> Row | str:
    """The row of a case, or why it could not be tried."""
    if why := case.server.absent():
        return why
    with tempfile.TemporaryDirectory(prefix="batchgen-bench-") as name:
        folder = Path(name)
        with case.server.start(folder) as running:
            client = case.client
            commands = client.commands(running.url, case.tasks, case.server.rule, folder)
            fault = clients.run(commands, folder, may_end_with=client.may_end_with, within_s=_ENDS_WITHIN_S)
        return Row(case, running.seen(), fault)
