"""What a server says in its headers of how much is left: heeded where that is less than is known, never where more.

Pure: `now` is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batchgen.model import Allowance


LONGEST_S: Final = 60.0
"""After so long one request sees whether the server still says so, since what it said may have been nonsense."""


class Told:
    """The newest allowance that a server told of."""

    def __init__(self) -> None:
        self._left = 0
        self._until = self._renewed_at = -inf
        self._by = -1

    def wait_s(self, now: float) -> float:
        """Seconds until the allowance is renewed, if it is used up."""
        return self._until - now if self._left <= 0 and self._until > now else 0.0

    def take(self, now: float) -> None:
        """A request goes out on it, or to see whether it is renewed."""
        self._left -= 1
        if self._left < 0 and now < self._renewed_at:
            self._until = now + LONGEST_S

    def give_back(self) -> None:
        """It did not."""
        self._left += 1

    def heed(self, now: float, number: int, given: int, allowance: Allowance) -> None:
        """The answer to the `number`-th of `given` requests says what was left when it came in."""
        if number > self._by:
            self._by = number
            self._left = allowance.remaining - (given - number)
            self._renewed_at = now + allowance.reset_s
            self._until = min(self._renewed_at, now + LONGEST_S)
