"""Everything that one sandbox is told at its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from batchgen.sandbox.catalogue import MODELS, Model
from batchgen.sandbox.faults import Fault, check_rates
from batchgen.sandbox.limits import Window

DOCUMENTED_WINDOW = Window(requests=150, window_s=10.0)
DOCUMENTED_PENALTY_S = 60.0


class Size(StrEnum):
    """How big pictures are: about a megapixel, or some 64 pixels a side for tests."""

    FULL = "full"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One sandbox: its key, pictures, limit, latency and faults. Raises ValueError when the fault rates exceed 1."""

    key: str = field(default="sandbox", repr=False)
    size: Size = Size.FULL
    latency_s: float = 0.0
    jitter_s: float = 0.0
    """Added to the latency: between nothing and this, evenly."""
    window: Window | None = DOCUMENTED_WINDOW
    penalty_s: float = DOCUMENTED_PENALTY_S
    retry_after: bool = False
    """Whether a 429 of the limit says Retry-After; the documented one does not."""
    fail: Mapping[Fault, float] = field(default_factory=dict)
    seed: int | None = None
    """Repeats which requests fail, their jitter and the seeds the server picks; None: new ones each start."""
    log_file: Path | None = None
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS)

    def __post_init__(self) -> None:
        check_rates(self.fail)
