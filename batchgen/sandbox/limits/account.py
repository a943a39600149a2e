"""An account: all the limits that hold for one key, together."""

from collections.abc import Sequence
from itertools import zip_longest

from batchgen.sandbox.limits.meters import Meter, Quota, meter_of
from batchgen.sandbox.limits.rules import Limit


class Account:
    """Admits what every limit admits. `now` is a monotonic clock in seconds that never runs backwards."""

    def __init__(self, limits: Sequence[Limit], penalty_s: float = 0.0) -> None:
        self._meters: list[Meter] = []
        self.in_flight = 0
        """Admitted and not answered to the end."""
        self.follow(limits, penalty_s)

    def follow(self, limits: Sequence[Limit], penalty_s: float) -> None:
        """Other limits from now on; each goes on with what the one in its place counted, if of the same kind."""
        pairs = zip_longest(limits, self._meters[: len(limits)])
        self._meters = [meter_of(limit, penalty_s, before) for limit, before in pairs]

    def refusal_s(self, now: float) -> float | None:
        """Admit one request (None; `leave` ends it), or refuse it and say for how many more seconds."""
        admitted = all(meter.wait_s(now, self.in_flight) is None for meter in self._meters)
        for meter in self._meters:
            meter.note(now, admitted=admitted)
        if admitted:
            self.in_flight += 1
            return None
        return max(meter.wait_s(now, self.in_flight) or 0.0 for meter in self._meters)

    def leave(self) -> None:
        """A request that was admitted is answered to the end."""
        self.in_flight -= 1

    def quotas(self, now: float) -> list[Quota]:
        """How each limit stands."""
        return [meter.quota(now, self.in_flight) for meter in self._meters]
