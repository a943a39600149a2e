"""Errors, split by who must act; each is one line that names the place, the cause and the remedy.

    BatchgenError
    ├── UsageError          the user: a flag, a key, a port       exit 2
    │   └── ManifestError   the user: places in the job file      exit 2
    ├── ProviderError       the user, at the provider: key, credit, url   exit 3
    ├── StorageError        the machine: disk, permissions        exit 5
    └── OwnedError          another run, to be waited for         exit 6

What the API does to one task is no exception: it is a `Fault` (see model.py). Anything else that is raised is a
bug in batchgen and ends with exit 70. Only the command line turns these into exit codes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from batchgen.json_text import json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_COMPARED = 1_000
"""With so many words a misspelt one is compared."""


class BatchgenError(Exception):
    """An error that was foreseen: its text is for the user and complete in itself."""


class UsageError(BatchgenError):
    """What was asked for can't be done as asked; nothing was sent."""


class ProviderError(BatchgenError):
    """The provider refuses every task: the key, the credit or the url is wrong."""


class StorageError(BatchgenError):
    """The output can't be written."""


class OwnedError(BatchgenError):
    """Another run owns the output folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong, or worth a look, at one place of a job file; `line` and `column` count from 1."""

    line: int
    column: int
    path: str
    cause: str
    accepted: str = ""
    file: str = ""
    """A data file that the job names; empty for the job itself."""
    excerpt: str = ""
    """The place in the data file as `excerpt` shows it, where that line is at hand."""
    warning: bool = False
    """Is it right as it is?"""

    def headline(self, file: str) -> str:
        """One line: `file:line:column: path: what is wrong; what would be accepted`."""
        kind = "warning: " if self.warning else ""
        where = f"{self.file or file}:{self.line}:{self.column}: {kind}" if self.line else f"{file}: {kind}--set "
        path = f"{one_line(self.path, 100)}: " if self.path else ""
        accepted = f"; {one_line(self.accepted, 600)}" if self.accepted else ""
        return where + path + one_line(self.cause, 300) + accepted


class ManifestError(UsageError):
    """Everything that is wrong with a job file, in the order of its lines, and what is worth a look beside that."""

    def __init__(self, file: str, source: str, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=_order))
        self.warnings = tuple(sorted(warnings, key=_order))
        self._lines = source.splitlines()
        super().__init__("\n".join(problem.headline(file) for problem in self.problems))

    def render(self) -> str:
        """Every problem with its source line and a caret under the place."""
        return "\n".join(self._excerpt(problem) for problem in self.problems)

    def warning_lines(self) -> list[str]:
        """The warnings, a line each."""
        return [warning.headline(self.file) for warning in self.warnings]

    def _excerpt(self, problem: Problem) -> str:
        headline = problem.headline(self.file)
        if problem.file or not 0 < problem.line <= len(self._lines):
            return headline + problem.excerpt
        return headline + excerpt(self._lines[problem.line - 1], problem.column)


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def one_line(text: str, most: int) -> str:
    """Text that is safe to show: controls as they are escaped in Python, at most so many characters."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)


def shown(text: str) -> str:
    """Lines that are safe to show: of all controls their ends alone are left."""
    return "\n".join(one_line(line, len(line)) for line in text.split("\n"))


def shown_json(value: object, indent: int | None = None) -> str:
    """JSON that is safe to show, and one line but for its indents: what can't be printed stands as its escape."""
    text = json_bytes(value).decode() if indent is None else json.dumps(value, ensure_ascii=False, indent=indent)
    if (indent is None and text.isascii() and "\x7f" not in text) or text.isprintable():  # JSON escapes other controls
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def excerpt(line: str, column: int, width: int = 100) -> str:
    """The part of a source line around `column` (from 1) with a caret under it; controls shown as dots."""
    start = max(0, column - 1 - width // 2)
    shown = "".join(char if char.isprintable() else "·" for char in line[start : start + width])
    return f"\n    {shown}\n    {' ' * (column - 1 - start)}^"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: `did you mean 'seed'?`, or nothing."""
    few = list(islice(known, MOST_COMPARED))
    close = get_close_matches(word[:60], few, n=1, cutoff=0.6)  # difflib takes quadratic time
    return f"did you mean {close[0]!r}?" if close else ""
