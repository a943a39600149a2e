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
from typing import TYPE_CHECKING

import click

from batchgen.cli.apart import apart
from batchgen.cli.streams import check_output
from batchgen.cli.wording import ended_lines, rate, started_line, told, worth_a_line
from batchgen.events import RunEnded, RunStarted, TaskFailed, TaskMade, TaskUnkept, json_line

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
            from batchgen.cli.live import Live

            show = stack.enter_context(Live(verbose=voice is Voice.VERBOSE))
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
