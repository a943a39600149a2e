"""`batchgen status`: how an output folder stands."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from batchgen.cli import options
from batchgen.errors import shown, shown_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

    from batchgen.report.status import Status
    from batchgen.store.rows import AttemptRow, FailureRow


@click.command(short_help="Show how an output folder stands.")
@click.argument("folder", type=options.PATH)
@click.option("--first", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="List N of each.")
@options.as_json
def status(folder: Path, first: int, *, as_json: bool) -> None:
    """\b
    Example: batchgen status output/quickstart

    Show what is made, failed and left in FOLDER, which attempts are in doubt, and what all of it cost, surely and at
    most. Nothing is sent or changed; a run may go on meanwhile.
    """
    from batchgen.report.status import status_of

    found = status_of(folder)
    click.echo(shown_json(_json(found)) if as_json else shown("\n".join(_lines(found, first))))


def _json(found: Status) -> dict[str, Any]:
    return {
        "folder": str(found.root),
        "tasks": found.tasks,
        "made": found.made,
        "failed": len(found.failures),
        "filtered": found.filtered,
        "left": found.left,
        "in_doubt": len(found.in_doubt),
        "in_flight": found.in_flight,
        "spent_usd": _amount(found.spent),
        "at_most_usd": _amount(found.at_most),
        "attempts": found.attempts,
        "faults": dict(found.faults),
        "failures": [_failure_json(row) for row in found.failures],
        "in_doubt_attempts": [_doubt_json(row) for row in found.in_doubt],
        "running": None if found.running is None else asdict(found.running),
        "last_run": None if found.last is None else asdict(found.last),
    }


def _doubt_json(row: AttemptRow) -> dict[str, Any]:
    return {
        "task": row.task_id,
        "index": row.task_index,
        "number": row.attempt.number,
        "started": row.attempt.started,
        "usd": _amount(row.usd),
    }


def _failure_json(row: FailureRow) -> dict[str, Any]:
    return {
        "task": row.task_id,
        "index": row.task_index,
        "prompt_id": row.prompt_id,
        "fault": row.fault,
        "billing": row.billing,
        "status": row.status,
        "words": row.words,
    }


def _amount(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def _lines(found: Status, first: int) -> Iterator[str]:
    from batchgen.cli.wording import pictures

    yield f"{found.root}: " + ("no ledger" if found.tasks is None else f"{pictures(found.tasks)} asked for")
    yield f"  made      {found.made:,}"
    if found.filtered:
        yield f"  filtered  {found.filtered:,} by the server, in filtered/"
    if found.failures:
        yield f"  failed    {len(found.failures):,}; batchgen retry {found.root} tries them again"
    if found.left is not None:
        yield f"  left      {found.left:,}"
    if found.tasks is None:
        yield "  the rest only the ledger knows; the next run builds it anew from the sidecars"
        return
    yield f"  run       {_run(found)}"
    yield f"  spent     {_spent(found)}"
    if found.faults:
        yield f"  faults    {_faults(found.faults)}, in {found.attempts:,} attempts"
    yield from _in_doubt(found, first)
    if found.failures:
        yield from _failures(found, first)


def _run(found: Status) -> str:
    if found.running is not None:
        flying = f", {found.in_flight:,} on their way" if found.in_flight else ""
        return f"goes on: {found.running}{flying}"
    if found.last is None:
        return "none yet"
    if found.last.ended is None:
        return f"{found.last.id} was killed; run the job again to go on"
    why = f": {found.last.why}" if found.last.why else ""
    return f"{found.last.id} ended at {_time(found.last.ended)}, {found.last.ending}{why}"


def _spent(found: Status) -> str:
    from batchgen.cli.wording import usd

    if found.spent is None or found.at_most is None:
        return "at a price that is not known"
    most = f" surely, at most {usd(float(found.at_most))}" if found.at_most > found.spent else ""
    return f"{usd(float(found.spent))}{most}, by the price list"


def _faults(faults: Mapping[Any, int]) -> str:
    ordered = sorted(faults.items(), key=lambda item: -item[1])
    return ", ".join(f"{fault} {count:,}" for fault, count in ordered)


def _in_doubt(found: Status, first: int) -> Iterator[str]:
    from batchgen.cli.wording import usd

    if not found.in_doubt:
        return
    prices = [row.usd for row in found.in_doubt if row.usd is not None]
    worst = f"at most {usd(float(sum(prices)))}" if len(prices) == len(found.in_doubt) else "at a price not known"
    yield f"  in doubt  {len(found.in_doubt):,} that began and of whose end nothing is known: {worst}"
    for row in islice(found.in_doubt, first):
        price = "" if row.usd is None else f", {usd(float(row.usd))}"
        yield f"    task {row.task_index} ({row.task_id[:12]}), begun at {_time(row.attempt.started)}{price}"
    yield from _more(len(found.in_doubt), first)


def _failures(found: Status, first: int) -> Iterator[str]:
    yield "  failed tasks"
    for row in islice(found.failures, first):
        yield f"    {_failure(row)}"
    yield from _more(len(found.failures), first)


def _failure(row: FailureRow) -> str:
    from batchgen.errors import one_line

    return f"task {row.task_index} ({one_line(row.prompt_id, 60)}): {row.fault}: {one_line(row.words, 300)}"


def _more(count: int, first: int) -> Iterator[str]:
    if count > first:
        yield f"    and {count - first:,} more; --first {count} lists all"


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ") + " UTC"
