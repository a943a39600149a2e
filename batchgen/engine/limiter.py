"""Permission to send: the only thing that delays a send, first attempts and retries alike.

A send is allowed when all of these hold: fewer requests are in flight than may be; every window has a free slot; the
pace learned for a limit that is not known allows it; no cool-down runs; the server is not having an outage. Each is a
file of plain arithmetic beside this one; here is only the waiting, and the sharing with other processes on one key.

A permit has moments: given, sent, answered, released; a slot that nothing was sent with is given back.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import anyio

from batchgen.engine.breaker import Breaker
from batchgen.engine.cool_down import CoolDown
from batchgen.engine.in_flight import MOST, InFlight
from batchgen.engine.learning import LearnedRate
from batchgen.engine.rate import WindowLog
from batchgen.engine.signal import Signal
from batchgen.engine.told import Told
from batchgen.model import Failure, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchgen.engine.shared import SharedLog
    from batchgen.model import Outcome, Window

WORTH_SAYING_S = 1.0
"""A shorter wait is not announced."""
LOOK_AGAIN_S = 0.25
"""How soon to look again for what another process does, while that is what is waited for."""
AFTER_OTHERS_S = 0.002
"""How soon to look again when another process is deciding."""
OUTAGES = {Fault.OVERLOADED, Fault.UNREACHABLE, Fault.TIMEOUT, Fault.CUT_OFF, Fault.NOT_A_PICTURE, Fault.LOST}
"""What a server that is having an outage answers, or fails to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is known beforehand of how much a server takes."""

    windows: Sequence[Window] = ()
    unknown: bool = False
    """There is a limit and it has to be learned."""
    penalty_s: float = 60.0
    """How long a 429 is documented to last."""
    concurrency: int | None = None
    """Requests in flight, a hard bound; None: as many as the limit and the latency ask for."""
    margin_s: float | None = None
    """Seconds by which requests may arrive closer together than they left; None: the default of each window."""
    most_in_flight: int = MOST
    """What the system bears."""

    @property
    def rate_per_s(self) -> float | None:
        """What the windows let through in the long run."""
        return min((window.sends / window.seconds for window in self.windows), default=None)


class Permit:
    """Permission for one request."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self.sent_at: float | None = None
        self.number = 0
        """Among the sent ones, from 1."""
        self.place: int | None = None
        """Where it stands in the log that processes share."""

    def sent(self) -> None:
        """The request's headers have left."""
        if self.sent_at is None:
            self.sent_at = anyio.current_time()
            self._limiter.note_sent(self, self.sent_at)

    def answered(self, outcome: Outcome) -> None:
        """What came of it."""
        if self.sent_at is not None:
            self._limiter.note_answered(self, self.sent_at, outcome)

    def release(self) -> None:
        """The attempt is over."""
        self._limiter.release(self)


