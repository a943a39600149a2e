"""The list of what is wrong with a job, filled while it is read, so that all of it is said at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchgen.errors import nearest
from batchgen.manifest.document import RowPlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchgen.errors import Problem
    from batchgen.manifest.document import Document, Path, Where


MOST = 100
"""More than this nobody reads at once."""


class Problems:
    """Collects problems and warnings by their place in one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[Problem, None] = {}

    @property
    def found(self) -> bool:
        """Is anything wrong so far?"""
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Where, cause: str, accepted: str = "", *, key: bool = False) -> None:
        """Something is wrong with the value, or with the key, at `path`; the same is noted once."""
        if len(self._found) < MOST:
            self._found[self._document.problem(path, cause, accepted, key=key)] = None

    def note(self, problem: Problem) -> None:
        """Something is wrong, at a place that is known already."""
        self._found[problem] = None

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
        """Something is worth a look and right as it is."""
        self._document.warnings.append(self._document.problem(path, cause, accepted))

    def unknown_key(self, path: Path, known: Sequence[str], also: Sequence[str] = ()) -> None:
        """A key that means nothing here, with the nearest that does; `also` are accepted and not listed."""
        key = str(path[-1])
        accepted = f"{nearest(key, [*known, *also])} accepted: {', '.join(known)}".strip()
        self.add(path, f"unknown key {key!r}", accepted, key=True)

    def check(self) -> None:
        """Raise ManifestError if anything is wrong."""
        if self._found:
            raise self._document.error(list(self._found))

    def unknown_variable(self, path: Where, name: str, known: Iterable[str]) -> None:
        """A template names a variable that its combination has no value for."""
        variables = sorted({*known} - {name})
        hint = nearest(name, variables)
        accepted = f"variables: {', '.join(variables)}" if variables else "define it under vars"
        self.add(path, f"{{{{{name}}}}} has no value here", f"{hint} {accepted}".strip())
