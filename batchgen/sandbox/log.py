"""The log: every request and what it would have billed, told by the side that was asked. It never holds a key.

An entry is whole before the first byte of its answer leaves, so whoever has an answer finds it in the log. A settled
entry is kept as its line of JSON, in memory at first and then in a file without a name: a long run fills neither.
"""

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any, TextIO

from batchgen.sandbox.faults import Fault
from batchgen.sandbox.order import InputImage

_IN_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; filled in as it is dealt with."""

    number: int
    method: str
    path: str
    received: datetime
    monotonic: float
    """Arrival, in seconds of the clock that the limit goes by."""
    counted: float | None = None
    """When the limit decided, on the same clock: at arrival, or later by the arrival jitter. None: it was not asked."""
    admitted: bool | None = None
    """What the limit decided."""
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
    """Of the picture that was sent whole, even if its client left before its end."""
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
            "counted": self.counted,
            "admitted": self.admitted,
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
    """All entries by number from 1; settled ones also go to a file as one JSON line each."""

    def __init__(self, lines: TextIO | None = None) -> None:
        self._lines = lines
        self.in_flight = 0
        """Requests that arrived and were not yet answered to the end."""
        self._store: SpooledTemporaryFile[bytes] | None = None
        self.forget()

    def forget(self) -> None:
        """Begin again at number 1; what is still in flight will not be entered."""
        self.close()
        self._store = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._places = array("Q")
        """Where each entry's line begins in the store, by number from 1."""
        self._sizes = array("Q")
        """How long it is; 0: the entry is still open."""
        self._open: dict[int, Entry] = {}
        self._statuses = Counter[str]()
        self._faults = Counter[str]()
        self._pictures = self._admitted = self._throttled = 0
        self._billed_credits = 0.0
        self._peak_in_flight = self.in_flight

    def close(self) -> None:
        """Give the store back."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def open_entry(self, method: str, path: str, monotonic: float) -> Entry:
        """A request arrived."""
        self.in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self.in_flight)
        number = len(self._sizes) + 1
        entry = Entry(number=number, method=method, path=path, received=datetime.now(UTC), monotonic=monotonic)
        self._places.append(0)
        self._sizes.append(0)
        self._open[number] = entry
        return entry

    def settle(self, entry: Entry, monotonic: float) -> None:
        """Nothing about this entry will change any more; its answer, if any, may leave now."""
        if self._open.get(entry.number) is not entry or self._store is None:
            return  # it was forgotten
        del self._open[entry.number]
        entry.seconds = monotonic - entry.monotonic
        line = json.dumps(entry.as_json())
        index = entry.number - 1
        self._places[index], self._sizes[index] = self._store.seek(0, 2), len(line)
        self._store.write(line.encode())
        self._count(entry)
        if self._lines is not None:
            self._lines.write(line + "\n")
            self._lines.flush()

    def left(self) -> None:
        """A request was answered to the end, or its client is gone."""
        self.in_flight -= 1

    def text(self, since: int = 0) -> bytes:
        """The JSON of every entry with a higher number than `since`, and the summary of all."""
        return b'{"requests": [%s], "summary": %s}' % (b", ".join(self._texts(since)), self._summary())

    def summary_text(self) -> bytes:
        """The JSON of the summary alone."""
        return b'{"summary": %s}' % self._summary()

    def _texts(self, since: int) -> Iterator[bytes]:
        for index in range(since, len(self._sizes)):
            if self._sizes[index] and self._store is not None:
                self._store.seek(self._places[index])
                yield self._store.read(self._sizes[index])
            else:
                yield json.dumps(self._open[index + 1].as_json()).encode()

    def _count(self, entry: Entry) -> None:
        self._statuses["none" if entry.status is None else str(entry.status)] += 1
        if entry.fault is not None:
            self._faults[entry.fault] += 1
        self._pictures += entry.picture_sha256 is not None
        self._billed_credits += entry.billed_credits
        self._admitted += entry.admitted is True
        self._throttled += entry.admitted is False

    def _summary(self) -> bytes:
        statuses = self._statuses + Counter({"none": len(self._open)})
        summary = {
            "requests": len(self._sizes),
            "pictures": self._pictures,
            "billed_credits": self._billed_credits,
            "by_status": dict(sorted(statuses.items())),
            "by_fault": dict(sorted(self._faults.items())),
            "admitted": self._admitted,
            "throttled": self._throttled,
            "in_flight": self.in_flight,
            "peak_in_flight": self._peak_in_flight,
        }
        return json.dumps(summary).encode()
