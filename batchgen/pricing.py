"""What making tasks costs and how long the limit makes it take, before anything is sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from batchgen.due import Part, count_due, tasks_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchgen.comparison import Comparison
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars by the price list; each None where a model's price is not known."""

    low: Decimal | None
    """Every picture comes at its first try."""
    expected: Decimal | None
    """The same: the API documents that failed and refused requests are not charged."""
    worst: Decimal | None
    """Every task takes all of its tries and each of them is billed; no more than the job's `max_cost` leaves."""
    unknown: Mapping[str, int]
    """Pictures by model, of the models whose price is not known."""
    capped: bool = False
    """The job's `max_cost` ends it before every picture is made."""


def models_due(manifest: Manifest, found: Survey, comparison: Comparison, part: Part) -> dict[str, int]:
    """What is asked for and not made, by model: by arithmetic where there is one, else of the fewer tasks."""
    if len(found.models) == 1 and found.duplicates == 0:
        return {next(iter(found.models)): count} if (count := count_due(manifest, found, comparison, part)) else {}
    if part != Part() or comparison.due < len(comparison.kept):
        return dict(Counter(_model(manifest, index) for index in tasks_due(manifest, found, comparison, part)))
    left = Counter(found.models)
    left.subtract(_model(manifest, index) for index in chain(comparison.kept, comparison.given_up))
    return {model: count for model, count in left.items() if count > 0}


def _model(manifest: Manifest, index: int) -> str:
    return manifest.task(index).fields["model"]


def price(manifest: Manifest, models: Mapping[str, int], spent: Decimal) -> Price:
    """The price of so many pictures of each model, within what the job's cap leaves after what was `spent`."""
    capabilities = manifest.settings.provider.capabilities
    known = {model: capabilities.price_usd(model) for model in models}
    unknown = {model: count for model, count in models.items() if known[model] is None}
    if unknown:
        return Price(low=None, expected=None, worst=None, unknown=unknown)
    low = sum((each * models[model] for model, each in known.items() if each is not None), Decimal(0))
    worst = low * manifest.retry.attempts
    if manifest.limits.max_cost is None:
        return Price(low=low, expected=low, worst=worst, unknown={})
    left = max(manifest.limits.max_cost - spent, Decimal(0))
    return Price(low=min(low, left), expected=min(low, left), worst=min(worst, left), unknown={}, capped=low > left)


def seconds_at_limit(tasks: int, windows: Iterable[Window]) -> float:
    """The least time that the rate limit leaves for so many requests: the first n of a window go out at once."""
    return max((max(tasks - 1, 0) // window.sends * window.seconds for window in windows), default=0.0)
