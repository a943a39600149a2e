"""Whole processes, timed from outside: wall seconds and peak memory of each run, as the system counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end."""

    seconds: float
    peak_mb: float
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured several times, and the bound that its median has to keep."""

    name: str
    values: tuple[float, ...]
    unit: str
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Does the median keep the bound?"""
        return median(self.values) >= self.bound if self.at_least else median(self.values) <= self.bound

    def row(self) -> str:
        """One line of a Markdown table."""
        sign = "at least" if self.at_least else "at most"
        spread = f"{_short(min(self.values))} to {_short(max(self.values))}"
        bound = f"{sign} {_short(self.bound)} {self.unit}"
        verdict = "yes" if self.met else "NO"
        return f"| {self.name} | {_short(median(self.values))} {self.unit} | {spread} | {bound} | {verdict} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def table(title: str, figures: Sequence[Figure]) -> bool:
    """Print the figures; whether all keep their bounds."""
    print(f"\n{title}\n\n| figure | median | spread | bound | met |\n|---|---|---|---|---|")
    for figure in figures:
        print(figure.row(), flush=True)
    return all(figure.met for figure in figures)


def run(arguments: Sequence[str], folder: Path) -> Run:
    """Run Python with these arguments in a folder; a failure of the process is an error."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True) as child:
        output = child.stdout.read() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if child.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {child.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024, output)
