"""What an answer's headers say may still be sent, in the forms that servers use.

Facts: the IETF drafts draft-ietf-httpapi-ratelimit-headers (up to 02: `RateLimit-Limit`, `-Remaining`, `-Reset`; 03 to
07: one `RateLimit: limit=…, remaining=…, reset=…`; from 08: items `"policy";r=…;t=…`, windows in `RateLimit-Policy`),
and the habits older than them: `X-RateLimit-*` and `X-Rate-Limit-*`, also with `-requests` behind, whose reset is
seconds, a moment in seconds or milliseconds since 1970, an HTTP-date, or a duration such as `1m30s` or `6ms`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from batchgen.model import Allowance
from batchgen.providers.retry_after import MOST_CHARACTERS, elements, epoch_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_SENDS: Final = 1_000_000
"""What allows more says nothing that is worth heeding."""
LONGEST_S: Final = 86_400.0
"""What is renewed later than in a day is no rate; when it is used up, the server says so by refusing."""

_NAMES: Final = tuple(
    (f"{family}-remaining{of}", f"{family}-reset{of}")
    for family in ("ratelimit", "x-ratelimit", "x-rate-limit")
    for of in ("", "-requests")
)

_QUOTED: Final = r'"(?:[^"\\]++|\\.)*+"'  # possessive: an open quote is tried once
_ITEM: Final = re.compile(rf'(?:{_QUOTED}|[^",])++')
_PART: Final = re.compile(rf'(?:{_QUOTED}|[^";])++')

_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smhd]))+", re.ASCII)
_TERM: Final = re.compile(r"([\d.]+)(ms|[smhd])", re.ASCII)
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

# From here on a number is a moment in seconds since 1970 (this one in 2001), and then in milliseconds (1973).
_SECONDS: Final = 1e9
_MILLISECONDS: Final = 1e11


def tells_allowance(headers: Mapping[str, str]) -> bool:
    """Is there a header, by lower-case name, that `read_allowance` looks at? Few servers send one."""
    names = "\n".join(headers)
    return "ratelimit" in names or "rate-limit" in names


def read_allowance(headers: Mapping[str, str], wall_time: float | None) -> Allowance | None:
    """What may still be sent, from headers by lower-case name; None where they say nothing sensible.

    `wall_time` is when the answer was made, in seconds since 1970 UTC; without it a moment says nothing.
    Of several policies the tightest counts: the fewest sends, and among equals the longest wait. The others have more
    left, and every answer tells anew.
    """
    said = [*_by_policy(headers), *_by_name(headers)]
    read = [(_sends(remaining), _seconds(reset, wall_time)) for remaining, reset in said]
    found = [(sends, seconds) for sends, seconds in read if sends is not None and seconds is not None]
    if not found:
        return None
    sends, seconds = min(found, key=lambda each: (each[0], -each[1]))
    return Allowance(remaining=sends, reset_s=seconds)


def _by_name(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Remaining and reset as headers of their own; several of each belong together by their order."""
    for remaining, reset in _NAMES:
        left, until = elements(headers.get(remaining, "")), elements(headers.get(reset, ""))
        if len(left) == len(until):
            yield from zip(left, until, strict=True)


def _by_policy(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Remaining and reset of each policy in `RateLimit`; one that names no reset is renewed within its window."""
    windows = {name: parameters.get("w", "") for name, parameters in _items(headers.get("ratelimit-policy", ""))}
    only_window = next(iter(windows.values())) if len(windows) == 1 else ""
    flat: dict[str, str] = {}
    for name, parameters in _items(headers.get("ratelimit", "")):
        flat.update(parameters)
        yield parameters.get("r", ""), parameters.get("t") or windows.get(name, "")
    yield flat.get("remaining", ""), flat.get("reset") or only_window


def _items(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each item of a list as its name and its parameters; a bare `limit=100` is a parameter without a name."""
    for item in _ITEM.findall(value[:MOST_CHARACTERS]):
        name, *parts = [part.strip() for part in _PART.findall(item)] or [""]
        if "=" in name and not name.startswith('"'):
            name, parts = "", [name, *parts]
        yield name, {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in parts)}


def _sends(text: str) -> int | None:
    """A whole number of sends; some servers write it as `598.0`."""
    sends = int(float(text)) if _NUMBER.fullmatch(text) else MOST_SENDS + 1
    return sends if sends <= MOST_SENDS else None


def _seconds(text: str, wall_time: float | None) -> float | None:
    """Seconds from the answer until the reset, at most a day; None for what is past, too far or no time at all."""
    if _DURATION.fullmatch(text):
        seconds = sum(float(count) * _UNIT_S[unit] for count, unit in _TERM.findall(text))
    elif _NUMBER.fullmatch(text) and float(text) < _SECONDS:
        seconds = float(text)
    elif wall_time is not None and (moment := _moment(text)) is not None:
        seconds = moment - wall_time
    else:
        return None
    return seconds if 0 <= seconds <= LONGEST_S else None


def _moment(text: str) -> float | None:
    """A moment in seconds since 1970 UTC."""
    if not _NUMBER.fullmatch(text):
        return epoch_s(text)
    number = float(text)
    return number if number < _MILLISECONDS else number / 1000
