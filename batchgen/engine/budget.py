"""How much may still be spent and made: hard bounds, since every attempt reserves its price before it is sent.

What an attempt may have cost counts as spent; only what was surely not billed is given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The bounds, and what counts against them already."""

    max_cost: Decimal | None = None
    """US dollars."""
    max_images: int | None = None
    spent: Decimal = Decimal(0)
    made: int = 0
    """Pictures, and attempts that may have been billed without bringing one."""


class Budget:
    """Reservations against the caps."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._spent = caps.spent
        self._made = caps.made
        self._reserved = Decimal(0)
        self._in_flight = 0

    def reserve(self, price: Decimal) -> str | None:
        """Set `price` aside for one attempt; else which cap is reached, unless attempts in flight give theirs back."""
        if (cap := self._reached(price)) is not None:
            return cap
        self._reserved += price
        self._in_flight += 1
        return None

    def settle(self, price: Decimal, *, billed: bool, made: bool) -> None:
        """An attempt has ended; `billed` means that it may have cost its price, and then it counts as a picture too."""
        self._reserved -= price
        self._in_flight -= 1
        self._spent += price if billed else Decimal(0)
        self._made += made or billed

    def _reached(self, price: Decimal) -> str | None:
        caps = self._caps
        if caps.max_images is not None and self._made + self._in_flight + 1 > caps.max_images:
            return f"max_images of {caps.max_images:,} is reached"
        if caps.max_cost is not None and self._spent + self._reserved + price > caps.max_cost:
            return f"max_cost of ${caps.max_cost:,.2f} would be passed (${self._spent:,.3f} spent at most)"
        return None
