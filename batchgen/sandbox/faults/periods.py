"""When everything is down: periods in seconds after the start."""

import re
from dataclasses import dataclass

_NUMBER = r"\d+(?:\.\d+)?"
_SPAN = re.compile(rf"({_NUMBER})\.\.({_NUMBER})", re.ASCII)
_FLAP = re.compile(rf"({_NUMBER})/({_NUMBER})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From one moment up to another, the second left out."""

    from_s: float
    to_s: float

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read `10..40`. Raises ValueError with the right spelling."""
        found = _SPAN.fullmatch(text)
        if found is None or float(found[1]) >= float(found[2]):
            raise ValueError(f"{text!r} is not a period; write FROM..TO in seconds after the start, as 10..40")
        return cls(from_s=float(found[1]), to_s=float(found[2]))

    def holds(self, elapsed_s: float) -> bool:
        """Whether this moment lies in it."""
        return self.from_s <= elapsed_s < self.to_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """Up, then down, again and again."""

    up_s: float
    down_s: float

    @classmethod
    def parse(cls, text: str) -> "Flap":
        """Read `10/5`. Raises ValueError with the right spelling."""
        found = _FLAP.fullmatch(text)
        if found is None or float(found[1]) <= 0 or float(found[2]) <= 0:
            raise ValueError(f"{text!r} is not UP/DOWN; write both in seconds, as 10/5")
        return cls(up_s=float(found[1]), down_s=float(found[2]))

    def holds(self, elapsed_s: float) -> bool:
        """Whether it is down at this moment."""
        return elapsed_s % (self.up_s + self.down_s) >= self.up_s