class Limiter:
    """One for each provider, url and key."""

    def __init__(
        self,
        rules: Rules,
        *,
        on_wait: Callable[[float, str], None],
        shared: SharedLog | None = None,
    ) -> None:
        self._rules = rules
        self._logs = [WindowLog(window, rules.margin_s) for window in rules.windows]
        self._in_flight = InFlight(
            fixed=rules.concurrency,
            burst=min((window.sends for window in rules.windows), default=0),
            most=rules.most_in_flight,
        )
        self._cool = CoolDown(rules.penalty_s)
        self._breaker = Breaker()
        self._told = Told()
        self._sends = 0
        self._learned = LearnedRate(shared.rate_per_s if shared else None) if rules.unknown else None
        self._shared = shared
        self._on_wait = on_wait
        self._turn = anyio.Lock(fast_acquire=True)
        self._changed = Signal()
        self._announced_until = -inf

    async def turn(self) -> Permit:
        """Wait until a request may be sent; whoever gets the permit releases it."""
        async with self._turn:
            while True:
                wait_s = self._try_to_take(permit := Permit(self))
                if wait_s <= 0:
                    return permit
                await self._changed.wait(wait_s)

    def note_sent(self, permit: Permit, now: float) -> None:
        """A request left at `now`."""
        self._sends += 1
        permit.number = self._sends
        for log in self._logs:
            log.sent(now)
        if self._learned is not None:
            self._learned.sent(now)
        if self._shared is not None and permit.place is not None:
            self._shared.sent(permit.place, now)
        self._changed.fire()

    def note_answered(self, permit: Permit, sent_at: float, outcome: Outcome) -> None:
        """What came of a request."""
        now = anyio.current_time()
        if isinstance(outcome, Failure) and outcome.fault is Fault.THROTTLED:
            self._throttled(now, sent_at, outcome.retry_after_s)
        else:
            self._admitted(now, sent_at, failed=isinstance(outcome, Failure) and outcome.fault in OUTAGES)
        if outcome.allowance is not None:
            self._told.heed(now, permit.number, self._sends, outcome.allowance)
        self._changed.fire()

    def _throttled(self, now: float, sent_at: float, asked_s: float | None) -> None:
        """Hold everybody back; a limit that was thought to be known is, after this, learned below it."""
        if self._rules.unknown and self._learned is not None:
            self._cool.extend(now, self._learned.throttled(now, sent_at, asked_s) or 0.0)
        elif self._cool.throttled(now, sent_at, asked_s):
            self._learned = self._learned or LearnedRate(self._rules.rate_per_s)
            self._learned.throttled(now, sent_at, self._cool.length_s)
        if self._shared is not None:
            self._shared.cool_down(now + self._cool.wait_s(now))

    def _admitted(self, now: float, sent_at: float, *, failed: bool) -> None:
        self._cool.admitted()
        self._in_flight.answered(now - sent_at)
        if self._learned is not None:
            self._learned.admitted(sent_at)
        if self._breaker.answered(now, sent_at, failed=failed):
            self._in_flight.start_slowly()

    def release(self, permit: Permit) -> None:
        """An attempt is over; what nothing was sent with is free again."""
        self._in_flight.count -= 1
        if permit.sent_at is None:
            for log in self._logs:
                log.give_back()
            if self._learned is not None:
                self._learned.give_back()
            self._breaker.give_back()
            self._told.give_back()
            if self._shared is not None and permit.place is not None:
                self._shared.give_back(permit.place)
        self._changed.fire()

    @property
    def learned_per_s(self) -> float | None:
        """The rate that was learned, if a limit was met."""
        return self._learned.rate_per_s if self._learned is not None and self._learned.confident else None

    def _try_to_take(self, permit: Permit) -> float:
        """Take a slot if one is free; else how long to wait before looking again."""
        with self._shared.locked() if self._shared else nullcontext(enter_result=True) as alone:
            if not alone:
                return AFTER_OTHERS_S
            now = anyio.current_time()
            if self._shared is not None:
                self._shared.tell(self._logs, now)
                self._cool.extend(now, self._shared.cool_until - now)
            wait_s = self._wait_s(now)
            if wait_s > 0:
                return min(wait_s, LOOK_AGAIN_S) if self._shared and self._shared.awaits_others else wait_s
            for log in self._logs:
                log.take()
            if self._learned is not None:
                self._learned.take(now)
            self._breaker.take()
            self._told.take()
            self._in_flight.count += 1
            if self._shared is not None:
                permit.place = self._shared.take(now)
        return 0.0

    def _wait_s(self, now: float) -> float:
        learned = self._learned
        rate_per_s = learned.rate_per_s if learned else self._rules.rate_per_s
        if not self._in_flight.has_room(rate_per_s):
            return inf  # an answer makes room
        waits = [
            self._cool.wait_s(now),
            self._breaker.wait_s(now),
            self._told.wait_s(now),
            learned.wait_s(now) if learned else 0.0,
            *(log.wait_s(now) for log in self._logs),
        ]
        wait_s = max(waits)
        if WORTH_SAYING_S <= wait_s < inf and now + wait_s > self._announced_until + WORTH_SAYING_S:
            self._announced_until = now + wait_s
            self._on_wait(wait_s, self._why(waits.index(wait_s)))
        return wait_s

    def _why(self, which: int) -> str:
        return (
            f"the server's {self._cool.length_s:.0f} s time-out",
            "the server fails; one request will see whether it is back",
            "the server says that its limit is used up",
            "the pace that the server was seen to bear",
            *(f"the limit of {window} is used up" for window in self._rules.windows),
        )[which]
