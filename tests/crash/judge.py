"""The one judge of every crash test: what the disk, the ledger and the server's own log say of one output folder.

It knows what batchgen promises and nothing of how it is kept. Each rule yields, in words, what is wrong.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evidence import Asked, Ledger, Pair, Snapshot, Tried

OURS = {"images", "filtered", "runs", "job.yaml", ".lock"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One output folder after its last run, and what the judge must know of how it came about."""

    folder: Path
    log: Path
    """The server's own, of all requests for this folder."""
    reference: Mapping[str, Pair]
    """What an uninterrupted run made, by task."""
    snapshots: Sequence[Snapshot]
    """After each death, and after the last run but one: what was safe then is asked for no more and stays as it is."""
    said: Sequence[str] = ()
    """Tasks that some run said were made, before it died."""
    deaths: int = 0
    in_flight: int
    """Requests at a time at most."""
    ledger_gone: Snapshot | None = None
    """Taken when the ledger was destroyed: what it knew of unfinished tasks is gone with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the rounds came to."""

    rounds: int = 0
    deaths: int = 0
    requests: int = 0
    repeated: int = 0
    """Requests whose answer nobody heard: their tasks were asked for again."""
    in_doubt: int = 0
    """Attempts that the ledger lists as LOST."""
    lost: int = 0
    """Pictures that were safe, and are not there as they were."""
    findings: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)})


def judge(case: Case) -> Tally:
    """Everything that is wrong, in words, and the sums."""
    pairs, requests = evidence.pairs(case.folder), evidence.requests(case.log)
    lost = _lost(case, pairs)
    findings = [
        *_files(case, pairs),
        *_same_pictures(case, pairs),
        *_at_each_death(case),
        *lost,
        *_asked_again(case, requests),
    ]
    tally = Tally(rounds=1, deaths=case.deaths, requests=len(requests), lost=len(lost))
    try:
        ledger = evidence.ledger(case.folder)
    except (sqlite3.Error, TypeError, ValueError) as error:
        return tally + Tally(findings=(*findings, f"the ledger can't be read: {error}"))
    accounts = _accounts(case, requests, ledger)
    findings += [
        *_ledger_itself(case, ledger),
        *_ledger_of_pictures(case, pairs, ledger),
        *(finding for account in accounts for finding in account.findings()),
        *_cut_off_requests(accounts, requests),
    ]
    return tally + Tally(
        repeated=sum(account.repeated for account in accounts),
        in_doubt=sum(tried.in_doubt for tried in ledger.attempts),
        findings=tuple(findings),
    )


def _files(case: Case, pairs: Sequence[Pair]) -> Iterator[str]:
    """Whole pairs, and nothing else."""
    yield from (pair.flaw for pair in pairs if pair.flaw)
    named = {pair.picture for pair in pairs}
    for path in sorted(case.folder.rglob("*")):
        place = str(path.relative_to(case.folder))
        if ".part" in path.name:
            yield f"{place}: was left behind"
        elif path.parent == case.folder and path.name not in OURS and not path.name.startswith(evidence.LEDGER):
            yield f"{place}: nobody knows what this is"
        elif place.startswith(evidence.AREAS) and path.is_file() and path.suffix != ".json" and place not in named:
            yield f"{place}: a picture without a sidecar"


def _same_pictures(case: Case, pairs: Sequence[Pair]) -> Iterator[str]:
    """Task by task the pictures of an uninterrupted run."""
    found = Counter(pair.task for pair in pairs)
    yield from (f"task {task}: has {count} sidecars" for task, count in found.items() if count > 1)
    yield from (f"{case.reference[task].picture}: was never made" for task in case.reference.keys() - found.keys())
    for pair in pairs:
        same = case.reference.get(pair.task)
        if pair.flaw:
            continue
        if same is None:
            yield f"{pair.picture}: an uninterrupted run has no such task"
        elif (pair.picture, pair.sha256) != (same.picture, same.sha256):
            yield f"{pair.picture}: is not what an uninterrupted run makes ({same.picture})"


def _at_each_death(case: Case) -> Iterator[str]:
    """At any instant a file under a final name is whole, and a sidecar means that its picture is."""
    made = {pair.picture: pair.sha256 for pair in case.reference.values()}
    for number, snapshot in enumerate(case.snapshots, start=1):
        yield from (f"after death {number}: {flaw}" for flaw in snapshot.flaws)
        wrong = [path for path, sha256 in snapshot.pictures.items() if made.get(path) != sha256]
        yield from (f"after death {number}: {path}: has its final name, and is not whole" for path in wrong)


def _lost(case: Case, pairs: Sequence[Pair]) -> list[str]:
    """What was safe or was said to be made stays byte for byte."""
    now = {pair.task: pair.sidecar_sha256 for pair in pairs if not pair.flaw}
    gone = {
        task: "is not as it was" if task in now else "is gone"
        for snapshot in case.snapshots
        for task, sidecar in snapshot.safe.items()
        if now.get(task) != sidecar
    }
    never = {task: "was said to be made, and is not there" for task in case.said if task not in now}
    return [f"task {task}: {what}" for task, what in {**gone, **never}.items()]


def _asked_again(case: Case, requests: Sequence[Asked]) -> Iterator[str]:
    """A task whose picture is safe is never asked for again."""
    task_of = {pair.request: task for task, pair in case.reference.items()}
    for asked in requests:
        task = task_of.get(asked.request, "")
        if any(asked.number > snapshot.asked and task in snapshot.safe for snapshot in case.snapshots):
            yield f"request {asked.number}: asks for {case.reference[task].picture} again, which was made already"


