"""The account's rate limit: at most N requests in any window of seconds; one more starts a penalty.

The rule, as documented: 150 requests in any 10 seconds; the request that goes beyond gets 429, and for 60 seconds
everything is refused. What is refused counts nowhere: it neither fills the window nor lengthens the penalty.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Protocol

_SPELLING = re.compile(r"(?P<requests>\d+)/(?P<window_s>\d+(\.\d+)?)s")


class Limiter(Protocol):
    """Decides about one request at a time; `now` is a monotonic clock in seconds and never runs backwards."""

    def refusal_s(self, now: float) -> float | None:
        """Admit (None), or refuse and say for how many more seconds everything is refused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `requests` in any `window_s` seconds."""

    requests: int
    window_s: float

    @classmethod
    def parse(cls, text: str) -> "Window | None":
        """Read `150/10s`; `none` is no limit. Raises ValueError with the right spelling."""
        if text == "none":
            return None
        found = _SPELLING.fullmatch(text)
        if found is None or int(found["requests"]) < 1 or float(found["window_s"]) <= 0:
            raise ValueError(f"{text!r} is not a limit; write it as 150/10s, or none")
        return cls(requests=int(found["requests"]), window_s=float(found["window_s"]))


class WindowLimiter:
    """Keeps one window and its penalty."""

    def __init__(self, window: Window, penalty_s: float) -> None:
        self._window = window
        self._penalty_s = penalty_s
        self._admitted: deque[float] = deque()
        self._penalty_ends = float("-inf")

    def refusal_s(self, now: float) -> float | None:
        """See Limiter."""
        if now < self._penalty_ends:
            return self._penalty_ends - now
        while self._admitted and now - self._admitted[0] >= self._window.window_s:
            self._admitted.popleft()
        if len(self._admitted) < self._window.requests:
            self._admitted.append(now)
            return None
        self._penalty_ends = now + self._penalty_s
        return self._penalty_s


class NoLimit:
    """Admits everything."""

    def refusal_s(self, now: float) -> float | None:  # noqa: ARG002 - the protocol's signature
        """See Limiter."""
        return None


def limiter(window: Window | None, penalty_s: float) -> Limiter:
    """The limiter that keeps this window."""
    return NoLimit() if window is None else WindowLimiter(window, penalty_s)
