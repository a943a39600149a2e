"""A run's events in words, one line each; the same for every kind of terminal, and none can steer it."""

from __future__ import annotations

from typing import TypeVar

from batchgen.errors import one_line
from batchgen.events import (
    Ending,
    Event,
    RunEnded,
    RunStarted,
    Stopping,
    TaskFailed,
    TaskMade,
    TaskRetried,
    TaskUnkept,
    Waiting,
    values_of,
)

Told = TypeVar("Told", bound=Event)

LONGEST_TEXT = 1_000
"""Characters of a text that others wrote: a path, or a provider's words."""

# What to do about pictures that are left, where that is not plain from why the run ended.
GO_ON = {
    Ending.INTERRUPTED: ": run the same command again to go on",
    Ending.TERMINATED: ": run the same command again to go on",
    Ending.PROVIDER: ": mend that, then run the same command again",
    Ending.STORAGE: ": mend that, then run the same command again",
    Ending.CAP: ": raise the cap under limits, then run the same command again",
}


def told(event: Event) -> str:
    """One event as one line."""
    match _printable(event):
        case TaskMade() as event:
            mark = "filtered by the server" if event.filtered else "made"
            return f"{mark}: {event.picture} ({event.seconds:.1f} s{_tries(event.attempts)})"
        case TaskRetried() as event:
            after = f" in {event.after_s:.1f} s" if event.after_s else ""
            return f"again{after}: task {event.index}: {event.fault}: {event.words}"
        case TaskFailed() as event:
            task = f"task {event.index} ({one_line(event.prompt_id, 60)})"
            return f"failed: {task}: {event.fault}: {event.words}{_tries(event.attempts)}"
        case TaskUnkept() as event:
            return f"not kept: task {event.index} ({one_line(event.prompt_id, 60)}): {event.words}"
        case Waiting() as event:
            return f"waiting {duration(event.seconds)}: {event.why}"
        case Stopping() as event:
            return f"stopping: {event.what_now}"
        case RunStarted() as event:
            return started_line(event)
        case RunEnded() as event:
            return "; ".join(ended_lines(event))


def started_line(event: RunStarted) -> str:
    """What is there and what is to do; more than a line where the last run left something to say."""
    event = _printable(event)
    lines = [_to_do(event)]
    if event.ledger_set_aside:
        lines.append(
            f"the ledger was damaged: it is kept as {event.ledger_set_aside}, and what is made was told from the "
            "sidecars; attempts that brought no picture are no longer counted"
        )
    if event.in_doubt:
        cost = "" if event.in_doubt_usd is None else f", at most {usd(event.in_doubt_usd)}"
        lines.append(
            f"in doubt: {event.in_doubt:,} that a killed run sent or was about to send{cost}; "
            f"batchgen status {event.output} lists them"
        )
    if event.given_up:
        lines.append(f"{event.given_up:,} failed for good before; batchgen retry {event.output} tries them again")
    return "\n".join(lines)


def _to_do(event: RunStarted) -> str:
    if event.asked == 0 and event.made < event.tasks:
        return (
            f"{event.job}: nothing to make of what is asked for; {event.made} of {pictures(event.tasks)} made already"
        )
    if event.asked == 0:
        return f"{event.job}: all {pictures(event.tasks)} made already"
    done = f", {event.made:,} made already" if event.made else ""
    later = event.tasks - event.made - event.asked - event.given_up
    rest = f", {later:,} left for later" if later else ""
    repaired = f"; {event.adopted} finished from the last run" if event.adopted else ""
    gone = f"; {event.missing} gone from the folder, made again" if event.missing else ""
    where = "the sandbox on this machine" if event.provider == "sandbox" else event.provider
    cost = "" if event.provider == "sandbox" else _expected(event.expected_usd)
    return f"{event.job}: {pictures(event.asked)} to make on {where}{cost}{done}{rest}{repaired}{gone}"


def _expected(amount: float | None) -> str:
    return " at a price that is not known" if amount is None else f" for about {usd(amount)}"


def ended_lines(event: RunEnded) -> list[str]:
    """What a run made and what it leaves, and where the pictures are."""
    event = _printable(event)
    lines = []
    if event.why:
        lines.append(f"stopped: {event.why}")
    if event.made or event.failed or event.filtered:
        lines.append(f"{_counts(event)} in {duration(event.seconds)}{_money(event)}")
    else:
        money = _money(event) if event.at_most_usd != 0 else ""
        lines.append(("nothing was sent" if not event.why else "nothing was made") + money)
    if event.in_doubt:
        lines.append(f"in doubt: {event.in_doubt:,} were sent and not waited for; batchgen status {event.output}")
    if event.left:
        lines.append(f"{pictures(event.left)} left to make{GO_ON.get(event.ending, '')}")
    lines.append(f"pictures and sidecars: {event.output}")
    return lines


def _printable(event: Told) -> Told:
    """The event with its texts safe to show: paths, and what providers and prompts say."""
    values = values_of(event)
    safe = {name: one_line(value, LONGEST_TEXT) for name, value in values.items() if type(value) is str}
    return type(event)(**{**values, **safe})


def _counts(event: RunEnded) -> str:
    parts = [f"made {pictures(event.made)}"]
    if event.failed:
        parts.append(f"{event.failed} failed")
    if event.filtered:
        parts.append(f"{event.filtered} filtered by the server (see filtered/)")
    return ", ".join(parts)


def _money(event: RunEnded) -> str:
    if event.spent_usd is None or event.at_most_usd is None:
        return ", at a price that is not known"
    if event.provider == "sandbox":
        return f", free of charge ({usd(event.spent_usd)} by the gateway's price list)"
    most = f", at most {usd(event.at_most_usd)}" if event.at_most_usd > event.spent_usd else ""
    return f", {usd(event.spent_usd)} by the price list{most}"


def _tries(attempts: int) -> str:
    return f", {attempts} tries" if attempts > 1 else ""


def pictures(count: int) -> str:
    """`1 picture`, `1,200 pictures`."""
    return f"{count:,} picture{'' if count == 1 else 's'}"


def usd(amount: float) -> str:
    """US dollars: to the cent, or a small amount to a tenth of one."""
    return f"${amount:,.2f}" if round(amount, 2) == round(amount, 4) or amount >= 10 else f"${amount:.3f}"


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def rate(count: int, seconds: float) -> str:
    """Pictures a second so far."""
    return f"{count / seconds:.1f}/s" if seconds > 0 else ""


def worth_a_line(event: Event) -> bool:
    """Does this event deserve a line of its own where not every task does?"""
    return not isinstance(event, TaskMade) and type(event).__name__ != "TaskRetried"
