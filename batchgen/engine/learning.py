"""The pace for a limit that is not known: found by going faster until the server refuses, then held just about there.

Slow start: the rate doubles once it has held for a while. At a refusal the limit lies between what was admitted since
the refusal before (any kind of limiter admits at most R t + B in t seconds, and less where it was asked for less) and
the rate that met it: the estimate w is their geometric mean, and less after refusals in a row below their estimates.
Around it the rate follows a time-scaled CUBIC (Ha, Rhee and Xu, 2008), t seconds after the estimate:

    r(t) = max(0.92 w, w (1 + 0.08 x^3) 1.02^(s (1 + s / 10)))
    x = min(1, (t - T) / T), s = max(0, t - 2 T) / min(max(5, 10 / w), 60)

T is a fifth of the longest of 20 s, 60 sends and ten time-outs, and doubles while estimates agree. One decrease an
episode: refusals of what was sent before its end say nothing new. Without a Retry-After the wait is found by single
requests, each after as long again as has passed. Pure: `now` is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf, sqrt
from typing import Final

FIRST_PER_S: Final = 10.0
MOST_PER_S: Final = 1e6
LEVEL_S: Final = 1.0
LEVEL_SENDS: Final = 8
"""A level of the slow start holds for so long and so many sends."""
LOW: Final = 0.92
SWING: Final = 0.08
GROWTH: Final = 1.02
SHORTEST_PERIOD_S: Final = 20.0
PERIOD_SENDS: Final = 60
PERIOD_PAUSES: Final = 10
QUICKER: Final = 10
FIRST_PERIOD: Final = 0.2
LONGER: Final = 2.0
LONGEST_PERIOD: Final = 16.0
"""A period is so many times the shortest: at first, for each estimate that agrees with the last, and at most."""
AGREE: Final = 0.1
STEEPER: Final = 0.95
"""For each further refusal in a row that came below its estimate."""
FIRST_LEAST: Final = 0.5
LEAST: Final = 0.65
"""An estimate is at least so much of the rate that was refused: the level before it was not, and later refusals."""
ENOUGH: Final = 8
"""Fewer admitted requests say little."""
QUOTA_S: Final = 300.0
"""A wait that is asked for so long is that of a quota, of which a pace says nothing."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
LATE_S: Final = 0.02
"""So late a send may be without its successors being late too."""


