"""The JSON beside each picture: all that is needed to know, prove and repeat it; schema_version 1.

It is written from the task and its own answer. Keys may be added, never changed, so a newer sidecar is read as far as
it says what is asked here. Nothing secret comes near it: neither the key nor any header that we sent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from batchgen.json_text import json_bytes
from batchgen.model import Attempt, Billing, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.model import Success, Task

T = TypeVar("T", str, int)
D = TypeVar("D", int, None)

SCHEMA_VERSION = 1
_LARGEST = 2**63 - 1
"""What SQLite holds."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a picture cost by the price list of a month, such as `2025-08`."""

    credits: Decimal
    usd: Decimal
    prices: str

    @cached_property
    def json(self) -> bytes:
        """As a sidecar gives it; there is one for each model."""
        return json_bytes({"credits": _number(self.credits), "usd": _number(self.usd), "prices": self.prices})


class Sidecar(NamedTuple):
    """A whole document but for its picture's SHA-256, which goes between these once it is worked out."""

    before: bytes
    after: bytes

    def naming(self, sha256: str) -> bytes:
        """The document of a picture with this digest."""
        return b"".join((self.before, sha256.encode(), self.after))


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRecord:
    """What resuming needs of a sidecar."""

    task_id: str
    picture_file: str
    """A bare name: the picture lies beside its sidecar."""
    sha256: str
    size_bytes: int
    index: int
    """Where the task stood in the job that made it; -1 where the sidecar does not say."""
    usd: Decimal | None
    """What an attempt at it costs if it is billed, by the price of its day; None where that is not known."""
    attempts: Sequence[Attempt]
    sidecar_sha256: str

    @property
    def billed_usd(self) -> Decimal:
        """What its attempts may have cost; 0 where no price is known."""
        return (self.usd or Decimal(0)) * sum(attempt.billing is not Billing.NO for attempt in self.attempts)


def sidecar(  # noqa: PLR0913 - one argument for each part of the document
    task: Task,
    *,
    provider: str,
    url: str,
    version: str,
    success: Success,
    picture_file: str,
    attempts: Sequence[Attempt],
    cost: Cost | None,
    made: str,
) -> Sidecar:
    """The whole document; `made` is UTC in ISO 8601, `picture_file` the picture's name beside the sidecar."""
    # A line for each part: to look at.
    picture = success.picture
    before = (
        b'{\n  "schema_version": %d,\n  "batchgen": ' % SCHEMA_VERSION,
        json_bytes(version),
        b',\n  "made": ',
        json_bytes(made),
        b',\n  "task": ',
        json_bytes(
            {
                "id": task.id,
                "job": task.job,
                "prompt_id": task.prompt_id,
                "index": task.index,
                "repeat": task.repeat,
                "variables": dict(task.variables),
            }
        ),
        b',\n  "request": ',
        json_bytes({"provider": provider, "url": url, **_request(task)}),
        b',\n  "response": ',
        json_bytes(
            {
                "status": success.status,
                "content_type": success.content_type,
                "seed": success.seed,
                "finish_reason": success.finish_reason,
                "request_id": success.request_id,
            }
        ),
        b',\n  "picture": {"file":',
        json_bytes(picture_file),
        b',"bytes":%d,"sha256":"' % picture.size_bytes,
    )
    after = (
        b'","format":"%b","width":%d,"height":%d' % (picture.format.encode(), picture.width, picture.height),
        b'},\n  "attempts": ',
        json_bytes([_attempt(attempt) for attempt in attempts]),
        b',\n  "cost": ',
        b"null" if cost is None else cost.json,
        b"\n}\n",
    )
    return Sidecar(b"".join(before), b"".join(after))


def _request(task: Task) -> dict[str, Any]:
    fields = dict(task.fields)
    if task.image is None:
        return {"fields": fields}
    return {"fields": fields, "image": {"path": task.image.path, "sha256": task.image.sha256}}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started": attempt.started,
        "seconds": attempt.seconds,
        "fault": attempt.fault and str(attempt.fault),
        "status": attempt.status,
        "billing": str(attempt.billing),
    }


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def read_sidecar(content: bytes) -> MadeRecord | None:
    """What a sidecar says was made, or None when this is no whole sidecar of ours."""
    try:
        document = json.loads(content)
        if _at(document, int, "schema_version") < SCHEMA_VERSION:
            return None
        file = _at(document, str, "picture", "file")
        record = MadeRecord(
            task_id=_at(document, str, "task", "id"),
            picture_file=file,
            sha256=_at(document, str, "picture", "sha256"),
            size_bytes=_at(document, int, "picture", "bytes"),
            index=_int(document["task"].get("index"), -1),
            usd=_price(document["cost"]["usd"]) if document.get("cost") else None,
            attempts=[_read_attempt(attempt) for attempt in document["attempts"]],
            sidecar_sha256=hashlib.sha256(content).hexdigest(),
        )
    except (ValueError, LookupError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return None
    return None if file in {"", ".", ".."} or "/" in file or "\0" in file else record


def _read_attempt(said: Any) -> Attempt:
    return Attempt(
        number=_at(said, int, "number"),
        started=_at(said, str, "started"),
        seconds=float(said["seconds"]),
        billing=Billing(said["billing"]),
        fault=Fault(said["fault"]) if said["fault"] else None,
        status=_int(said["status"], None),
    )


def _int(said: Any, default: D) -> int | D:
    return said if type(said) is int and abs(said) <= _LARGEST else default


def _price(said: Any) -> Decimal:
    price = Decimal(str(said))
    if not price.is_finite() or price < 0:
        raise ValueError(said)
    return price


def _at(document: Any, kind: type[T], *path: str) -> T:
    for key in path:
        document = document[key]
    if type(document) is not kind:
        raise TypeError(path)
    if isinstance(document, str):
        document.encode()  # half a surrogate pair is no text to SQLite
    elif _int(document, None) is None:
        raise ValueError(path)
    return document
