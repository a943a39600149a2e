"""After a 429 nobody sends for a while: as long as the server asks, else as long as its penalty is documented to last.

Answers to requests that were sent before a cool-down's end belong to its episode and change nothing. A server that
keeps refusing and asks for no wait to speak of is asked less and less often. Pure: times are arguments, in seconds.
"""

from __future__ import annotations

from math import inf
from typing import Final

SHORTEST_AGAIN_S: Final = 0.1
LONGEST_AGAIN_S: Final = 60.0


class CoolDown:
    """One server's time-outs."""

    def __init__(self, penalty_s: float) -> None:
        self._penalty_s = penalty_s
        self._until = -inf
        self._in_a_row = 0
        self.length_s = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds that are left of it."""
        return self._until - now if self._until > now else 0.0

    def throttled(self, now: float, sent_at: float, asked_s: float | None) -> bool:
        """A request sent at `sent_at` met a 429 that asks to wait `asked_s`; True: this begins an episode."""
        if sent_at < self._until:
            return False
        self._in_a_row += 1
        wait_s = self._penalty_s if asked_s is None else asked_s
        if wait_s < SHORTEST_AGAIN_S and self._in_a_row > 1:
            wait_s = min(SHORTEST_AGAIN_S * 2 ** (self._in_a_row - 2), LONGEST_AGAIN_S)
        self.extend(now, wait_s)
        return True

    def admitted(self) -> None:
        """A request was admitted: the next 429 is the first of its kind."""
        self._in_a_row = 0

    def extend(self, now: float, seconds: float) -> None:
        """Nobody sends for `seconds` from now; a wait that is longer already stays."""
        if now + seconds > self._until:
            self._until, self.length_s = now + seconds, seconds
