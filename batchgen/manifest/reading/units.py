"""Durations, rate limits, concurrency and schedules as a job or a flag writes them: `180s`, `150/10s`, `auto`.

Each reader takes whatever stands there; where it can't be read, ValueError says "what is wrong; what is accepted".
"""

from __future__ import annotations

import re
from calendar import monthrange
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from batchgen.errors import nearest
from batchgen.manifest.reading.scalars import shown
from batchgen.model import RateLimit, Window

MOST_CONCURRENCY = 10_000
MOST_SEEDS = 4_294_967_294
"""Seeds are 1 to this: 0 asks the server to choose."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT = f"({'|'.join(_SECONDS)})"
_ABOVE_ZERO = r"(?!0+(?:\.0+)?\s*[a-z])([0-9]{1,9}(?:\.[0-9]{1,9})?)"
DURATION = rf"{_ABOVE_ZERO}\s*{_UNIT}"
WINDOW = rf"(?!0+\s*/)([0-9]{{1,9}})\s*/\s*(?:{_ABOVE_ZERO})?\s*{_UNIT}"
"""Their forms, as regular expressions that an editor reads too; blanks around them do not matter."""
_DURATION, _WINDOW = re.compile(DURATION), re.compile(WINDOW)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CRON: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day": (1, 31, ()),
    "month": (1, 12, _MONTHS),
    "weekday": (0, 7, _DAYS),  # Sunday is 0 and 7
}
"""The fields of a cron line in their order: the least and the greatest number, and names for those from the least."""
_LEAP_YEAR = 2000
LONGEST_CRON = 1_000
_CRON_PART = re.compile(r"(?:\*|([0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?)(?:/([0-9]{1,2}))?")


def seconds(value: object) -> float:
    """Seconds in a duration such as `180s` or `1.5m`."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_said(value)} is not a duration; accepted: a number and a unit, such as 180s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def window(value: object) -> Window:
    """The rate limit that `150/10s` or `15/s` names."""
    match = _WINDOW.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{_said(value)} is not a rate limit; accepted: requests / time, such as 150/10s, none or unknown"
        )
    return Window(sends=int(match[1]), seconds=float(match[2] or 1) * _SECONDS[match[3]])


def rate_limit(value: object) -> RateLimit:
    """The windows of one rate limit or of a list of them; `unknown`, which is learned; or `none`."""
    if value in ("none", "unknown"):
        return RateLimit(unknown=value == "unknown")
    if value == []:
        raise ValueError("an empty list is no rate limit; accepted: requests / time, such as 150/10s, none or unknown")
    return RateLimit(windows=tuple(window(each) for each in (value if isinstance(value, list) else [value])))


def concurrency(value: object) -> int | None:
    """How many requests may be in flight; None for `auto`."""
    if value == "auto":
        return None
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_CONCURRENCY:
        return number
    raise ValueError(
        f"{_said(value)} is not a concurrency; accepted: auto, or a whole number from 1 to {MOST_CONCURRENCY}"
    )


def _said(value: object) -> str:
    """A value as it is written, a flag's too."""
    return value if isinstance(value, str) else shown(value)


def amount(value: object) -> Decimal:
    """A number of credits or dollars, above zero."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0:
        return Decimal(value)
    raise ValueError(f"{shown(value)} is not an amount; accepted: a number above 0")


def cron(value: str) -> str:
    """A cron line of five fields, as it is written; ValueError says so too where its day never comes."""
    fields = value.split() if len(value) <= LONGEST_CRON else []
    if len(fields) != len(_CRON):
        raise ValueError(f"{shown(value)} is not a cron line; accepted: {' '.join(_CRON)}, such as 30 2 * * MON-FRI")
    _, _, days, months, _ = (_cron_field(name, field) for name, field in zip(_CRON, fields, strict=True))
    # Of a day and a weekday either will do, unless one begins with * (crontab(5)); and any weekday comes every week.
    weekday_will_do = not fields[2].startswith("*") and not fields[4].startswith("*")
    longest = max(monthrange(_LEAP_YEAR, month)[1] for month in months)
    if min(days) > longest and not weekday_will_do:
        cause = f"{shown(value)} never comes: its longest month has {longest} days"
        raise ValueError(f"{cause}; accepted: a day from 1 to {longest}, or another month")
    return value


def _cron_field(name: str, field: str) -> set[int]:
    """The numbers that a field of a cron line names."""
    found: set[int] = set()
    for part in field.split(","):
        numbers = _cron_part(part.upper(), *_CRON[name])
        if not numbers:
            raise ValueError(f"{shown(part)} is no {name} of a cron line; accepted: {_cron_forms(name)}")
        found.update(numbers)
    return found


def _cron_part(part: str, low: int, high: int, known: tuple[str, ...]) -> range:
    """The numbers that one part of a list names; none where it is no part."""
    match = _CRON_PART.fullmatch(part)
    if match is None:
        return range(0)
    first, last, step = match.groups()
    if step and (int(step) == 0 or (first and not last)):  # cron itself takes a step of * or of a range only
        return range(0)
    begin = _cron_number(first, low, known) if first else low
    end = _cron_number(last, low, known) if last else begin if first else high
    return range(begin, end + 1, int(step or 1)) if low <= begin and end <= high else range(0)


def _cron_number(text: str, low: int, known: tuple[str, ...]) -> int:
    """The number that a field's text names; -1 for none."""
    if text.isdigit():
        return int(text)
    return low + known.index(text) if text in known else -1


def _cron_forms(name: str) -> str:
    low, high, known = _CRON[name]
    names = f" or {known[0]} to {known[-1]}" if known else ""
    return f"{low} to {high}{names}, *, a list (a,b), an upward range (a-b), a step (*/n, a-b/n)"


def time_zone(value: str) -> str:
    """A time zone of the tz database, as it is written."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # no such zone; no zone's name; the name of a folder of zones
        if known := available_timezones():  # a machine without the database can't tell
            accepted = f"{nearest(value, known)} accepted: a name of the tz database, such as Europe/Berlin".strip()
            raise ValueError(f"{shown(value)} is not a time zone; {accepted}") from None
    return value
