"""What a job writes for a field -> the values that the field takes: lists, inclusive ranges, derived seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batchgen.errors import nearest
from batchgen.manifest.schema import GENERATED, Linspace, RandomSeeds, Range
from batchgen.manifest.seeds import DerivedSeed, DerivedSeeds
from batchgen.manifest.sequences import Chain, Steps
from batchgen.providers.capabilities import Choice, Number, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchgen.errors import Problem
    from batchgen.manifest.document import Document, Path
    from batchgen.providers.capabilities import Parameter

Value = str | DerivedSeed | None
"""A field's text, a seed that waits for its task, or None: the field is not sent."""

MOST_COMPARED = 1_000_000
"""Up to so many values of a mixed list are compared with one another; beyond that equal ones are found as they come."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One field of a prompt's tasks and its values in order; a pinned field has one."""

    name: str
    values: Sequence[Value]
    origin: str
    """`built-in`, `defaults`, `sweep`, `prompt` or `prompt's sweep`."""
    path: Path
    """Where the job says so."""
    listed: int
    """How many values the job lists, equal ones counted each time."""

    @property
    def pinned(self) -> bool:
        """Has it one value only?"""
        return len(self.values) == 1


class AxisReader:
    """Reads the values of axes and collects what is wrong with them."""

    def __init__(self, document: Document, problems: list[Problem], seed_key: str | None) -> None:
        self._document = document
        self._problems = problems
        self._seed_key = seed_key

    def read(self, parameter: Parameter, spec: Any, origin: str, path: Path) -> Axis:
        """The axis that `spec` describes; what can't be read is left out of it and put on the list of problems."""
        items = spec if isinstance(spec, list) else [spec]
        paths = [(*path, number) for number in range(len(items))] if isinstance(spec, list) else [path]
        if not items:
            self._wrong(path, "an axis without values", "give it one, or remove it")
        pieces = [self._piece(parameter, item, where) for item, where in zip(items, paths, strict=True)]
        values = _joined(pieces)
        listed = sum(len(piece) for piece in pieces)
        return Axis(name=parameter.name, values=values, origin=origin, path=path, listed=listed)

    def _wrong(self, path: Path, cause: str, accepted: str = "") -> None:
        self._problems.append(self._document.problem(path, cause, accepted))

    def _piece(self, parameter: Parameter, item: Any, path: Path) -> Sequence[Value]:
        try:
            if isinstance(item, dict):
                return self._generated(parameter, item)
            if isinstance(item, str) and isinstance(parameter, Whole | Number) and (match := _RANGE.fullmatch(item)):
                first, last, step = match.groups()
                return _steps(parameter, Decimal(first), Decimal(last), Decimal(step or 1))
            if item is None and parameter.name != "model":
                return [None]
            return [parameter.text(item)]
        except _NotAccepted as error:
            self._wrong(path, error.cause, error.accepted)
        except ValueError as error:
            self._wrong(path, f"{_shown(item)} is not a value of {parameter.name}", _accepted(parameter, item, error))
        return []

    def _generated(self, parameter: Parameter, item: Mapping[str, Any]) -> Sequence[Value]:
        try:
            form = GENERATED.validate_python(item)
        except ValidationError:
            raise _NotAccepted(f"{_shown(item)} names no values", _generated_forms(parameter)) from None
        match form:
            case RandomSeeds(random=count) if parameter.name == "seed":
                return DerivedSeeds(count, self._seed_key)
            case Range(range=bounds) if isinstance(parameter, Whole | Number):
                return _steps(parameter, Decimal(bounds.first), Decimal(bounds.last), Decimal(bounds.step))
            case Linspace(linspace=bounds) if isinstance(parameter, Whole | Number):
                first = Decimal(bounds.first)
                step = (Decimal(bounds.last) - first) / (bounds.count - 1)
                return _ranged(parameter, first, step, bounds.count)
        raise _NotAccepted(f"{_shown(item)} names no values of {parameter.name}", _generated_forms(parameter))


def _generated_forms(parameter: Parameter) -> str:
    if not isinstance(parameter, Whole | Number):
        return "accepted: a value, or a list of values"
    forms = "{range: {from, to, step}}, {linspace: {from, to, count}}"
    return f"accepted: {{random: count}}, {forms}" if parameter.name == "seed" else f"accepted: {forms}"


class _NotAccepted(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, cause: str, accepted: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.accepted = accepted


def _steps(parameter: Parameter, first: Decimal, last: Decimal, step: Decimal) -> Sequence[Value]:
    if step == 0 or (last - first) / step < 0:
        raise _NotAccepted(
            f"the range {first}..{last} by {step} holds nothing", "accepted: first..last or first..last:step, upwards"
        )
    count = int(((last - first) / step).to_integral_value(ROUND_FLOOR)) + 1
    return _ranged(parameter, first, step, count)


def _ranged(parameter: Parameter, first: Decimal, step: Decimal, count: int) -> Sequence[Value]:
    for number in (first, step, first + step * (count - 1)):
        if isinstance(parameter, Whole) and number != int(number):
            raise _NotAccepted(f"{number} is not a whole number", f"{parameter.name} takes whole numbers")
    for number in (first, first + step * (count - 1)):
        whole = int(number) if isinstance(parameter, Whole) else number
        try:
            parameter.text(whole)
        except ValueError as error:
            raise _NotAccepted(f"{number} is not a value of {parameter.name}", str(error)) from None
    return Steps(count, first, step)


def _joined(pieces: list[Sequence[Value]]) -> Sequence[Value]:
    if len(pieces) == 1:
        return pieces[0]
    if sum(len(piece) for piece in pieces) > MOST_COMPARED:
        return Chain.of(pieces)
    return list(dict.fromkeys(value for piece in pieces for value in piece))


def _shown(item: Any) -> str:
    """A value as the job wrote it, shortened."""
    text = repr(item) if isinstance(item, str) else str(item)
    if isinstance(item, bool):
        text = text.lower()
    return text if len(text) <= 60 else f"{text[:57]}…"


def _accepted(parameter: Parameter, item: Any, error: ValueError) -> str:
    hint = nearest(item, parameter.options) if isinstance(parameter, Choice) and isinstance(item, str) else ""
    return f"{hint} {error}".strip()
