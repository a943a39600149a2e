"""What one running sandbox has been told and remembers. `now` is a monotonic clock in seconds."""

import random
import secrets
from collections import deque
from collections.abc import Sequence
from typing import TextIO

from batchgen.sandbox.faults import Fault, draw
from batchgen.sandbox.limits import Account, Quota, halved
from batchgen.sandbox.log import Log
from batchgen.sandbox.settings import Settings


class State:
    """Settings in force, the account with its limits and its credit, the script of fates, the log."""

    def __init__(self, settings: Settings, now: float, lines: TextIO | None = None) -> None:
        self.settings = settings
        self.log = Log(lines)
        self.script: deque[Fault | None] = deque()
        self.credits_left = settings.credits
        self.account = Account(settings.limits, settings.penalty_s)
        self._halved = False
        self._started = now
        self._salt = secrets.token_hex(8) if settings.seed is None else str(settings.seed)

    def follow(self, settings: Settings) -> None:
        """Other settings from now on; the limits go on with what they have counted."""
        self.settings = settings
        self._set_limits()

    def set_script(self, fates: Sequence[Fault | None]) -> None:
        """The fates of the next requests, in the order of their arrival, one a request."""
        self.script = deque(fates)

    def is_down(self, now: float) -> bool:
        """Whether there is an outage."""
        return self.settings.is_down(now - self._started)

    def is_halved(self, now: float) -> bool:
        """Whether the limits are half what was told."""
        return self.settings.is_halved(now - self._started)

    def fate(self, number: int) -> Fault | None:
        """What goes wrong with this request: what the script says, else what is drawn by its number."""
        if self.script:
            return self.script.popleft()
        return draw(self.settings.fail, self._salt, number)

    def chance(self, what: str, number: int) -> random.Random:
        """Randomness of one request, the same for the same seed whatever else happens."""
        return random.Random(f"{self._salt} {what} {number}")  # noqa: S311 - a rehearsal, no secret

    def refusal_s(self, now: float) -> float | None:
        """Admit one request (None; `account.leave` ends it), or refuse it and say for how many more seconds."""
        self._keep_up(now)
        return self.account.refusal_s(now)

    def quotas(self, now: float) -> list[Quota]:
        """How the limits stand."""
        self._keep_up(now)
        return self.account.quotas(now)

    def can_pay(self, price: float) -> bool:
        """Whether the credit is enough for a picture."""
        return self.credits_left is None or self.credits_left >= price

    def pay(self, price: float) -> None:
        """Take the price of a picture from the credit."""
        if self.credits_left is not None:
            self.credits_left -= price

    def _keep_up(self, now: float) -> None:
        if self.is_halved(now) != self._halved:
            self._halved = not self._halved
            self._set_limits()

    def _set_limits(self) -> None:
        limits = self.settings.limits
        self.account.follow(tuple(map(halved, limits)) if self._halved else limits, self.settings.penalty_s)
