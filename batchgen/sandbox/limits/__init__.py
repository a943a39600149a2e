"""Rate limits: what each says (rules), how each counts (meters), and several at once (account). No clock in here."""

from batchgen.sandbox.limits.account import Account
from batchgen.sandbox.limits.meters import Quota
from batchgen.sandbox.limits.rules import (
    Bucket,
    Concurrency,
    Fixed,
    Limit,
    Sliding,
    halved,
    parse_limit,
    parse_limits,
    spelled,
)

__all__ = [
    "Account",
    "Bucket",
    "Concurrency",
    "Fixed",
    "Limit",
    "Quota",
    "Sliding",
    "halved",
    "parse_limit",
    "parse_limits",
    "spelled",
]
