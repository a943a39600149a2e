"""One request's way, told by whoever makes the attempt: it leaves, and it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchgen.engine.exchange import HeldBack

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchgen.engine.limiter import Permit
    from batchgen.model import Outcome


class Trip:
    """A permit as it is used."""

    __slots__ = ("_may_leave", "_on_answer", "_permit", "is_answered", "outage_s")

    def __init__(self, permit: Permit, may_leave: Callable[[], bool], on_answer: Callable[[], None]) -> None:
        self._permit = permit
        self._may_leave = may_leave
        self._on_answer = on_answer
        self.is_answered = False
        self.outage_s: float | None = None
        """See Permit.answered."""

    @property
    def is_sent(self) -> bool:
        """Have its headers left?"""
        return self._permit.sent_at is not None

    def sent(self) -> None:
        """Its headers leave.

        Raises:
            HeldBack: They must not: since it was allowed the run has ended, or a cool-down has begun.
        """
        if not self._may_leave():
            raise HeldBack
        self._permit.sent()

    def answered(self, outcome: Outcome) -> None:
        """It is over: the next may be sent while what it brought is kept. Said again, it changes nothing."""
        if not self.is_answered:
            self.is_answered = True
            self._on_answer()
            self.outage_s = self._permit.answered(outcome)
            self._permit.release()
