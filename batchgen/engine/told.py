"""What a server says in its headers of how much is left: heeded where that is less than is known, never where more.

Pure: `now` is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchgen.model import Allowance


class Told:
    """The newest allowance that a server told of."""

    def __init__(self) -> None:
        self._left = 0
        self._until = -inf
        self._by = -1

    def wait_s(self, now: float) -> float:
        """Seconds until the allowance is renewed, if it is used up."""
        return max(self._until - now, 0.0) if self._left <= 0 else 0.0

    def take(self) -> None:
        """A request goes out on it."""
        self._left -= 1

    def give_back(self) -> None:
        """It did not."""
        self._left += 1

    def heed(self, now: float, number: int, sent: int, allowance: Allowance) -> None:
        """The answer to the `number`-th of `sent` requests says what was left when it came in."""
        if number > self._by:
            self._by = number
            self._left = allowance.remaining - (sent - number)
            self._until = now + allowance.reset_s
