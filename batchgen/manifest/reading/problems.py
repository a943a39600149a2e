"""The list of what is wrong with a job, filled while it is read, so that all of it is said at once."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchgen.errors import excerpt, nearest
from batchgen.manifest.reading.document import MOST_PROBLEMS, RowPlace, dotted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from batchgen.errors import Problem
    from batchgen.manifest.reading.document import Document, Path, Where
    from batchgen.manifest.reading.table import Lines

MOST_VARIABLES = 100
"""More than this are not listed."""
MOST_FOLLOWED = 1_000
"""Of problems that only follow from others; each takes its time to be found."""
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class Problems:
    """Collects problems and warnings by their place in one document, and in the data files that `lines` opens."""

    def __init__(self, document: Document, lines: Lines | None = None) -> None:
        self._document = document
        self._lines = lines
        self._found = dict.fromkeys(document.problems)
        self._followed = 0

    @property
    def found(self) -> bool:
        """Is anything wrong so far?"""
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Where, cause: str, accepted: str = "", *, key: bool = False) -> None:
        """Something is wrong with the value, or with the key, at `path`; the same is noted once.

        Raises:
            ManifestError: There are as many as are read at once: whoever reads the job need not go on.
        """
        if self._document.only_follows(path, key=key):
            self._followed += 1
        else:
            self._found[self._document.problem(path, cause, accepted, key=key)] = None
        self._check_number()

    def note(self, problem: Problem) -> None:
        """Something is wrong, at a place that is known already; raises as `add` does."""
        self._found[problem] = None
        self._check_number()

    def add_said(self, path: Where, error: ValueError) -> None:
        """What a reader said in the form `what is wrong; what is accepted`."""
        cause, _, accepted = str(error).partition("; ")
        self.add(path, cause, accepted)

    def add_in_file(self, file: str, line: int, error: ValueError) -> None:
        """The same, in a line of a data file."""
        self.add_said(RowPlace(file, line, ""), error)

    def innermost(self, path: Path, key: str) -> Path:
        """The place of `key` under `path`, or `path` itself where text stands for the whole mapping."""
        inner = (*path, key)
        return inner if inner in self._document.places else path

    def warn(self, path: Path, cause: str, accepted: str = "") -> None:
        """Something is worth a look and right as it is, unless it comes of what is wrong beside it."""
        around = dotted(_mapping_around(path))
        follows = any(each.path.startswith(around) for each in self._found)
        if not follows and len(self._document.warnings) < MOST_PROBLEMS:
            self._document.warnings.append(replace(self._document.problem(path, cause, accepted), warning=True))

    def unknown_key(self, path: Path, known: Sequence[str], also: Sequence[str] = ()) -> None:
        """A key that means nothing here, with the nearest that does; `also` are accepted and not listed."""
        key = str(path[-1])
        accepted = f"{nearest(key, [*known, *also])} accepted: {', '.join(known)}".strip()
        self.add(path, f"unknown key {key!r}", accepted, key=True)

    def _check_number(self) -> None:
        if len(self._found) >= MOST_PROBLEMS or self._followed >= MOST_FOLLOWED:
            self.check()

    def check(self) -> None:
        """Raise ManifestError if anything is wrong."""
        if self._found:
            raise self._document.error(self._with_excerpts())

    def _with_excerpts(self) -> Iterator[Problem]:
        """The problems, each in a data file with its line: read again, since rows are not kept as they are written."""
        wanted: dict[str, set[int]] = {}
        for problem in self._found:
            wanted.setdefault(problem.file, set()).add(problem.line)
        files = {file: _lines_of(file, numbers, self._lines) for file, numbers in wanted.items() if file}
        for problem in self._found:
            known = files.get(problem.file, {})
            if (line := known.get(problem.line)) is None:
                yield problem
            else:
                column = _column_in(line, known.get(1, ""), problem)
                yield replace(problem, excerpt=excerpt(line, column))

    def unknown_variable(self, path: Where, name: str, known: Iterable[str]) -> None:
        """A template names a variable that its combination has no value for."""
        others = {*known} - {name}
        variables = sorted(others) if len(others) <= MOST_VARIABLES else ()
        hint = nearest(name, others)
        accepted = f"variables: {', '.join(variables)}" if variables else "define it under vars"
        self.add(path, f"{{{{{name}}}}} has no value here", f"{hint} {accepted}".strip())


def _mapping_around(path: Path) -> Path:
    """The mapping whose key, or the list under that key, holds this place."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path[:-1]


def _lines_of(file: str, numbers: Collection[int], lines: Lines | None) -> dict[int, str]:
    """These lines of a data file, from 1, and its first one; none where it can't be read any more."""
    found: dict[int, str] = {}
    try:
        for number, line in enumerate(lines(file) if lines else (), 1):
            if number == 1 or number in numbers:
                found[number] = line.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")
            if number == max(numbers):
                break
    except ValueError:
        return {}
    return found


def _column_in(line: str, header: str, problem: Problem) -> int:
    """Where in its line the cell begins that is wrong, from 1; 1 where the line alone does not tell."""
    kind = PurePosixPath(problem.file).suffix.lower()
    if kind == ".jsonl":
        return max(line.find(f'"{problem.path}"'), 0) + 1
    if (between := _SEPARATORS.get(kind)) is None or not problem.path:
        return 1
    names = [name.strip() for name in next(csv.reader([header], delimiter=between), [])]
    cells = list(re.finditer(rf'(?:^|{between})("(?:[^"]|"")*"|[^{between}]*)', line))
    return cells[names.index(problem.path)].start(1) + 1 if problem.path in names and len(cells) == len(names) else 1
