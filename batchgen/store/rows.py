"""What a ledger's rows say, as values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.model import Attempt, Billing, Fault


class PictureRow(NamedTuple):
    """A picture that is kept."""

    task_id: str
    task_index: int
    """Where the task stood in the job that made it; -1 where its sidecar does not say."""
    path: str
    """Relative to the output folder, with extension."""
    size_bytes: int
    sha256: str
    sidecar_sha256: str


class FailureRow(NamedTuple):
    """A task that ended without a picture, in the words of its last attempt."""

    task_id: str
    task_index: int
    prompt_id: str
    fault: Fault
    billing: Billing
    status: int | None
    words: str


class AttemptRow(NamedTuple):
    """An attempt at a task, and what it costs if it is billed: US dollars, None where the price is not known."""

    task_id: str
    task_index: int
    attempt: Attempt
    usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run was asked for, so that it can be asked again."""

    job: str
    """The job's file, an absolute path."""
    provider: str | None = None
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One invocation."""

    id: str
    started: str
    """UTC, ISO 8601."""
    tasks: int
    """Different tasks of its job."""
    orphaned: int
    """Pictures in the folder that its job did not ask for."""
    asked: Asked
    job: str | None = None
    """The digest of its job, where each picture's index is that of its task in it."""
    ended: str | None = None
    """None for one that was killed, or still runs."""
    ending: str | None = None
    why: str | None = None


@dataclass(slots=True)
class Changes:
    """What one transaction brings; attempts are known by their number in the ledger."""

    started: list[tuple[int, AttemptRow]] = field(default_factory=list)
    settled: list[tuple[int, Attempt]] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    """Attempts of which nothing was sent in the end."""
    pictures: list[PictureRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What all attempts of a folder's life come to, in US dollars."""

    spent: Decimal = Decimal(0)
    """Surely billed."""
    at_most: Decimal = Decimal(0)
    """With all that may have been."""
    unpriced: bool = False
    """Is there one, perhaps billed, whose price is not known?"""
    faults: Counter[Fault] = field(default_factory=Counter)
    """Failed attempts by fault."""
    attempts: int = 0
    in_vain: int = 0
    """Attempts that may have been billed and brought no picture."""
    unsettled: int = 0
    """Begun, with nothing said of their end: in flight, or lost with their run."""
