"""The recent sends of all processes on this machine that use one account: a small locked file in the state folder.

A nightly run and a manual one together keep the account's rule, and a run that begins anew does not begin with a full
window. The file is a ring of times in seconds of the system's monotonic clock, which all processes share until the next
boot: when a request left; minus the time at which it was allowed, while it has not left; 0 where it never did.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.engine.rate import WindowLog
    from batchgen.model import Secret

RING: Final = 16_384
"""Sends that are remembered; in a window of more, a process knows only its own."""
LONGEST_UNSENT_S: Final = 300.0
"""A send that was allowed so long ago and never left was a killed process's: it counts as sent when it was allowed."""
LONGEST_COOL_S: Final = 3600.0
FORMAT: Final = 1.0
_FORMAT, _BOOT, _COUNT, _COOL_UNTIL, _RATE, _RING = range(6)
"""The numbers of the file: how many sends there were so far, a cool-down's end, a learned rate; then the ring."""
_AT_ONCE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def shared_path(state: Path, url: str, key: Secret) -> Path:
    """The file of an account below the user's state folder; its name shows neither url nor key."""
    return state / "limits" / sha256(f"{url}\n{key.reveal()}".encode()).hexdigest()[:32]


class Locked:
    """The lock of an open file, held in one block at a time if nobody else holds it.

    A generator would cost twice as much.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._alone = True

    def __enter__(self) -> bool:
        try:
            fcntl.flock(self._descriptor, _AT_ONCE)
        except BlockingIOError:
            self._alone = False
        else:
            self._alone = True
        return self._alone

    def __exit__(self, *_error: object) -> None:
        if self._alone:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class SharedLog:
    """This process's view of one account's file."""

    def __init__(self, path: Path) -> None:
        """Open the file; what stands there from before the last boot is forgotten, but for the learned rate.

        Raises:
            OSError: It can't be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        size = 8 * (_RING + RING)
        os.posix_fallocate(self._descriptor, 0, size)  # a hole that a full disk can't fill would end the process
        self._lock = Locked(self._descriptor)
        self._numbers = memoryview(mmap.mmap(self._descriptor, size)).cast("d")
        self._seen = 0
        self._unsent: set[int] = set()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._begin(_boot())
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _begin(self, boot: float) -> None:
        whole = 0 <= self._numbers[_COUNT] < 2**53 and isfinite(self._numbers[_COOL_UNTIL])
        if self._numbers[_FORMAT] == FORMAT and self._numbers[_BOOT] == boot and whole:
            return
        if self._numbers[_FORMAT] != FORMAT:
            self._numbers[_RATE] = 0.0
        self._numbers[_FORMAT], self._numbers[_BOOT] = FORMAT, boot
        self._numbers[_COUNT] = self._numbers[_COOL_UNTIL] = 0.0

    def locked(self) -> Locked:
        """Nobody else decides meanwhile; False: another does just now. The lock dies with its process."""
        return self._lock

    def cool_until(self, now: float) -> float:
        """When the last cool-down that any process met ends; one beyond all measure is none."""
        until = self._numbers[_COOL_UNTIL]
        return until if until - now <= LONGEST_COOL_S else now

    @property
    def rate_per_s(self) -> float | None:
        """The rate that was learned last."""
        rate = self._numbers[_RATE]
        return rate if isfinite(rate) and rate > 0 else None

    @property
    def awaits_others(self) -> bool:
        """Has another process a send that was allowed and has not left?"""
        return bool(self._unsent)

    def tell(self, logs: Sequence[WindowLog], now: float) -> None:
        """Bring logs up to date with what others did; under the lock.

        A time that is yet to come, by more than what passes between two processes' looks at the clock, is nonsense.
        """
        count = int(self._numbers[_COUNT])
        if count == self._seen and not self._unsent:
            return
        for place in range(max(self._seen, count - RING), count):
            self._unsent.add(place)
            for log in logs:
                log.take()
        self._seen = count
        for place in list(self._unsent):
            left_at = self._numbers[_RING + place % RING]
            if left_at < 0 and 0 <= now + left_at < LONGEST_UNSENT_S:
                continue
            self._unsent.remove(place)
            for log in logs:
                log.sent(abs(left_at)) if left_at and abs(left_at) <= now + 1 else log.give_back()

    def take(self, now: float) -> int:
        """A send of this process is allowed; where it stands. Under the lock, after `tell`."""
        place = self._seen
        self._numbers[_RING + place % RING] = -max(now, 1e-9)
        self._seen = place + 1
        self._numbers[_COUNT] = self._seen
        return place

    def sent(self, place: int, now: float) -> None:
        """It has left; so late that others took it for sent before, it stands there again."""
        if now + self._numbers[_RING + place % RING] >= LONGEST_UNSENT_S:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._numbers[_COUNT] += 1
            place = int(self._numbers[_COUNT]) - 1
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._numbers[_RING + place % RING] = max(now, 1e-9)

    def give_back(self, place: int) -> None:
        """It never will."""
        self._numbers[_RING + place % RING] = 0.0

    def cool_down(self, until: float) -> None:
        """Nobody sends before."""
        with self.locked():
            self._numbers[_COOL_UNTIL] = max(self._numbers[_COOL_UNTIL], until)

    def remember(self, rate_per_s: float) -> None:
        """Keep a learned rate for the next run."""
        self._numbers[_RATE] = rate_per_s


def _boot() -> float:
    """A number that is another after each boot; 0 where the system does not tell."""
    with suppress(OSError):
        return float(int(sha256(_BOOT_ID.read_bytes()).hexdigest()[:12], 16))
    return 0.0
