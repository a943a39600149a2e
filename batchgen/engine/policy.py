"""What follows from a failed attempt: one table, fault -> reaction, and the bounds on trying again.

- A passing fault is tried again after a back-off that doubles from 1 s to 60 s, half of it left to chance.
- A fault that every further task would meet stops the run; one that this task would always meet ends the task.
- Being throttled uses up none of a task's attempts: the task has not failed.
- An answer that was billed and could not be kept is tried again only `paid` times.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryCallState, stop_after_attempt, stop_before_delay, wait_exponential

from batchgen.model import Billing, Fault, GiveUp, Retry, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.model import Attempt, Failure, Verdict


class Reaction(StrEnum):
    """What a fault asks for."""

    RETRY = "retry"
    GIVE_UP = "give up"
    STOP = "stop"


REACTIONS: Final = {
    Fault.THROTTLED: Reaction.RETRY,
    Fault.OVERLOADED: Reaction.RETRY,
    Fault.UNREACHABLE: Reaction.RETRY,
    Fault.TIMEOUT: Reaction.RETRY,
    Fault.CUT_OFF: Reaction.RETRY,
    Fault.NOT_A_PICTURE: Reaction.RETRY,
    Fault.LOST: Reaction.RETRY,
    Fault.FILTERED: Reaction.GIVE_UP,
    Fault.REFUSED: Reaction.GIVE_UP,
    Fault.INVALID: Reaction.GIVE_UP,
    Fault.UNAUTHORISED: Reaction.STOP,
    Fault.OUT_OF_CREDIT: Reaction.STOP,
    Fault.MISDIRECTED: Reaction.STOP,
    Fault.DISK: Reaction.STOP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBounds:
    """How often and how long a task is tried again."""

    attempts: int = 6
    within_s: float = 900.0
    """From the first attempt, waits for a limit not counted."""
    paid: int = 1
    ambiguous: bool = True
    """Try again after an attempt that may have been billed without bringing anything."""


def verdict(
    failure: Failure, before: Sequence[Attempt], *, waited_s: float, bounds: RetryBounds, chance: float
) -> Verdict:
    """What follows from `failure` after the attempts `before` it that count and `waited_s` of back-off.

    `chance` is 0 to 1.
    """
    match REACTIONS[failure.fault]:
        case Reaction.STOP:
            return Stop()
        case Reaction.GIVE_UP:
            return GiveUp()
    if failure.fault is Fault.THROTTLED:
        return Retry(after_s=0.0)  # the limiter holds everybody back for as long as the server asks
    if failure.billing is Billing.YES and sum(each.billing is Billing.YES for each in before) >= bounds.paid:
        return GiveUp()
    if failure.billing is Billing.MAYBE and not bounds.ambiguous:
        return GiveUp()
    tried = [each for each in before if each.fault is not Fault.THROTTLED]
    state = _state(len(tried) + 1, sum(each.seconds for each in tried) + waited_s)
    state.upcoming_sleep = _BACK_OFF(state) * (0.5 + chance / 2)
    enough = stop_after_attempt(bounds.attempts) | stop_before_delay(bounds.within_s)
    if enough(state):
        return GiveUp()
    return Retry(after_s=max(state.upcoming_sleep, failure.retry_after_s or 0.0), back_off_s=state.upcoming_sleep)


def is_final(fault: Fault, billing: Billing, status: int | None, *, ambiguous: bool) -> bool:
    """Is a task that ended so never tried again by itself? An answer says so, and so does what was paid in vain."""
    if billing is Billing.YES or (billing is Billing.MAYBE and not ambiguous):
        return True
    return REACTIONS[fault] is Reaction.GIVE_UP and status is not None


_BACK_OFF = wait_exponential(multiplier=1, max=60)


def _state(attempt_number: int, seconds_since_start: float) -> RetryCallState:
    """A task as tenacity sees it: its strategies are plain functions of this, so no clock runs here."""
    nobody: Any = None
    state = RetryCallState(nobody, None, (), {})
    state.attempt_number = attempt_number
    state.start_time = 0.0
    state.outcome_timestamp = seconds_since_start
    return state
