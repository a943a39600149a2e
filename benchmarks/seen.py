"""What a server saw, read from its own log. A client is never asked how it fared.

Seconds are of one clock of the server; each reader takes the text of a log, a line for each request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = 200
THROTTLED = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The requests of one trial."""

    sent: int
    rejected: int
    """Answered with 429."""
    served: int
    """Answered with a picture."""
    seconds: float
    """From the first arrival to the last picture; 0 if there was none."""

    @property
    def rejected_per_1000(self) -> float:
        """Of a thousand requests, how many were rejected."""
        return 1000 * self.rejected / self.sent if self.sent else 0.0


def of_sandbox(log: str) -> Seen:
    """`batchgen sandbox --log`: JSON lines with arrival and seconds until the answer began."""
    entries = [json.loads(line) for line in log.splitlines()]
    return _sum((each["status"], each["monotonic"], each["monotonic"] + each["seconds"]) for each in entries)


def of_nginx(log: str) -> Seen:
    """`$status $msec $request_time`, both in seconds; $msec is the end of the request."""
    return _sum(_ended(line, 1) for line in log.splitlines())


def of_haproxy(log: str) -> Seen:
    """`seen %ST %[date(0,ms)] %Ta`, both in milliseconds, at a request's end; other lines are of haproxy itself."""
    lines = (line.partition("seen ") for line in log.splitlines())
    return _sum(_ended(line, 1000) for before, found, line in lines if found and not before)


def _ended(line: str, per_s: int) -> tuple[int, float, float]:
    status, ended, took = line.split()
    return int(status), (float(ended) - float(took)) / per_s, float(ended) / per_s


def _sum(requests: Iterable[tuple[int | None, float, float]]) -> Seen:
    found = sorted(requests, key=lambda each: each[1])
    ends = [ended for status, _, ended in found if status == OK]
    return Seen(
        sent=len(found),
        rejected=sum(status == THROTTLED for status, _, _ in found),
        served=len(ends),
        seconds=max(ends) - found[0][1] if ends else 0.0,
    )
