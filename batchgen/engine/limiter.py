"""Permission to send: the only thing that delays a send, first attempts and retries alike.

A send is allowed when all of these hold: fewer requests are in flight than may be; every window has a free slot; the
pace learned for a limit that is not known allows it; no cool-down runs; the server is not having an outage. Each is a
file of plain arithmetic beside this one; here is only the waiting, and the sharing with other processes on one key.

A permit has moments: given, sent, answered, released; a slot that nothing was sent with is given back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from random import random
from typing import TYPE_CHECKING

from batchgen.engine.breaker import Breaker
from batchgen.engine.clock import KeptClock
from batchgen.engine.cool_down import CoolDown
from batchgen.engine.exchange import HeldBack
from batchgen.engine.in_flight import MOST, InFlight
from batchgen.engine.learning import MOST_PER_S, LearnedRate
from batchgen.engine.rate import WindowLog
from batchgen.engine.signal import Signal
from batchgen.engine.told import Told
from batchgen.model import Failure, Fault, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchgen.engine.shared import SharedLog
    from batchgen.model import Outcome, Window

WORTH_SAYING_S = 1.0
"""A shorter wait is not announced."""
LOOK_AGAIN_S = 0.25
"""How soon to look again for what another process does, while that is what is waited for."""
SHORT_S, SELDOM_S = 9.0, 60.0
"""Waits so short that come again and again are announced so seldom."""
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
    """Permission for one request, the `number`-th that was given."""

    __slots__ = ("_limiter", "given_at", "is_probe", "number", "place", "sent_at")

    def __init__(self, limiter: Limiter, number: int, given_at: float) -> None:
        self._limiter = limiter
        self.number = number
        self.given_at = given_at
        self.sent_at: float | None = None
        self.is_probe = False
        """Does it see whether an outage is over?"""
        self.place: int | None = None
        """Where it stands in the log that processes share."""

    def sent(self) -> None:
        """The request's headers leave now.

        Raises:
            HeldBack: They must not: a cool-down began since the permit was given, or nothing is sent any more.
        """
        if self.sent_at is None:
            self.sent_at = self._limiter.note_sent(self)

    def answered(self, outcome: Outcome) -> float | None:
        """What came of it; if that is a part of an outage, how many seconds the outage has lasted."""
        return self._limiter.note_answered(self, outcome)

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
        chance: Callable[[], float] = random,
    ) -> None:
        self._rules = rules
        self._known_per_s = rules.rate_per_s
        self._logs = [WindowLog(window, rules.margin_s) for window in rules.windows]
        self._in_flight = InFlight(
            fixed=rules.concurrency,
            burst=min((window.sends for window in rules.windows), default=0),
            most=rules.most_in_flight,
        )
        self._cool = CoolDown(rules.penalty_s)
        self._breaker = Breaker()
        self._told = Told()
        self._given = 0
        self.has_answered = False
        """Did the server ever, in whatever way?"""
        self._learned = _learned(rules, shared)
        self._paced = rules.unknown
        """Is the learned pace kept to? A known limit is learned too, and kept to once it turned out to be lower."""
        self._shared = shared
        self._is_closed = False
        self._clock = KeptClock()
        self._on_wait = on_wait
        self._chance = chance
        self._turn = asyncio.Lock()
        self._changed = Signal()
        self._announced_until = -inf
        self._said, self._said_at = "", -inf

    def at_once(self) -> Permit | None:
        """A permit, if a request may be sent now and nobody waits for that already."""
        found = None if self._turn.locked() else self._try_to_take()
        return found if isinstance(found, Permit) else None

    async def turn(self) -> Permit:
        """Wait until a request may be sent; whoever gets the permit releases it."""
        async with self._turn:
            while isinstance(found := self._try_to_take(), float):
                await self._changed.wait(found)
            return found

    def close(self) -> None:
        """Nothing leaves any more: a permit that was given and not used is worth nothing."""
        self._is_closed = True

    def note_sent(self, permit: Permit) -> float:
        """A request leaves; when.

        HeldBack while a cool-down runs: what has permission, and is still connecting, does not leave inside it.
        """
        now = self._clock.now()
        self._heed_others(now)
        if self._is_closed or self._cool.wait_s(now) > 0:
            raise HeldBack
        for log in self._logs:
            log.sent(now)
        self._learned.sent(now)
        if self._shared is not None and permit.place is not None:
            self._shared.sent(permit.place, now)
        self._changed.fire()
        return now

    def note_answered(self, permit: Permit, outcome: Outcome) -> float | None:
        """What came of a request; if that is a part of an outage, how many seconds the outage has lasted."""
        now = self._clock.now()
        failed = isinstance(outcome, Failure) and outcome.fault in OUTAGES
        self.has_answered = self.has_answered or outcome.status is not None
        if permit.sent_at is not None:
            self._heed(permit, permit.sent_at, outcome, now)
        if permit.sent_at is not None or failed:
            self._watch(permit, now, failed=failed)
        self._changed.fire()
        return self._breaker.outage_s(now, permit.given_at) if failed else None

    def release(self, permit: Permit) -> None:
        """An attempt is over; what nothing was sent with is free again."""
        self._in_flight.count -= 1
        if permit.sent_at is None:
            for log in self._logs:
                log.give_back()
            self._learned.give_back()
            if self._shared is not None and permit.place is not None:
                self._shared.give_back(permit.place)
            self._told.give_back()
        if permit.is_probe:
            self._breaker.give_back_probe()
        self._changed.fire()

    def _heed_others(self, now: float) -> None:
        """A cool-down that another process met holds here too."""
        if self._shared is not None and (until := self._shared.cool_until(now)) > now:
            self._cool.extend(now, until - now)

    def _heed(self, permit: Permit, sent_at: float, outcome: Outcome, now: float) -> None:
        """What an answer says of the limit."""
        if isinstance(outcome, Failure) and outcome.fault is Fault.THROTTLED:
            self._throttled(now, sent_at, outcome.retry_after_s)
        else:
            self._cool.admitted()
            self._learned.admitted(sent_at)
            if isinstance(outcome, Success):
                self._in_flight.answered(now - sent_at)
        if outcome.allowance is not None:
            self._told.heed(now, permit.number, self._given, outcome.allowance)

    def _throttled(self, now: float, sent_at: float, asked_s: float | None) -> None:
        """Hold everybody back; a limit that was thought to be known is, after this, learned below it."""
        if self._rules.unknown:
            self._cool.extend(now, self._learned.throttled(now, sent_at, asked_s) or 0.0)
        else:
            self._cool.throttled(now, sent_at, asked_s)
            self._learned.throttled(now, sent_at, self._cool.wait_s(now))
            self._paced = True
        self._cool.extend(now, asked_s or 0.0)
        if self._shared is not None:
            self._shared.cool_down(now + self._cool.wait_s(now))
            if self._rules.unknown and (found := self._learned.found_per_s) is not None:
                self._shared.remember(found)

    def _watch(self, permit: Permit, now: float, *, failed: bool) -> None:
        """What an attempt says of the server's health."""
        if permit.is_probe:
            permit.is_probe = False
            self._breaker.probed(now, failed=failed, chance=self._chance())
            if not failed:
                self._in_flight.start_slowly()
        else:
            self._breaker.answered(now, permit.given_at, failed=failed, chance=self._chance())

    def _try_to_take(self) -> Permit | float:
        """Permission, if it can be given now; else how many seconds to wait before looking again."""
        if self._shared is None:
            return self._take_or_wait(self._clock.now())
        with self._shared.locked() as alone:
            if not alone:
                return AFTER_OTHERS_S
            now = self._clock.now()
            self._shared.tell(self._logs, now)
            self._heed_others(now)
            found = self._take_or_wait(now)
        if isinstance(found, float) and self._shared.awaits_others:
            return min(found, LOOK_AGAIN_S)
        return found

    def _take_or_wait(self, now: float) -> Permit | float:
        wait_s = self._wait_s(now)
        return wait_s if wait_s > 0 else self._take(now)

    def _take(self, now: float) -> Permit:
        """Take a slot of everything."""
        self._given += 1
        permit = Permit(self, self._given, now)
        for log in self._logs:
            log.take()
        self._learned.take(now)
        self._told.take(now)
        self._in_flight.count += 1
        permit.is_probe = self._breaker.take()
        if self._shared is not None:
            permit.place = self._shared.take(now)
        return permit

    def _wait_s(self, now: float) -> float:
        rate_per_s = self._learned.rate_per_s if self._paced else self._known_per_s
        if not self._in_flight.has_room(rate_per_s):
            return inf  # an answer makes room
        waits = [
            self._cool.wait_s(now),
            self._breaker.wait_s(now),
            self._told.wait_s(now),
            self._learned.wait_s(now) if self._paced else 0.0,
            *[log.wait_s(now) for log in self._logs],
        ]
        wait_s = max(waits)
        if wait_s >= WORTH_SAYING_S:
            self.announce(now, wait_s, self._why(waits.index(wait_s)))
        return wait_s

    def announce(self, now: float, wait_s: float, why: str) -> None:
        """Say that nothing is sent for a while and why, unless it is said; of short waits in a row once a minute."""
        if WORTH_SAYING_S <= wait_s < inf and now + wait_s > self._announced_until + WORTH_SAYING_S:
            if wait_s < SHORT_S and why == self._said and now < self._said_at + SELDOM_S:
                return
            self._announced_until = now + wait_s
            self._said, self._said_at = why, now
            self._on_wait(wait_s, why)

    def _why(self, which: int) -> str:
        return (
            f"the server's {self._cool.length_s:.0f} s time-out",
            "the server fails; one request will see whether it is back",
            "the server says that its limit is used up",
            "the pace that the server was seen to bear",
            *(f"the limit of {window} is used up" for window in self._rules.windows),
        )[which]


def _learned(rules: Rules, shared: SharedLog | None) -> LearnedRate:
    if rules.unknown:
        return LearnedRate(shared.rate_per_s if shared else None)
    return LearnedRate(rules.rate_per_s, rules.rate_per_s or MOST_PER_S)
