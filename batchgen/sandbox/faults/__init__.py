"""Faults on purpose: the kinds there are, which request gets which, when all is down, what is sent instead."""

from batchgen.sandbox.faults.fates import Rates, check_rates, draw, parse_rate, parse_script
from batchgen.sandbox.faults.kinds import PAGES, REFUSALS, UNANSWERED, WHOLE, Fault
from batchgen.sandbox.faults.periods import Flap, Span

__all__ = [
    "PAGES",
    "REFUSALS",
    "UNANSWERED",
    "WHOLE",
    "Fault",
    "Flap",
    "Rates",
    "Span",
    "check_rates",
    "draw",
    "parse_rate",
    "parse_script",
]
