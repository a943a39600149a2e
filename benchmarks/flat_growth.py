"""What a run's memory and pace did as it went on: arithmetic on samples and on the server's log."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def growth_mb(memory: Sequence[tuple[float, float]], answered: Sequence[float]) -> float:
    """How much more is resident while the last tenth of the pictures comes than while the first does.

    `memory`: times and MiB, in order; `answered`: the times of the pictures, in order, by the same clock.

    Raises:
        ValueError: A tenth took too short to be looked at.
    """
    tenth = len(answered) // 10
    first = _resident_mb(memory, answered[0], answered[tenth])
    return _resident_mb(memory, answered[-tenth - 1], answered[-1]) - first


def _resident_mb(memory: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    found = [mb for at, mb in memory if begin <= at <= end]
    if not found:
        raise ValueError("a tenth of the run was too short to look at its memory; take more pictures")
    return median(found)


def ms_a_picture(answered: Sequence[float], skipped: int = 0) -> float:
    """Milliseconds from one picture to the next, on average, the first `skipped` left out."""
    return 1000 * (answered[-1] - answered[skipped]) / (len(answered) - 1 - skipped)
