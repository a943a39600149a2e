"""pydantic's errors in a job's own words: what is wrong, at which place, and what would be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchgen.errors import nearest
from batchgen.manifest.schema import JobShape, OutputShape, PromptShape, ProviderShape

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from batchgen.errors import Problem
    from batchgen.manifest.document import Document, Path

SHAPES: dict[str, type[BaseModel]] = {"provider": ProviderShape, "output": OutputShape, "prompts": PromptShape}

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
    """Every error of the shape as a problem at its line."""
    return [_problem(each, document) for each in error.errors(include_url=False)]


def _problem(error: ErrorDetails, document: Document) -> Problem:
    path = tuple(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return unknown_key(document, path, SHAPES.get(str(path[0]), JobShape) if len(path) > 1 else JobShape)
        case "missing" if path[:1] == ("prompts",) and len(path) == 3:
            return _missing_prompt(document, path[:-1], error["input"])
        case "missing" if path == ("prompts",):
            return document.problem((), "no prompts", "add prompts: with a list of texts")
        case "model_type" if not path:
            return document.problem((), "a job is a mapping", "begin with prompts: and a list of texts")
        case "value_error":
            cause, _, accepted = str(error.get("ctx", {})["error"]).partition("; ")
        case kind:
            cause, accepted = WORDS.get(kind, (error["msg"], ""))
            accepted = accepted.format_map(error.get("ctx", {}))
    return document.problem(path, cause, accepted)


def unknown_key(document: Document, path: Path, shape: type[BaseModel], also: tuple[str, ...] = ()) -> Problem:
    """A key that `shape` does not know, with the nearest that it does."""
    known = [*shape.model_fields, *also]
    hint = nearest(str(path[-1]), known)
    accepted = f"{hint} accepted: {', '.join(known)}".strip()
    return document.problem(path, f"unknown key {path[-1]!r}", accepted, key=True)


def _missing_prompt(document: Document, path: Path, entry: Any) -> Problem:
    if isinstance(entry, dict) and len(entry) == 1:
        text = next(iter(entry))
        if text not in PromptShape.model_fields:
            return document.problem(
                path, f"{text!r}: a mapping where a prompt was meant", "quote a prompt that holds ': '"
            )
    return document.problem(path, "an entry without its prompt", "add prompt: with its text")