class LearnedRate:
    """What is known of a server's limit by its answers.

    `estimate_per_s` is what was remembered, or is known; it is never thought to be more than `most_per_s`.
    """

    def __init__(self, estimate_per_s: float | None = None, most_per_s: float = MOST_PER_S) -> None:
        self.rate_per_s = FIRST_PER_S if estimate_per_s is None else estimate_per_s * LOW
        self._estimate = estimate_per_s
        self._most_per_s = most_per_s
        self._met = False
        self._since = -inf  # of the estimate, or of the level of a slow start
        self._level_sends = 0
        self._period = FIRST_PERIOD
        self._next_at = -inf
        self._sent: deque[float] = deque(maxlen=100_000)
        self._marked_at = -inf  # when the first refused one of the last episode was sent
        self._refused = 0  # of those sent since
        self._episode_ends = -inf
        self._refused_at = -inf  # when the episode began
        self._needed_s = FIRST_PAUSE_S
        self._answer_s = 0.0  # what a refusal takes at most
        self._probing = False
        self._paused_s = 0.0
        self._early = 0  # episodes in a row that began below their estimate

    @property
    def found_per_s(self) -> float | None:
        """The estimate, once a limit was met."""
        return self._estimate if self._met else None

    def wait_s(self, now: float) -> float:
        """Seconds until the next send."""
        return max(self._next_at - now, 0.0)

    def take(self, now: float) -> None:
        """A send is allowed."""
        if self._estimate is not None and now > self._next_at > self._since:
            self._since += now - self._next_at  # while nobody asked for more, nothing was found out
        self.rate_per_s = min(self._rate(now), self._most_per_s)
        step_s = 1 / self.rate_per_s
        if self._probing:
            step_s = max(step_s, self._answer_s * 1.25)
        self._next_at = max(self._next_at, now - min(LATE_S, step_s)) + step_s

    def give_back(self) -> None:
        """It never left."""
        self._next_at -= 1 / self.rate_per_s

    def sent(self, now: float) -> None:
        """It has left."""
        if not self._sent and self._marked_at == -inf:
            self._marked_at = self._since = now
        if self._probing and self._sent and self._sent[-1] >= self._episode_ends:
            self._passed(self._sent[-1])  # a refusal of the one before would have come by now
        self._sent.append(now)
        self._level_sends += 1

    def admitted(self, sent_at: float) -> None:
        """A request was let in."""
        if self._probing and sent_at >= self._episode_ends:
            self._passed(sent_at)

    def _passed(self, sent_at: float) -> None:
        """The single request that tried whether the wait is over was let in."""
        self._probing = False
        self._needed_s = sent_at - self._refused_at

    def throttled(self, now: float, sent_at: float, asked_s: float | None) -> float | None:
        """A request was refused; how long nobody may send, if this begins an episode or shows that it goes on."""
        self._answer_s = max(self._answer_s * 0.98, now - sent_at)
        self._refused += sent_at > self._marked_at
        if sent_at < self._episode_ends:
            return None
        if not self._probing and (asked_s or 0.0) < QUOTA_S:
            self._learn(now, sent_at)
        pause_s = self._pause_s(now) if asked_s is None else asked_s
        if asked_s is not None:
            self._needed_s = asked_s
        self._probing = asked_s is None
        self._episode_ends = self._since = self._next_at = now + pause_s
        self._paused_s += pause_s
        return pause_s

    def _pause_s(self, now: float) -> float:
        if self._probing:
            return min(max(now - self._refused_at, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        return max(FIRST_PAUSE_S, self._needed_s / 2)

    def _learn(self, now: float, sent_at: float) -> None:
        """The estimate from what was admitted between the last refusal and this one."""
        sent = bisect_right(self._sent, sent_at) - bisect_right(self._sent, self._marked_at)
        admitted = sent - self._refused
        enough = admitted >= ENOUGH
        seconds = sent_at - self._marked_at - (self._paused_s if enough else 0.0)
        found = max(admitted, 0.5) / max(seconds, 1e-3)
        self._met = True
        old, rate = self._estimate, self.rate_per_s
        self._early = self._early + 1 if old is not None and now - self._since < self._period_s(old) else 0
        between = sqrt(found * rate) * STEEPER ** max(self._early - 1, 0)
        least = rate * (FIRST_LEAST if old is None else LEAST)
        self._estimate = min(max(between, least), rate)
        if not enough or old is None or abs(self._estimate / old - 1) >= AGREE:
            self._period = FIRST_PERIOD
        elif self._early <= 1:
            self._period = min(self._period * LONGER, LONGEST_PERIOD)
        while self._sent and self._sent[0] <= sent_at:
            self._sent.popleft()
        self._marked_at, self._refused, self._refused_at, self._paused_s = sent_at, 0, now, 0.0

    def _period_s(self, w: float) -> float:
        """How long the rate takes to come back to an estimate."""
        return max(SHORTEST_PERIOD_S, PERIOD_SENDS / w, PERIOD_PAUSES * self._needed_s) * self._period

    def _rate(self, now: float) -> float:
        if self._estimate is None:
            if self._level_sends >= LEVEL_SENDS and now - self._since >= LEVEL_S:
                self._since, self._level_sends = now, 0
                return self.rate_per_s * 2
            return self.rate_per_s
        w, t = self._estimate, max(now - self._since, 0.0) if self._marked_at > -inf else 0.0
        period_s = self._period_s(w)
        x = min(1.0, (t - period_s) / period_s)
        steps = min(max(t - 2 * period_s, 0.0) / min(max(5.0, 10 / w), 60.0), 100.0)
        growth: float = GROWTH ** (steps * (1 + steps / QUICKER))
        return max(LOW * w, w * (1 + SWING * x**3) * growth)
