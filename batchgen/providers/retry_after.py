"""How long an answer asks to wait (RFC 9110, 10.2.3): seconds or an HTTP-date; anything else counts as absent."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_S = 3600.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, 0 to 3600, from headers by lower-case name; None where they ask for nothing sensible.

    An HTTP-date counts from the answer's own `Date`, so a wrong clock on this machine does no harm.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_S) if len(asked) < 20 else LONGEST_S
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date", ""))
        return min(max(wait.total_seconds(), 0.0), LONGEST_S)
    except (TypeError, ValueError, OverflowError):
        return None
