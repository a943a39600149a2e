"""The log: every request and what it would have billed, told by the side that was asked. It never holds a key.

An entry is whole before the first byte of its answer leaves, so whoever has an answer finds it in the log.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from batchgen.sandbox.faults import Fault
from batchgen.sandbox.order import InputImage


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; filled in as it is dealt with."""

    number: int
    method: str
    path: str
    received: datetime
    monotonic: float
    """Arrival, in seconds of the clock that the limit goes by."""
    status: int | None = None
    """None: not answered, or not yet."""
    fault: Fault | None = None
    billed_credits: float = 0.0
    fields: Mapping[str, str] = field(default_factory=dict)
    image: InputImage | None = None
    errors: tuple[str, ...] = ()
    seed: int | None = None
    """The seed really used."""
    picture_sha256: str | None = None
    """Of the whole picture, also when only a part of it was sent."""
    seconds: float | None = None
    """From arrival to the beginning of the answer; None: still open."""

    def as_json(self) -> dict[str, Any]:
        """The entry as the log shows it."""
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "received": self.received.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "monotonic": self.monotonic,
            "status": self.status,
            "fault": self.fault,
            "billed": self.billed_credits > 0,
            "billed_credits": self.billed_credits,
            "fields": dict(self.fields),
            "image": None if self.image is None else self.image.as_json(),
            "errors": list(self.errors),
            "seed": self.seed,
            "picture_sha256": self.picture_sha256,
            "seconds": self.seconds,
        }


class Log:
    """All entries since the start, by number from 1; settled ones also go to a file as one JSON line each."""

    def __init__(self, lines: TextIO | None = None) -> None:
        self._entries: list[Entry] = []
        self._lines = lines

    def open_entry(self, method: str, path: str, monotonic: float) -> Entry:
        """A request arrived."""
        number = len(self._entries) + 1
        entry = Entry(number=number, method=method, path=path, received=datetime.now(UTC), monotonic=monotonic)
        self._entries.append(entry)
        return entry

    def settle(self, entry: Entry, monotonic: float) -> None:
        """Nothing about this entry will change any more; its answer, if any, may leave now."""
        entry.seconds = monotonic - entry.monotonic
        if self._lines is not None:
            self._lines.write(json.dumps(entry.as_json()) + "\n")
            self._lines.flush()

    def as_json(self) -> dict[str, Any]:
        """Every entry, and their sum."""
        statuses = Counter("none" if entry.status is None else str(entry.status) for entry in self._entries)
        return {
            "requests": [entry.as_json() for entry in self._entries],
            "summary": {
                "requests": len(self._entries),
                "pictures": sum(entry.picture_sha256 is not None for entry in self._entries),
                "billed_credits": sum(entry.billed_credits for entry in self._entries),
                "by_status": dict(sorted(statuses.items())),
            },
        }
