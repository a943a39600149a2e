"""Environment variables in a job's values: `${V}`, `${V:-default}`, `${V:?message}`, and `$$` for a dollar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`text` with its references replaced; ValueError names a variable that is not set and what would do."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = environment.get(match["name"], "")
        if found or (match["how"] is None and match["name"] in environment):
            return found
        if match["how"] == "-":
            return match["rest"]
        said = f" ({match['rest']})" if match["how"] == "?" else ""
        raise ValueError(f"the environment variable {match['name']} is not set{said}; set it, or give ${{V:-default}}")

    end = text.rfind("}") + 1  # what has no brace after it is not looked through for one again and again
    return _REFERENCE.sub(value, text[:end]) + text[end:].replace("$$", "$")


def is_reference(text: str) -> bool:
    """Is this one reference and nothing else, so that its value need not be text?"""
    match = _REFERENCE.fullmatch(text)
    return match is not None and match["dollar"] is None
