"""pydantic's errors in a job's own words: what is wrong, at which place, and what would be accepted."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from batchgen.errors import nearest
from batchgen.manifest.reading.document import MOST_PROBLEMS
from batchgen.manifest.reading.schema import (
    JobShape,
    LimitsShape,
    ModelShape,
    OutputShape,
    PriceShape,
    ProviderShape,
    RetryShape,
    ScheduleShape,
)

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from batchgen.errors import Problem
    from batchgen.manifest.reading.document import Document, Path

SHAPES: dict[Path, type[BaseModel]] = {
    (): JobShape,
    ("provider",): ProviderShape,
    ("provider", "models"): ModelShape,
    ("provider", "prices"): PriceShape,
    ("output",): OutputShape,
    ("limits",): LimitsShape,
    ("retry",): RetryShape,
    ("schedule",): ScheduleShape,
}
"""What takes known keys only, by its place; under `models` and `prices` it stands once for each model."""

# What pydantic calls a wrong type or bound, and what a job's author can write instead.
WORDS = {
    "int_type": ("not a whole number", "accepted: a whole number"),
    "string_type": ("not text", "accepted: text; quote it"),
    "dict_type": ("not a mapping", "accepted: keys with values"),
    "list_type": ("not a list", "accepted: a list, each line beginning with -"),
    "model_type": ("not a mapping", "accepted: keys with values"),
    "model_attributes_type": ("not a mapping", "accepted: keys with values"),
    "missing": ("missing", "add it"),
    "too_short": ("empty", "give it at least one entry"),
    "string_too_short": ("empty", "give it some text"),
    "string_too_long": ("too long", "accepted: at most {max_length} characters"),
    "greater_than_equal": ("too small", "accepted: {ge} or more"),
    "less_than_equal": ("too large", "accepted: {le} or less"),
    "literal_error": ("not accepted", "accepted: {expected}"),
}


def shape_problems(error: ValidationError, document: Document) -> list[Problem]:
    """The errors of the shape as problems at their lines, so many as are read at once."""
    found = (
        each
        for each in error.errors(include_url=False, include_input=False)
        if not document.only_follows(each["loc"], key=each["type"] == "extra_forbidden")
    )
    return [_problem(each, document) for each in islice(found, MOST_PROBLEMS)]


def _problem(error: ErrorDetails, document: Document) -> Problem:
    path = tuple(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(document, path, SHAPES[path[: min(len(path) - 1, 2)]])
        case "model_type" if not path:
            return document.problem((), "a job is a mapping", "begin with prompts: and a list of texts")
        case "value_error":
            cause, _, accepted = str(error.get("ctx", {})["error"]).partition("; ")
        case kind:
            cause, accepted = WORDS.get(kind, (error["msg"], ""))
            accepted = accepted.format_map(error.get("ctx", {}))
    return document.problem(path, cause, accepted)


def _unknown_key(document: Document, path: Path, shape: type[BaseModel]) -> Problem:
    known = list(shape.model_fields)
    key = str(path[-1])
    accepted = f"{nearest(key, known)} accepted: {', '.join(known)}".strip()
    return document.problem(path, f"unknown key {key!r}", accepted, key=True)
