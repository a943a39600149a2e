"""`batchgen verify`: is everything in an output folder as it was made?"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from batchgen.cli import options
from batchgen.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchgen.verification.findings import Event, Finding, Repaired

ALL_WELL, SOMETHING_WRONG = 0, 1
LONGEST_LINE = 6_000
"""Characters; no path has so many."""


@click.command(short_help="Check every picture, sidecar and ledger row.")
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option("--deep", is_flag=True, help="Decode each picture too.")
@click.option("--repair", is_flag=True, help="Set right what can be set right free of charge.")
@options.as_json
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong.")
def verify(folder: Path, *, deep: bool, repair: bool, as_json: bool, quiet: bool) -> None:
    """\b
    Example: batchgen verify output/quickstart
    Example: batchgen verify output/quickstart --repair

    Read every picture of the output folder DIR and hold pictures, sidecars and ledger against one another. What is
    wrong stands on stdout, one finding a line, and makes the exit code 1, also where it was repaired.

    --repair moves what is no whole pair to replaced/, so that the next run makes it anew, writes into the ledger what
    it did not know, and leaves alone what is none of batchgen's.
    """
    from batchgen.job import new_run_id
    from batchgen.verification.verify import verify as verified

    count = _Count()
    with (
        _progress(quiet=quiet) as show,
        closing(verified(folder, stamp=new_run_id(), deep=deep, repair=repair)) as all_,
    ):
        for event in all_:
            count.add(event, keep=as_json)
            show(event, count)
            if not as_json and (line := _told(event)):
                click.echo(line)
    if as_json:
        click.echo(json.dumps(count.document(), indent=2))  # in ASCII: the name of a file can be any bytes
    if not quiet:
        for line in count.summary(repaired=repair):
            click.echo(line, err=True)
    sys.exit(SOMETHING_WRONG if count.wrong else ALL_WELL)


def _told(event: Event) -> str:
    """A finding or a repair as one line, safe for a terminal."""
    from batchgen.verification.findings import Finding, Repaired

    match event:
        case Finding():
            return one_line(f"{event.path}: {event.words}; {event.remedy}", LONGEST_LINE)
        case Repaired():
            return one_line(f"{event.path}: repaired: {event.words}", LONGEST_LINE)
    return ""


@dataclass(slots=True)
class _Count:
    """What was looked at and what was found."""

    pictures: int = 0
    size_bytes: int = 0
    wrong: int = 0
    repaired: int = 0
    due: int = 0
    findings: list[Finding] = field(default_factory=list)
    repairs: list[Repaired] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)

    def add(self, event: Event, *, keep: bool) -> None:
        """One event more; findings and repairs are kept only to be printed in the end."""
        from batchgen.verification.findings import Checked, Ended, Finding, Repaired

        match event:
            case Checked():
                self.pictures += 1
                self.size_bytes += event.size_bytes
            case Finding():
                self.wrong += 1
                self.findings += [event] if keep else []
            case Repaired():
                self.repaired += 1
                self.repairs += [event] if keep else []
            case Ended():
                self.due = event.due

    def document(self) -> dict[str, Any]:
        """All of it for programs."""
        return {
            "checked": self.pictures,
            "bytes": self.size_bytes,
            "findings": [
                {"path": each.path, "finding": each.wrong, "words": each.words, "remedy": each.remedy}
                for each in self.findings
            ],
            "repaired": [{"path": each.path, "words": each.words} for each in self.repairs],
            "due": self.due,
        }

    def so_far(self) -> str:
        """How many bytes so far, and how quickly."""
        from rich.filesize import decimal

        taken_s = time.monotonic() - self.began_s
        return f"{decimal(self.size_bytes)}, {decimal(round(self.size_bytes / taken_s)) if taken_s > 0 else '?'}/s"

    def summary(self, *, repaired: bool) -> Iterator[str]:
        """What it comes to."""
        from batchgen.cli.wording import duration, pictures

        taken = duration(time.monotonic() - self.began_s)
        result = f"{self.wrong:,} finding{'' if self.wrong == 1 else 's'}" if self.wrong else "all is well"
        yield f"checked {pictures(self.pictures)}, {self.so_far()}, in {taken}: {result}"
        if repaired and self.wrong:
            yield f"repaired: {self.repaired:,}"
        if self.due:
            yield f"run the job again to make {pictures(self.due)} anew"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Event, _Count], None]]:
    """What shows how far it is, on stderr: a live bar at a terminal, else a line every few seconds."""
    if quiet:
        yield lambda _event, _count: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as show:
            yield show
    else:
        yield _Plain()


class _Plain:
    def __init__(self) -> None:
        self._said_s = time.monotonic()
        self._total = ""

    def __call__(self, event: Event, count: _Count) -> None:
        from batchgen.cli.progress import PLAIN_EVERY_S
        from batchgen.verification.findings import Begun

        if isinstance(event, Begun) and event.pictures is not None:
            self._total = f" of {event.pictures:,}"
        now = time.monotonic()
        if now - self._said_s >= PLAIN_EVERY_S:
            self._said_s = now
            click.echo(f"{count.pictures:,}{self._total} checked, {count.so_far()}", err=True)


@contextmanager
def _bar() -> Iterator[Callable[[Event, _Count], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    from batchgen.verification.findings import Begun, Checked

    columns = (
        SpinnerColumn(),
        TextColumn("checking", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[so_far]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("left", markup=False),
    )
    console = Console(stderr=True, highlight=False)
    # Findings are data: they go above the bar only where stdout is a terminal too.
    with Progress(
        *columns, console=console, expand=True, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        row = progress.add_task("", total=None, so_far="")

        def show(event: Event, count: _Count) -> None:
            match event:
                case Begun():
                    progress.update(row, total=event.pictures)
                case Checked():
                    progress.update(row, advance=1, so_far=count.so_far())

        yield show
