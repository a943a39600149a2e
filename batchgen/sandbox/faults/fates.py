"""Which requests go wrong on purpose: drawn by the request's number, so that a seed repeats them, or named."""

import random
from collections.abc import Iterable, Mapping

from batchgen.sandbox.faults.kinds import Fault

Rates = Mapping[Fault, float]

WELL = "ok"

_BY_NAME: Mapping[str, Fault] = {str(fault): fault for fault in Fault}


def parse_rate(text: str) -> tuple[Fault, float]:
    """Read `429=0.05`. Raises ValueError with the right spelling."""
    kind, _equals, rate = text.partition("=")
    try:
        fault, share = _BY_NAME[kind], float(rate)
    except (KeyError, ValueError):
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not KIND=RATE; KIND is one of {', '.join(Fault)}, RATE is 0 to 1")
    return fault, share


def parse_script(texts: Iterable[str]) -> tuple[Fault | None, ...]:
    """Fates by name, `ok` for none. Raises ValueError with the right spelling."""
    return tuple(None if text == WELL else _parse_fault(text) for text in texts)


def _parse_fault(text: str) -> Fault:
    if text not in _BY_NAME:
        raise ValueError(f"{text!r} is not a fate; it is {WELL} or one of {', '.join(Fault)}")
    return _BY_NAME[text]


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
