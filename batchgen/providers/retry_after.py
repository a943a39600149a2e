"""How long an answer asks to wait (RFC 9110, 10.2.3): seconds or an HTTP-date; anything else counts as absent."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_S: Final = 3600.0
"""What asks for more is held to this: a run tries again within the hour, whatever a server says."""

MOST_CHARACTERS: Final = 1_000
"""What is read of one header: patterns and dates take long over a hostile one, and the event loop would wait."""

# What stands between commas, but for the one inside an HTTP-date (`Sun, 22 Nov 2026 02:31:30 GMT`).
_ELEMENT: Final = re.compile(r"(?:\s*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,)?[^,]+")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, 0 to 3600, from headers by lower-case name; None where they ask for nothing sensible.

    An HTTP-date counts from the answer's own `Date`, so a wrong clock on this machine does no harm. Of several values
    the longest counts.
    """
    now = answered_at(headers)
    waits = (_wait_s(element, now) for element in elements(headers.get("retry-after", "")))
    return max((wait for wait in waits if wait is not None), default=None)


def answered_at(headers: Mapping[str, str]) -> float | None:
    """When an answer was made by its server's clock (`Date`), in seconds since 1970 UTC."""
    return epoch_s(headers.get("date", ""))


def elements(value: str) -> list[str]:
    """The values of a header that is a list or came more than once, an HTTP-date being one value."""
    return [element.strip() for element in _ELEMENT.findall(value[:MOST_CHARACTERS])]


def epoch_s(date: str) -> float | None:
    """An HTTP-date in any of its three forms (RFC 9110, 5.6.7), all of them UTC, as seconds since 1970."""
    try:
        moment = parsedate_to_datetime(date[:MOST_CHARACTERS])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _wait_s(asked: str, now: float | None) -> float | None:
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_S) if len(asked) < 20 else LONGEST_S
    until = epoch_s(asked)
    return None if until is None or now is None else min(max(until - now, 0.0), LONGEST_S)
