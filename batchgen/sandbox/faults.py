"""Which requests go wrong on purpose, and how: a draw by the request's number, so that a seed repeats them all."""

import random
from collections.abc import Mapping
from enum import StrEnum


class Fault(StrEnum):
    """What the sandbox can do instead of answering well."""

    THROTTLED = "429"
    INTERNAL = "500"
    CUT = "cut"
    """The picture is made and billed, and its body ends half way."""
    DROP = "drop"
    """The picture is made and billed, and the connection closes without an answer."""
    HANG = "hang"
    """Nothing is made, billed or answered, and the connection stays open."""


Rates = Mapping[Fault, float]


def parse_rate(text: str) -> tuple[Fault, float]:
    """Read `429=0.05`. Raises ValueError with the right spelling."""
    kind, equals, rate = text.partition("=")
    try:
        fault, share = Fault(kind), float(rate)
    except ValueError:
        equals = ""
    if not equals or not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not KIND=RATE; KIND is one of {', '.join(Fault)}, RATE is 0 to 1")
    return fault, share


def check_rates(rates: Rates) -> None:
    """Raise ValueError when the rates leave less than nothing for good answers."""
    if sum(rates.values()) > 1 + 1e-9:
        raise ValueError(f"the rates add up to {sum(rates.values()):g}; together they are at most 1")


def draw(rates: Rates, salt: str, number: int) -> Fault | None:
    """The fault of request `number`, or None: the same for the same salt, whatever else happens."""
    if not rates:
        return None
    point = random.Random(f"{salt} fault {number}").random()  # noqa: S311 - a rehearsal, no secret
    for fault, rate in rates.items():
        if point < rate:
            return fault
        point -= rate
    return None
