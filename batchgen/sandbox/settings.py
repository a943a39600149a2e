"""Everything that one sandbox is told, at its start and by `/control` later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from batchgen.sandbox.catalogue import MODELS, Model
from batchgen.sandbox.faults import Fault, Flap, Span, check_rates
from batchgen.sandbox.headers import RateHeaders, check_retry_after
from batchgen.sandbox.limits import Limit, Sliding

DOCUMENTED_LIMIT = Sliding(requests=150, window_s=10.0)
DOCUMENTED_PENALTY_S = 60.0


class Size(StrEnum):
    """How big pictures are: about a megapixel, or some 64 pixels a side for tests."""

    FULL = "full"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One sandbox: its key, pictures, limits, latency and faults. Raises ValueError for what can't be together."""

    key: str = field(default="sandbox", repr=False)
    size: Size = Size.FULL
    latency_s: float = 0.0
    jitter_s: float = 0.0
    """Added to the latency: between nothing and this, evenly."""

    limits: tuple[Limit, ...] = (DOCUMENTED_LIMIT,)
    """They hold together; none is no limit."""
    penalty_s: float = DOCUMENTED_PENALTY_S
    """What going beyond a sliding window costs."""
    halve_after_s: float | None = None
    restore_after_s: float | None = None
    """Between these moments after the start the limits are half."""
    halved: bool | None = None
    """Whether the limits are half now; None: as the moments above say."""
    arrival_jitter_s: float = 0.0
    """A request counts between nothing and this after its arrival, evenly: as if the network had delayed it."""
    retry_after: str = "none"
    """How a 429 says Retry-After; the documented one does not. See `headers.retry_after`."""
    rate_headers: RateHeaders = RateHeaders.NONE

    credits: float | None = None
    """What may be billed in all; None: anything."""
    refuse: tuple[str, ...] = ()
    """A prompt with one of these words, in any case, is refused by moderation."""
    filter: tuple[str, ...] = ()
    """A prompt with one of these words gets a blurred picture."""

    fail: Mapping[Fault, float] = field(default_factory=dict)
    redirect_to: str = "http://elsewhere.invalid/v1/images/generations"
    outages: tuple[Span, ...] = ()
    flap: Flap | None = None
    outage: bool | None = None
    """Whether everything is down now; None: as the periods above say."""

    seed: int | None = None
    """Repeats which requests fail, their jitter and the seeds the server picks; None: new ones each start."""
    log_file: Path | None = None
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS)

    def __post_init__(self) -> None:
        check_rates(self.fail)
        check_retry_after(self.retry_after)
        halve_s, restore_s = self.halve_after_s, self.restore_after_s
        if restore_s is not None and (halve_s is None or halve_s >= restore_s):
            raise ValueError("the limits can't be restored before they are halved; give --halve-after an earlier time")

    def is_halved(self, elapsed_s: float) -> bool:
        """Whether the limits are half, so many seconds after the start."""
        if self.halved is not None:
            return self.halved
        begun = self.halve_after_s is not None and elapsed_s >= self.halve_after_s
        return begun and (self.restore_after_s is None or elapsed_s < self.restore_after_s)

    def is_down(self, elapsed_s: float) -> bool:
        """Whether everything is refused with 503, so many seconds after the start."""
        if self.outage is not None:
            return self.outage
        down = any(outage.holds(elapsed_s) for outage in self.outages)
        return down or (self.flap is not None and self.flap.holds(elapsed_s))
