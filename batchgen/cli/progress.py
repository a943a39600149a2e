"""A run's events as a person or a program follows them: a live bar, plain lines, or JSON.

Everything for a person goes to stderr. A terminal gets a bar; a pipe, a dumb terminal or a log gets a line every few
seconds.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from batchgen.cli.apart import apart
from batchgen.cli.streams import check_output
from batchgen.cli.wording import duration, ended_lines, rate, started_line, told
from batchgen.events import RunEnded, RunStarted, TaskFailed, TaskMade, TaskUnkept, Waiting, json_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchgen.events import Event

PLAIN_EVERY_S = 5.0


class Voice(Enum):
    """How much is said."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def voice(*, quiet: bool, verbose: bool) -> Voice:
    """What the flags ask for."""
    return Voice.QUIET if quiet else Voice.VERBOSE if verbose else Voice.NORMAL


@contextmanager
def progress(voice: Voice, *, json_lines: bool, warnings: Sequence[str]) -> Iterator[Callable[[Event], None]]:
    """What shows a run's events, for as long as the run lasts."""
    if voice is not Voice.QUIET:
        for warning in warnings:
            click.echo(warning, err=True)
    with ExitStack() as stack:
        show: Callable[[Event], None]
        if json_lines:
            show = _print_json
        elif voice is Voice.QUIET:
            show = _Quiet()
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            show = stack.enter_context(_Live(voice))
        else:
            show = _Plain(voice)
        yield stack.enter_context(apart(show))


def _print_json(event: Event) -> None:
    """One event on stdout; raises as `check_output` does."""
    click.echo(json_line(event), nl=False)
    check_output()


class _Quiet:
    """Only what went wrong."""

    def __call__(self, event: Event) -> None:
        match event:
            case TaskFailed() | TaskUnkept():
                click.echo(told(event), err=True)
            case RunEnded(why=why) if why:
                click.echo(f"batchgen: stopped: {why}", err=True)


class _Plain:
    """A line when something matters, and one every few seconds."""

    def __init__(self, voice: Voice) -> None:
        self._verbose = voice is Voice.VERBOSE
        self._asked = self._made = 0
        self._began_s = self._said_s = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._asked = event.asked
                self._say(started_line(event))
            case TaskMade():
                self._made += 1
                self._say_progress()
                if self._verbose:
                    self._say(told(event))
            case RunEnded():
                for line in ended_lines(event):
                    self._say(line)
            case _ if self._verbose or worth_a_line(event):
                self._say(told(event))

    def _say_progress(self) -> None:
        now = time.monotonic()
        if now - self._said_s >= PLAIN_EVERY_S:
            self._said_s = now
            self._say(f"{self._made} of {self._asked} made, {rate(self._made, now - self._began_s)}")

    def _say(self, line: str) -> None:
        click.echo(line, err=True)


class _Doing(ProgressColumn):
    """What goes on: a wait, counted down, and why; else that pictures are made."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        left_s = task.fields["free_at_s"] - time.monotonic()
        return Text(f"waiting {duration(left_s)}: {task.fields['why']}" if left_s > 0 else task.description)


class _Live:
    """A bar with rate and remaining time; failures stand above it."""

    def __init__(self, voice: Voice) -> None:
        self._verbose = voice is Voice.VERBOSE
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            SpinnerColumn(),
            _Doing(),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left", markup=False),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._row = self._bar.add_task("", total=None, start=False, visible=False, rate="", free_at_s=0.0, why="")
        self._made = 0
        self._began_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._say(started_line(event))
                self._began_s = time.monotonic()
                self._bar.update(self._row, total=event.asked, visible=event.asked > 0, description="making")
                self._bar.start_task(self._row)
            case TaskMade() | TaskFailed():
                self._advance(event)
            case Waiting():
                self._bar.update(self._row, free_at_s=time.monotonic() + event.seconds, why=event.why)
            case RunEnded():
                self._bar.stop()
                for line in ended_lines(event):
                    self._say(line)
            case _ if self._verbose or worth_a_line(event):
                self._say(told(event))

    def _advance(self, event: TaskMade | TaskFailed) -> None:
        self._made += isinstance(event, TaskMade)
        now = time.monotonic()
        self._bar.update(self._row, advance=1, rate=rate(self._made, now - self._began_s))
        if self._verbose or isinstance(event, TaskFailed):
            self._say(told(event))

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def worth_a_line(event: Event) -> bool:
    """Does this event deserve a line of its own where not every task does?"""
    return not isinstance(event, TaskMade) and type(event).__name__ != "TaskRetried"
