"""The rule that a server keeps, spelled for a job, for the table, and for the arithmetic of the optimum.

A server's rule holds `sends` requests at once and `sends` in every `seconds` in the long run; the kinds differ in how
they count between. Pure: no server, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from batchgen.rehearsal import servers as rehearsed

if TYPE_CHECKING:
    from batchgen.rehearsal.servers import ServerLimit


class Kind(StrEnum):
    """How a server counts."""

    WINDOW = "window"
    """Requests let in, in any stretch of `seconds`."""
    BUCKET = "bucket"
    """A token bucket, full at first."""
    LEAKY = "leaky"
    """nginx's limit_req, with a burst of `sends` and no delay."""
    STICK = "stick"
    """haproxy's http_req_rate over `seconds`, which counts what is refused too."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `sends` in `seconds`, counted as `kind` says."""

    kind: Kind
    sends: int
    seconds: int

    @property
    def per_s(self) -> int:
        """Requests a second in the long run; a whole number, since limit_req takes no other."""
        if self.sends % self.seconds:
            raise ValueError(f"{self.sends} in {self.seconds} s is not a whole number a second")
        return self.sends // self.seconds

    @property
    def told(self) -> str:
        """The rule as a job's rate_limit."""
        return f"{self.sends}/{self.seconds}s"

    @property
    def words(self) -> str:
        """The rule in the words of the table."""
        match self.kind:
            case Kind.WINDOW:
                return f"{self.sends} in any {self.seconds} s"
            case Kind.BUCKET:
                return f"token bucket, {self.per_s}/s, {self.sends} at once"
            case Kind.LEAKY:
                return f"limit_req rate={self.per_s}r/s burst={self.sends} nodelay"
            case Kind.STICK:
                return f"http_req_rate({self.seconds}s) gt {self.sends}"
            case _:
                assert_never(self.kind)

    def optimum_s(self, tasks: int, latency_s: float) -> float:
        """The least time in which `tasks` requests can be answered, the last after `latency_s`, its mean."""
        return rehearsed.optimum_s(self._limit(), tasks, latency_s)

    def _limit(self) -> ServerLimit:
        match self.kind:
            case Kind.WINDOW:
                return rehearsed.SlidingWindow(self.sends, self.seconds, says_wait=False)
            case Kind.BUCKET:
                return rehearsed.TokenBucket(self.per_s, self.sends, says_wait=False)
            case Kind.LEAKY:
                return rehearsed.LeakyBucket(self.per_s, self.sends)
            case Kind.STICK:
                return rehearsed.StickTable(self.sends, self.seconds)
            case _:
                assert_never(self.kind)
