"""`plan --simulate`: what a rehearsal of the run foretells."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from batchgen.account import retry_bounds, rules
from batchgen.cli.wording import duration, usd
from batchgen.rehearsal.assumptions import assumptions
from batchgen.rehearsal.rehearse import rehearse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchgen.planning import Plan
    from batchgen.rehearsal.assumptions import Assumptions
    from batchgen.rehearsal.rehearse import Forecast


def forecast(plan: Plan, assumed: Assumptions) -> Forecast:
    """Rehearse the run of what is due."""
    settings = plan.manifest.settings
    return rehearse(plan.asked, assumed.model, rules(settings), retry_bounds(plan.manifest.retry))


def forecast_json(plan: Plan, assume: Iterable[str]) -> dict[str, Any]:
    """For programs."""
    assumed = assumptions(plan.manifest.settings, assume)
    found = forecast(plan, assumed)
    expected, at_most = costs(plan, found)
    return {**asdict(found), "assumed": assumed.words(), "cost_usd": {"expected": expected, "at_most": at_most}}


def forecast_lines(plan: Plan, assume: Iterable[str]) -> Iterator[str]:
    """For people."""
    assumed = assumptions(plan.manifest.settings, assume)
    found = forecast(plan, assumed)
    expected, at_most = costs(plan, found)
    cost = "" if expected is None or at_most is None else f", {usd(expected)}"
    if expected is not None and at_most is not None and at_most > expected:
        cost += f" ({usd(at_most)} at most)"
    part = f" (from {found.rehearsed:,} of them)" if found.rehearsed < found.tasks else ""
    failed = f", {found.failed:,} fail" if found.failed else ""
    yield f"  rehearsed  {duration(found.seconds)} for {found.tasks:,} tasks{part}{cost}"
    left = f", then it stops with {found.left:,} left to do" if found.left else ""
    yield f"             {found.requests:,} requests, {found.rejected:,} rejected{failed}{left}"
    yield f"             assuming {assumed.words()}"


def costs(plan: Plan, found: Forecast) -> tuple[float | None, float | None]:
    """US dollars of what was surely billed, and with what may have been; None where a price is not known."""
    if plan.price.low is None or not found.tasks:
        return None, None
    each = float(plan.price.low) / found.tasks
    return each * found.billed, each * (found.billed + found.maybe_billed)
