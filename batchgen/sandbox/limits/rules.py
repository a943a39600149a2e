"""What a limit says: a rule as a value, how it is spelled, and what half of it is."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import assert_never


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding:
    """At most `requests` in any `window_s` seconds; `rejections`: refused requests fill the window too."""

    requests: int
    window_s: float
    rejections: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """At most `requests` from one whole multiple of `window_s` on the clock to the next."""

    requests: int
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`burst` tokens at most, one taken by each request, `rate_per_s` coming back.

    A leaky bucket without a queue (the generic cell rate algorithm, ITU-T I.371) is this rule too: with a burst of 1,
    requests are at least 1 / rate apart.
    """

    rate_per_s: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """At most `requests` being answered at a time."""

    requests: int


Limit = Sliding | Fixed | Bucket | Concurrency

SPELLINGS = "150/10s, or none, fixed:150/10s, rejections:150/10s, bucket:15/s:15, leaky:15/s, concurrency:8"

_SPELLED = re.compile(r"(?:(?P<kind>[a-z]+):)?(?P<rule>.*)")
_WINDOW = re.compile(r"(?P<requests>\d+)/(?P<window_s>\d+(\.\d+)?)s", re.ASCII)
_RATE = re.compile(r"(?P<requests>\d+(\.\d+)?)/(?P<per_s>\d+(\.\d+)?)?s(:(?P<burst>\d+))?", re.ASCII)


def parse_limits(texts: Iterable[str]) -> tuple[Limit, ...]:
    """All of several limits, which hold together; `none` stands alone. Raises ValueError with the right spelling."""
    told = list(texts)
    if told == ["none"]:
        return ()
    if "none" in told:
        raise ValueError("none means no limit at all; give it alone, or leave it out")
    return tuple(parse_limit(text) for text in told)


def parse_limit(text: str) -> Limit:
    """One limit. Raises ValueError with the right spelling."""
    found = _SPELLED.fullmatch(text)
    read = found and _READERS.get(found["kind"] or "")
    limit = read(found["rule"]) if found and read else None
    if limit is None:
        raise ValueError(f"{text!r} is not a limit; write it as {SPELLINGS}")
    return limit


def spelled(limit: Limit) -> str:
    """The limit as `parse_limit` reads it."""
    match limit:
        case Sliding():
            return f"{'rejections:' if limit.rejections else ''}{limit.requests}/{_plain(limit.window_s)}s"
        case Fixed():
            return f"fixed:{limit.requests}/{_plain(limit.window_s)}s"
        case Bucket():
            return f"bucket:{_plain(limit.rate_per_s)}/s:{limit.burst}"
        case Concurrency():
            return f"concurrency:{limit.requests}"
        case _:
            assert_never(limit)


def halved(limit: Limit) -> Limit:
    """Half as much, at least one request at a time."""
    match limit:
        case Bucket():
            return Bucket(rate_per_s=limit.rate_per_s / 2, burst=max(1, limit.burst // 2))
        case Sliding() | Fixed() | Concurrency():
            return replace(limit, requests=max(1, limit.requests // 2))
        case _:
            assert_never(limit)


def _sliding(text: str, *, rejections: bool = False) -> Limit | None:
    window = _window(text)
    return window and Sliding(requests=window[0], window_s=window[1], rejections=rejections)


def _rejections(text: str) -> Limit | None:
    return _sliding(text, rejections=True)


def _fixed(text: str) -> Limit | None:
    window = _window(text)
    return window and Fixed(requests=window[0], window_s=window[1])


def _window(text: str) -> tuple[int, float] | None:
    found = _WINDOW.fullmatch(text)
    if found is None or int(found["requests"]) < 1 or float(found["window_s"]) <= 0:
        return None
    return int(found["requests"]), float(found["window_s"])


def _bucket(text: str) -> Limit | None:
    found = _RATE.fullmatch(text)
    if found is None:
        return None
    requests, per_s, burst = float(found["requests"]), float(found["per_s"] or 1), int(found["burst"] or 1)
    return Bucket(rate_per_s=requests / per_s, burst=burst) if requests > 0 and per_s > 0 and burst > 0 else None


def _concurrency(text: str) -> Limit | None:
    return Concurrency(requests=int(text)) if re.fullmatch(r"[1-9]\d*", text, re.ASCII) else None


_READERS: dict[str, Callable[[str], Limit | None]] = {
    "": _sliding,
    "rejections": _rejections,
    "fixed": _fixed,
    "bucket": _bucket,
    "leaky": _bucket,
    "concurrency": _concurrency,
}


def _plain(number: float) -> str:
    """Without an exponent or a point at its end, and exact."""
    return f"{number:.17f}".rstrip("0").rstrip(".") if number != int(number) else str(int(number))