def _ledger_itself(case: Case, ledger: Ledger) -> Iterator[str]:
    if ledger.integrity != "ok":
        yield f"the ledger is damaged: {ledger.integrity}"
    if len(ledger.unended) > case.deaths:
        yield f"{len(ledger.unended)} runs have no end in the ledger, and {case.deaths} were killed"
    doubts = Counter(tried.run for tried in ledger.attempts if tried.in_doubt)
    for run, count in doubts.items():
        if run is not None and run not in ledger.unended:
            yield f"run {run} ended in order and left {count} attempts in doubt"
        if count > case.in_flight:
            yield f"run {run} left {count} attempts in doubt, and at most {case.in_flight} were in flight"
    yield from (
        f"task {tried.task}: attempt {tried.number} was never settled"
        for tried in ledger.attempts
        if tried.billing is None
    )


def _ledger_of_pictures(case: Case, pairs: Sequence[Pair], ledger: Ledger) -> Iterator[str]:
    """Ledger and sidecars say the same."""
    tried = Counter(each.task for each in ledger.attempts)
    made = Counter(each.task for each in ledger.attempts if each.billing == "YES" and each.fault is None)
    for pair in pairs:
        facts = (pair.picture, pair.size_bytes, pair.sha256, pair.sidecar_sha256)
        if pair.task not in ledger.pictures:
            yield f"{pair.picture}: is not in the ledger"
        elif ledger.pictures[pair.task] != facts:
            yield f"{pair.picture}: the ledger says {ledger.pictures[pair.task]}, its sidecar {facts}"
        if made[pair.task] != 1:
            yield f"{pair.picture}: {made[pair.task]} attempts of the ledger claim to have made it"
        if case.ledger_gone is None and tried[pair.task] != pair.attempts:
            yield f"{pair.picture}: {tried[pair.task]} attempts in the ledger, {pair.attempts} in its sidecar"
    yield from (f"task {task}: is in the ledger only" for task in ledger.pictures.keys() - {p.task for p in pairs})
    yield from (f"task {task}: is made, and has failed" for task in ledger.failures & ledger.pictures.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """One task: what its server saw against what its ledger says."""

    picture: str
    asked: list[Asked]
    forgotten: int
    """Requests that a ledger knew of and that went with it."""
    tried: list[Tried]

    @property
    def repeated(self) -> int:
        heard = [tried for tried in self.tried if tried.sent and not tried.in_doubt]
        return max(0, len(self.asked) - len(heard))

    def findings(self) -> Iterator[str]:
        known = [tried for tried in self.tried if tried.sent]
        asked = self.asked[self.forgotten :]
        if len(asked) > len(known):
            yield f"{self.picture}: the server saw {len(asked)} requests, the ledger has {len(known)} attempts"
        billed, admitted = sum(each.billed for each in asked), sum(each.billing != "NO" for each in self.tried)
        if billed > admitted:
            yield f"{self.picture}: {billed} requests were billed, the ledger admits {admitted}"
        billed, surely = sum(each.billed for each in self.asked), sum(each.billing == "YES" for each in self.tried)
        if billed < surely:
            yield f"{self.picture}: {billed} requests were billed, the ledger says {surely} surely were"
        claimed = Counter(tried.status or 0 for tried in known if tried.status is not None)
        for status, count in (claimed - Counter(each.status or 0 for each in self.asked)).items():
            yield f"{self.picture}: {count} attempts claim a {status} that the server never gave"
        for before, (one, attempt) in enumerate(zip(asked, known, strict=False)):
            if one.received < attempt.started:
                yield f"{self.picture}: request {before + 1} was sent before its attempt was in the ledger"
        if sorted(tried.number for tried in self.tried) != list(range(1, len(self.tried) + 1)):
            yield f"{self.picture}: its attempts are numbered {[tried.number for tried in self.tried]}"


def _accounts(case: Case, requests: Sequence[Asked], ledger: Ledger) -> list[_Account]:
    asked: defaultdict[str, list[Asked]] = defaultdict(list)
    tried: defaultdict[str, list[Tried]] = defaultdict(list)
    for request in requests:
        asked[request.request].append(request)
    for attempt in ledger.attempts:
        tried[attempt.task].append(attempt)
    gone = case.ledger_gone
    return [
        _Account(
            picture=pair.picture,
            asked=asked[pair.request],
            forgotten=sum(each.number <= gone.asked for each in asked[pair.request])
            if gone is not None and task not in gone.safe
            else 0,
            tried=tried[task],
        )
        for task, pair in case.reference.items()
    ]


def _cut_off_requests(accounts: Sequence[_Account], requests: Sequence[Asked]) -> Iterator[str]:
    """Requests that broke off before the server had read whose they were, or that are nobody's."""
    known = [asked.request for account in accounts for asked in account.asked]
    strange = [asked for asked in requests if asked.request not in {*known, evidence.request_of({})}]
    yield from (f"request {asked.number}: asks for no task of the job ({asked.request})" for asked in strange)
    forgotten = sum(account.forgotten for account in accounts)
    sent = sum(tried.sent for account in accounts for tried in account.tried)
    if len(requests) - forgotten > sent:
        yield f"the server saw {len(requests)} requests in all, the ledger has {sent} attempts"
