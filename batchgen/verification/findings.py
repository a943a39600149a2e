"""What `verify` says: what is wrong with an output folder and what to do about it, and what was repaired."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wrong(StrEnum):
    """All that can be wrong with an output folder."""

    PICTURE_MISSING = "picture-missing"
    PICTURE_LENGTH = "picture-length"
    """Of another length than what was kept."""
    PICTURE_CHANGED = "picture-changed"
    """Of the right length, and other bytes."""
    PICTURE_BROKEN = "picture-broken"
    """As it was kept, and no whole picture."""
    PICTURE_ALONE = "picture-alone"
    """Without a sidecar."""
    SIDECAR_UNREADABLE = "sidecar-unreadable"
    SIDECAR_CHANGED = "sidecar-changed"
    """Not as the ledger knows it."""
    SIDECAR_WRONG = "sidecar-wrong"
    """Its words contradict each other, its name or its picture."""
    SIDECAR_UNKNOWN = "sidecar-unknown"
    """Without a row in the ledger."""
    TASK_TWICE = "task-twice"
    ROW_ALONE = "row-alone"
    """A row of the ledger whose picture and sidecar are gone."""
    ROW_DIFFERS = "row-differs"
    """A row of the ledger that is not as a sound pair says."""
    LEDGER_MISSING = "ledger-missing"
    LEDGER_DAMAGED = "ledger-damaged"
    LEDGER_NEWER = "ledger-newer"
    PART = "part"
    """What a dead run left unfinished."""
    FOREIGN = "foreign"
    """None of batchgen's."""


_ASIDE: Final = "--repair moves it to replaced/, then run the job again"
_MISSING: Final = "--repair clears its place, then run the job again"
_LEARNED: Final = "--repair writes it into the ledger"

REMEDIES: Final[Mapping[Wrong, str]] = {
    Wrong.PICTURE_MISSING: _MISSING,
    Wrong.PICTURE_LENGTH: _ASIDE,
    Wrong.PICTURE_CHANGED: _ASIDE,
    Wrong.PICTURE_BROKEN: _ASIDE,
    Wrong.PICTURE_ALONE: _ASIDE,
    Wrong.SIDECAR_UNREADABLE: "--repair mends it or moves it to replaced/, then run the job again",
    Wrong.SIDECAR_CHANGED: "--repair mends it or moves it to replaced/, then run the job again",
    Wrong.SIDECAR_WRONG: _ASIDE,
    Wrong.SIDECAR_UNKNOWN: _LEARNED,
    Wrong.TASK_TWICE: "--repair moves this one to replaced/",
    Wrong.ROW_ALONE: "--repair drops the row, then run the job again",
    Wrong.ROW_DIFFERS: "--repair writes the row anew",
    Wrong.LEDGER_MISSING: "--repair makes one from the sidecars",
    Wrong.LEDGER_DAMAGED: "--repair sets it aside and makes another from the sidecars",
    Wrong.LEDGER_NEWER: "verify with that batchgen",
    Wrong.PART: "--repair finishes or removes it, as the next run does",
    Wrong.FOREIGN: "move it elsewhere if it is not meant to be here",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The bytes are being looked at."""

    pictures: int | None
    """How many the ledger knows; None where it can't be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A picture with its sidecar was read."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    path: str
    """Relative to the output folder, as it is: not for a terminal."""
    wrong: Wrong
    words: str
    """What is wrong with it, in one line that follows the path."""

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.wrong]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """One thing that was set right."""

    path: str
    """Relative to the output folder, as it is: not for a terminal."""
    words: str
    """What was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Everything was looked at."""

    due: int
    """Pictures that a run has to make anew, after a repair."""


Event = Begun | Checked | Finding | Repaired | Ended
