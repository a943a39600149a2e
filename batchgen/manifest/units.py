"""Durations, rate limits and concurrency as a job and the command line write them: `180s`, `150/10s`, `auto`.

Each reader takes whatever stands there; where it can't be read, ValueError says "what is wrong; what is accepted".
"""

from __future__ import annotations

import re
from decimal import Decimal

from batchgen.model import Window

MOST_CONCURRENCY = 10_000
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)")
_WINDOW = re.compile(r"([0-9]{1,9})\s*/\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)?\s*(ms|s|m|h|d)")


def seconds(value: object) -> float:
    """Seconds in a duration such as `180s` or `1.5m`."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{value!s} is not a duration; accepted: a number and a unit, such as 180s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def window(value: object) -> Window:
    """The rate limit that `150/10s` or `15/s` names."""
    match = _WINDOW.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) < 1 or float(match[2] or 1) <= 0:
        raise ValueError(f"{value!s} is not a rate limit; accepted: requests / time, such as 150/10s, none or unknown")
    return Window(sends=int(match[1]), seconds=float(match[2] or 1) * _SECONDS[match[3]])


def windows(value: object) -> tuple[Window, ...]:
    """The windows of one rate limit, of a list of them, or of `none`.

    A limit that is `unknown` has no window either: what keeps to it is the cool-down after a 429.
    """
    if value in ("none", "unknown"):
        return ()
    if value == []:
        raise ValueError("an empty list is no rate limit; accepted: requests / time, such as 150/10s, none or unknown")
    return tuple(window(each) for each in (value if isinstance(value, list) else [value]))


def concurrency(value: object) -> int | None:
    """How many requests may be in flight; None for `auto`."""
    if value == "auto":
        return None
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_CONCURRENCY:
        return number
    raise ValueError(f"{value!s} is not a concurrency; accepted: auto, or a whole number from 1 to {MOST_CONCURRENCY}")


def amount(value: object) -> Decimal:
    """A number of credits or dollars, above zero."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0:
        return Decimal(value)
    raise ValueError(f"{value!s} is not an amount; accepted: a number above 0")
