"""What a job writes for a field -> the values that it takes: one value, lists, inclusive ranges, derived seeds."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batchgen.errors import nearest
from batchgen.manifest.reading import units
from batchgen.manifest.reading.scalars import shown
from batchgen.manifest.reading.schema import GENERATED, MOST_EVEN, Linspace, RandomSeeds, Range
from batchgen.manifest.seeds import DerivedSeed, DerivedSeeds
from batchgen.manifest.sequences import DECIMALS, Chain, Even, Lazy, Steps
from batchgen.providers.capabilities import Choice, Number, Parameter, Text, Whole, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchgen.manifest.reading.document import Path, Where
    from batchgen.manifest.reading.problems import Problems

Value = str | DerivedSeed | None
"""A field's text, a seed that waits for its task, or None: the field is not sent."""

SMALLEST, LARGEST = Decimal("1e-12"), Decimal("1e15")
MOST_COMPARED = 1_000_000
"""So many values of a job's mixed lists are compared with one another; beyond, equal ones are found as they come."""
MOST_RANGES = 1_000
"""In an axis whose values are too many to be compared."""

_NUMBER = r"[-+]?(?:[0-9]{1,15}(?:\.(?!\.)[0-9]{0,12})?|\.[0-9]{1,12})"
RANGE = rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?"
"""The form of a range, as a regular expression that an editor reads too."""
_RANGE = re.compile(RANGE)
_FORMS = {
    "random": f"{{random: count}} with a count from 1 to {units.MOST_SEEDS}",
    "range": "{range: {from, to, step}} of numbers",
    "linspace": f"{{linspace: {{from, to, count}}}} of numbers with a count from 2 to {MOST_EVEN}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field or variable and the values that it takes, in order; a pinned one has one value."""

    name: str
    values: Sequence[Value]
    origin: str
    """What of the job says so: `built-in`, `defaults`, `sweep`, `preset film`, `prompt`, …"""
    places: tuple[tuple[int, Where], ...]
    """Where: the first position that each place of the job accounts for, and that place."""
    listed: int
    """How many values the job lists, equal ones counted each time."""

    def place(self, position: int = 0) -> Where:
        """The place of the value at `position`."""
        which = bisect_right(self.places, position, key=lambda each: each[0]) - 1
        return self.places[which][1]


@dataclass(frozen=True, slots=True)
class Axis:
    """Columns that advance together: one for an axis of a sweep, several for a zip group."""

    columns: tuple[Column, ...]
    kind: str
    """`vars`, `zip` or `sweep`."""

    def __len__(self) -> int:
        return len(self.columns[0].values)

    @property
    def listed(self) -> int:
        """How many points the job lists, equal ones counted each time."""
        return self.columns[0].listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a job's templates: any text; numbers as they are written."""

    name: str
    default: str = ""

    def text(self, value: object) -> str:
        """`value` as it stands in a prompt; ValueError says what would be accepted."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | Decimal):
            return plain(Decimal(value))
        if isinstance(value, str):
            return value
        raise ValueError("accepted: text or a number")


Reads = Parameter | Variable
"""Whatever reads a value of a job."""


def pinned(name: str, value: Value, origin: str, path: Where) -> Column:
    """A column of one value."""
    return Column(name=name, values=(value,), origin=origin, places=((0, path),), listed=1)


class ColumnReader:
    """Reads the values of columns and notes what is wrong with them."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._comparable = MOST_COMPARED

    def read(self, parameter: Reads, spec: Any, origin: str, path: Path, *, alike: bool = False) -> Column:
        """The column that `spec` describes; what can't be read is noted and left out.

        Equal values are kept once, or, where `alike` says that this column advances with others, as often as they
        stand.
        """
        items = spec if isinstance(spec, list) else [spec]
        paths: list[Path] = [(*path, number) for number in range(len(items))] if isinstance(spec, list) else [path]
        if not items:
            self._problems.add(path, "an axis without values", "give it one, or remove it")
        pieces = [self._piece(parameter, item, where) for item, where in zip(items, paths, strict=True)]
        listed = sum(len(piece) for piece in pieces)
        one_by_one = len(pieces) > 1 and listed <= self._comparable
        self._comparable -= listed if one_by_one else 0
        if not one_by_one and sum(isinstance(piece, Lazy) for piece in pieces) > MOST_RANGES:
            self._problems.add(path, f"more than {MOST_RANGES:,} ranges in one axis", "write fewer, longer ones")
            pieces, paths = pieces[:1], paths[:1]
        join = partial(_listed, alike=alike) if one_by_one else _chained
        values, places = join(pieces, paths)
        return Column(name=parameter.name, values=values, origin=origin, places=tuple(places), listed=listed)

    def pin(self, parameter: Reads, value: Any, origin: str, path: Path) -> Column | None:
        """The column of one value; None, and a note, where it is none or several."""
        ranged = isinstance(value, str) and isinstance(parameter, Whole | Number) and _RANGE.fullmatch(value)
        if isinstance(value, list | dict) or ranged:
            self._problems.add(path, f"{path[-1]} is pinned here, to one value", "put several under sweep")
            return None
        values = self._piece(parameter, value, path, ranges=False)
        return pinned(parameter.name, values[0], origin, path) if values else None

    def _piece(self, parameter: Reads, item: Any, path: Path, *, ranges: bool = True) -> Sequence[Value]:
        try:
            if isinstance(item, dict):
                return self._generated(parameter, item)
            if ranges and isinstance(item, str) and _is_ranged(parameter) and (match := _RANGE.fullmatch(item)):
                first, last, step = match.groups()
                return _steps(parameter, Decimal(first), Decimal(last), Decimal(step or 1))
            if item is None and parameter.name != "model":
                return (None,)
            return (parameter.text(item),)
        except _NotAccepted as error:
            self._problems.add(path, error.cause, error.accepted)
        except ValueError as error:
            cause = f"{shown(item)} is not a value of {parameter.name}"
            self._problems.add(path, cause, accepted(parameter, item, error))
        return ()

    def _generated(self, parameter: Reads, item: Mapping[str, Any]) -> Sequence[Value]:
        try:
            form = GENERATED.validate_python(item)
        except ValidationError:
            raise _NotAccepted(f"{shown(item)} names no values", _generated_forms(parameter, item)) from None
        match form:
            case RandomSeeds(random=count) if parameter.name == "seed":
                return DerivedSeeds(count)
            case Range(range=bounds) if _is_ranged(parameter):
                return _steps(parameter, Decimal(bounds.first), Decimal(bounds.last), Decimal(bounds.step))
            case Linspace(linspace=bounds) if _is_ranged(parameter):
                return _even(parameter, Decimal(bounds.first), Decimal(bounds.last), bounds.count)
        raise _NotAccepted(f"{shown(item)} names no values of {parameter.name}", _generated_forms(parameter, {}))


def _is_ranged(parameter: Reads) -> bool:
    return isinstance(parameter, Whole | Number | Variable)


def _generated_forms(parameter: Reads, item: Mapping[str, Any]) -> str:
    """The forms that stand for values of `parameter`; if `item` is clearly meant to be one of them, that one."""
    if not _is_ranged(parameter):
        return "accepted: a value, or a list of values"
    known = {name: form for name, form in _FORMS.items() if name != "random" or parameter.name == "seed"}
    meant = [known[name] for name in item if name in known]
    hint = nearest(str(next(iter(item))), known) if item and not meant else ""
    return f"{hint} accepted: {', '.join(meant if len(meant) == 1 else known.values())}".strip()


class _NotAccepted(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, cause: str, accepted: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.accepted = accepted


def _steps(parameter: Reads, first: Decimal, last: Decimal, step: Decimal) -> Sequence[Value]:
    if not all(number == 0 or SMALLEST <= abs(number) <= LARGEST for number in (first, last, step)):
        raise _NotAccepted("a range beyond all sizes", f"accepted: numbers from {SMALLEST:f} to {LARGEST:f}")
    if step == 0 or (last - first) / step < 0:
        cause = f"the range {shown(first)}..{shown(last)} by {shown(step)} holds nothing"
        raise _NotAccepted(cause, "accepted: first..last or first..last:step, upwards")
    count = int(((last - first) / step).to_integral_value(ROUND_FLOOR)) + 1
    _check_ends(parameter, first, first + step * (count - 1), step)
    if first == int(first) and step == int(step):
        return Steps(count, int(first), int(step))
    return Steps(count, first, step)


def _even(parameter: Reads, first: Decimal, last: Decimal, count: int) -> Sequence[Value]:
    if not all(number == 0 or SMALLEST <= abs(number) <= LARGEST for number in (first, last)):
        raise _NotAccepted("a linspace beyond all sizes", f"accepted: numbers from {SMALLEST:f} to {LARGEST:f}")
    step, unit = (last - first) / (count - 1), Decimal(1).scaleb(-DECIMALS)
    _check_ends(parameter, first, last, step)
    if abs(step) < unit or (abs(step) == unit and first % unit):  # halves of a unit: two may be rounded to one
        cause = f"{count:,} numbers from {shown(first)} to {shown(last)}, rounded to {unit:f}, are not all different"
        raise _NotAccepted(cause, "give a smaller count, or ends farther apart")
    return Even(count, first, last)


def _check_ends(parameter: Reads, first: Decimal, last: Decimal, step: Decimal) -> None:
    if isinstance(parameter, Whole):
        for number in (first, step):
            if number != int(number):
                raise _NotAccepted(f"{shown(number)} is not a whole number", f"{parameter.name} takes whole numbers")
    for number in (first, last):
        try:
            parameter.text(int(number) if isinstance(parameter, Whole) else number)
        except ValueError as error:
            raise _NotAccepted(f"{shown(number)} is not a value of {parameter.name}", str(error)) from None


def _chained(pieces: list[Sequence[Value]], paths: list[Path]) -> tuple[Sequence[Value], list[tuple[int, Where]]]:
    chain = Chain.of(pieces)
    if len(pieces) == 1:
        return pieces[0], [(0, paths[0])]
    return chain, list(zip((0, *chain.ends), paths, strict=False))


def _listed(
    pieces: list[Sequence[Value]], paths: list[Path], *, alike: bool
) -> tuple[Sequence[Value], list[tuple[int, Where]]]:
    values: list[Value] = []
    places: list[tuple[int, Where]] = []
    seen: set[Value] = set()
    for piece, path in zip(pieces, paths, strict=True):
        places.append((len(values), path))
        for value in piece:
            if alike or value not in seen:
                seen.add(value)
                values.append(value)
    return values, places


def accepted(parameter: Reads, item: Any, error: ValueError) -> str:
    """What a reader said that it accepts, with the nearest word that does to one that does not."""
    hint = nearest(item, parameter.options) if isinstance(parameter, Choice) and isinstance(item, str) else ""
    hint = "quote it;" if isinstance(parameter, Text) and not isinstance(item, str) else hint
    return f"{hint} {error}".strip()
