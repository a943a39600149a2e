"""A run's events on a terminal: a bar with rate and remaining time, and lines above it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

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

from batchgen.cli.wording import duration, ended_lines, rate, started_line, told, worth_a_line
from batchgen.events import RunEnded, RunStarted, TaskFailed, TaskMade, Waiting

if TYPE_CHECKING:
    from batchgen.events import Event


class _Doing(ProgressColumn):
    """What goes on: a wait, counted down, and why; else that pictures are made."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        left_s = task.fields["free_at_s"] - time.monotonic()
        return Text(f"waiting {duration(left_s)}: {task.fields['why']}" if left_s > 0 else task.description)


class Live:
    """A bar with rate and remaining time; failures stand above it."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
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
        """Show an event."""
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
