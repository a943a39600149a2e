"""A scalar's text <-> its value, by YAML 1.2's core schema. Numbers keep their decimals: 0.1 is Decimal("0.1")."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

MOST_DIGITS = 40
NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
# A leading zero makes text, as is expected of an id or a date; core would read 010 as 10.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORD = re.compile(r"[\w./:+-]*\w")


class StandIn(str):
    """Text in the place of a value that could not be read, which is a problem already; it must not make another."""

    __slots__ = ()


LEFT_OUT = StandIn("left out")


def resolve(text: str) -> str | int | Decimal | bool | None:
    """The value of a plain scalar in the 1.2 core schema; 010, .inf and .nan are text."""
    if NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if len(text) > MOST_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return Decimal(text) if _FLOAT.fullmatch(text) else text


def shown(item: Any) -> str:
    """A value as a job writes it, shortened; text by itself stands in quotes."""
    text = repr(item[:60]) if isinstance(item, str) else _written(item)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _written(item: Any) -> str:
    match item:
        case None:
            return "null"
        case bool():
            return str(item).lower()
        case Decimal():
            return f"{item:f}"
        case dict():
            return f"{{{', '.join(f'{key}: {_written(each)}' for key, each in item.items())}}}"
        case list():
            return f"[{', '.join(map(_written, item))}]"
        case str() if _WORD.fullmatch(item) and resolve(item) == item:
            return item
        case str():
            return repr(item)
    return str(item)
