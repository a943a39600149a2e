"""What headers tell of the limit: Retry-After, and how much is left, in the forms that servers use."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

from batchgen.sandbox.limits import Quota

Header = tuple[str, str]


class RateHeaders(StrEnum):
    """Which headers tell how much of the limit is left."""

    NONE = "none"
    X = "x"
    """X-RateLimit-Limit, -Remaining and -Reset (in seconds from now), as many APIs have it."""
    IETF = "ietf"
    """RateLimit and RateLimit-Policy, structured fields of draft-ietf-httpapi-ratelimit-headers (since its 8th)."""
    POLICY = "policy"
    """RateLimit-Policy alone: what the limits are, not how they stand."""


def check_retry_after(form: str) -> str:
    """The form, when a header can carry it. Raises ValueError."""
    if not re.fullmatch(r"[ -~]*", form):
        raise ValueError(f"{form!r} is not text of a header; write none, seconds, date, twice, or printable ASCII")
    return form.strip()


def retry_after(form: str, wait_s: float, now: datetime) -> list[Header]:
    """The Retry-After lines of a refusal that lasts `wait_s`.

    `form`: none; seconds or date (RFC 9110, 10.2.3); twice (two lines, of which the first is true); or the very value.
    """
    seconds = math.ceil(wait_s)
    match form:
        case "none":
            values = []
        case "seconds":
            values = [str(seconds)]
        case "date":
            values = [format_datetime(_whole_second(now + timedelta(seconds=wait_s)), usegmt=True)]
        case "twice":
            values = [str(seconds), str(2 * seconds)]
        case _:
            values = [form]
    return [("Retry-After", value) for value in values]


def rate_headers(form: RateHeaders, quotas: Sequence[Quota]) -> list[Header]:
    """How the limits stand; times are rounded up to whole seconds."""
    if not quotas:
        return []
    tightest = min(quotas, key=lambda quota: (quota.remaining, -quota.reset_s))
    policy = ("RateLimit-Policy", ", ".join(_policy(quota) for quota in quotas))
    match form:
        case RateHeaders.NONE:
            return []
        case RateHeaders.X:
            return [
                ("X-RateLimit-Limit", str(tightest.limit)),
                ("X-RateLimit-Remaining", str(tightest.remaining)),
                ("X-RateLimit-Reset", str(math.ceil(tightest.reset_s))),
            ]
        case RateHeaders.IETF:
            return [("RateLimit", ", ".join(_state(quota) for quota in quotas)), policy]
        case RateHeaders.POLICY:
            return [policy]


def _state(quota: Quota) -> str:
    return f'"{quota.name}";r={quota.remaining};t={math.ceil(quota.reset_s)}'


def _policy(quota: Quota) -> str:
    if quota.per_s is None:
        return f'"{quota.name}";q={quota.limit};qu="concurrent-requests"'
    # Its window is in whole seconds, so a shorter one is told as what it lets through in a second.
    window_s = math.ceil(quota.per_s)
    return f'"{quota.name}";q={math.floor(quota.limit * window_s / quota.per_s + 1e-9)};w={window_s}'


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
