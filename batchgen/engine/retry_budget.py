"""How many retries a run can afford, so that a failing server is not met with more and more requests.

Each first attempt earns a tenth of a retry, beside a reserve (the retry budget of Finagle, whose default is a fifth).
What it can't pay for waits until nothing new is left. Pure.
"""

from __future__ import annotations

from typing import Final

FIRSTS_FOR_ONE: Final = 10
"""First attempts that earn one retry."""
RESERVE: Final = 10


class RetryBudget:
    """The retries that one run can afford."""

    def __init__(self) -> None:
        self._left = RESERVE * FIRSTS_FOR_ONE

    def earn(self) -> None:
        """A task was tried for the first time."""
        self._left += 1

    def spend(self) -> bool:
        """Pay for one retry; False if there is not enough."""
        if self._left < FIRSTS_FOR_ONE:
            return False
        self._left -= FIRSTS_FOR_ONE
        return True
