"""What a run says while it runs: one stream, read by the terminal, `--json`, the file of the run's events and tests."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from batchgen.errors import shown_json
from batchgen.utc import utc_now

if TYPE_CHECKING:
    from batchgen.model import Billing, Fault


class Ending(StrEnum):
    """Why a run ended."""

    COMPLETE = "complete"
    """Everything asked for is made."""
    INCOMPLETE = "incomplete"
    """Everything was tried; some tasks failed or were filtered."""
    PROVIDER = "provider"
    """The provider refuses every task: key, credit or url."""
    CAP = "cap"
    """A cap on cost or pictures is reached."""
    STORAGE = "storage"
    """Pictures can't be stored."""
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The job is read and compared with what is made; nothing is sent yet."""

    run: str
    job: str
    output: str
    provider: str
    url: str
    tasks: int
    """Different tasks of the job."""
    made: int
    """Of these, how many are made already."""
    asked: int
    """How many this run is to make."""
    expected_usd: float | None
    """What they will cost by the price list; None where a price is not known."""
    adopted: int = 0
    """Pictures that a run before this one left unfinished and that were whole."""
    missing: int = 0
    """Pictures that were made and are gone from the folder: due again."""
    given_up: int = 0
    """Tasks that ended for good in an earlier run: not asked for again but by `retry`."""
    in_doubt: int = 0
    """Attempts of dead runs that began, and of whose end nothing is known."""
    in_doubt_usd: float | None = 0.0
    """What they cost if all of them were billed; None where a price is not known."""
    ledger_set_aside: str | None = None
    """Where a damaged ledger went; what is made was told from the sidecars."""


class TaskMade(NamedTuple):
    """A picture and its sidecar are on the disk."""

    id: str
    index: int  # type: ignore[assignment]  # the field of that name, not a tuple's search
    prompt_id: str
    picture: str
    """Path below the output folder."""
    seconds: float
    attempts: int
    filtered: bool
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried:
    """An attempt failed and the task will be tried again."""

    id: str
    index: int
    fault: Fault
    words: str
    attempt: int
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task has ended without a picture."""

    id: str
    index: int
    prompt_id: str
    fault: Fault
    words: str
    attempts: int
    billing: Billing
    """Of the last attempt."""
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnkept:
    """A picture was paid for and can't be kept in the output folder; the words say where it is, or that it is lost."""

    id: str
    index: int
    prompt_id: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing may be sent for a while."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """No more is sent; what is in flight is waited for."""

    why: str
    what_now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The last event of a run."""

    ending: Ending
    why: str
    output: str
    provider: str
    made: int
    failed: int
    filtered: int
    left: int
    seconds: float
    spent_usd: float | None
    """What was surely billed; None where a price is unknown."""
    at_most_usd: float | None
    """The same, with every attempt that may have been billed."""
    in_doubt: int = 0
    """Attempts that were sent and whose answers were not waited for."""


Event = RunStarted | TaskMade | TaskRetried | TaskFailed | TaskUnkept | Waiting | Stopping | RunEnded


def json_line(event: Event) -> str:
    """An event as a line of JSON, said now."""
    return shown_json(as_json(event, utc_now())) + "\n"


def as_json(event: Event, at: str) -> dict[str, Any]:
    """An event as one JSON object: its name in snake case, its time, its values."""
    return {"event": _NAMES[type(event)], "at": at, **values_of(event)}


def values_of(event: Event) -> dict[str, Any]:
    """An event's values by their names."""
    if isinstance(event, TaskMade):
        return event._asdict()
    return {each.name: getattr(event, each.name) for each in fields(event)}


def _name(kind: type[Any]) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in kind.__name__).lstrip("_")


_NAMES: dict[type[Any], str] = {kind: _name(kind) for kind in get_args(Event)}
