"""A job as plain values: each with its place in the text, and what could not be read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.reading.scalars import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A place in a data file that the job names."""

    file: str
    line: int
    column: str


Path = tuple[str | int, ...]
"""A place in the job, from the outside in: ("prompts", 2, "seed")."""

Where = Path | RowPlace

MOST_PROBLEMS = 100
"""Of problems, and of warnings; more than this nobody reads at once."""
_PROMPT_TEXTS = {"prompt", "negative_prompt"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; `line` and `column` count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A job's values by name, the place of each value and key by its path, and what was wrong with the reading."""

    file: str
    source: str
    values: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: Where, cause: str, accepted: str = "", *, key: bool = False) -> Problem:
        """A problem with the value (or the key) at `path`, or with the innermost thing around it that has a place."""
        if isinstance(path, RowPlace):
            return Problem(file=path.file, line=path.line, column=1, path=path.column, cause=cause, accepted=accepted)
        known = path
        while known and known not in self.places:
            known = known[:-1]
        place = self.keys.get(path) if key else None
        place = place or self.places.get(known) or Place(1, 1)
        return Problem(line=place.line, column=place.column, path=dotted(path), cause=cause, accepted=accepted)

    def error(self, problems: Iterable[Problem]) -> ManifestError:
        """All these problems, and the warnings, as one error about this file."""
        return ManifestError(self.file, self.source, problems, self.warnings)

    def stand_ins(self) -> Iterator[Path]:
        """The places of values that could not be read."""
        return _stand_ins(self.values, ()) if self.problems else iter(())

    def only_follows(self, path: Where, *, key: bool = False) -> bool:
        """Would a problem at `path` only follow from a value there, in it or around it, that could not be read?

        What is said of a key does not follow from its value.
        """
        if isinstance(path, RowPlace) or not self.problems:
            return False
        value = self.values
        for part in path[:-1] if key else path:
            if not _is_in(part, value):
                return isinstance(value, StandIn)
            value = value[part]
        if isinstance(value, StandIn):
            return True
        # What is said of a section or an entry as a whole does not come of one of its values.
        holds_fields = len(path) < (3 if path[:1] in {("prompts",), ("tasks",)} else 2)
        return not key and not holds_fields and any(_stand_ins(value, path))


def dotted(path: Path) -> str:
    """A path as it is read: `prompts[2].seed`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _is_in(part: str | int, value: Any) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _stand_ins(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, StandIn):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _stand_ins(each, (*path, key))


def is_prompt_text(path: Path) -> bool:
    """Is this a place whose text is sent to the model as it stands in the job?"""
    if len(path) == 2 and path[0] == "prompts":
        return True
    return any(part in _PROMPT_TEXTS for part in path[-2:])
