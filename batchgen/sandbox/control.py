"""`POST /control`: other settings for the running sandbox, as JSON; and the settings as they stand."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from batchgen.sandbox.faults import Fault, check_rates, parse_rate, parse_script
from batchgen.sandbox.headers import RateHeaders, check_retry_after
from batchgen.sandbox.limits import parse_limits, spelled
from batchgen.sandbox.settings import Settings
from batchgen.sandbox.state import State


class NotAChange(ValueError):  # noqa: N818 - it says what the text is
    """The text can't be followed; the message names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one request to `/control` asks for, all of it checked."""

    settings: Settings
    refill: bool
    """The credit is what the settings say, whatever was spent."""
    script: tuple[Fault | None, ...] | None
    reset_log: bool


def is_loopback(peer: object) -> bool:
    """Whether this is the address of a client on this machine: (host, port, ...), as a socket tells it."""
    if not isinstance(peer, tuple) or not peer:
        return False
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def read_change(text: bytes, settings: Settings) -> Change:
    """What the text asks of a sandbox with these settings. Raises NotAChange; then nothing of it is followed."""
    try:
        wanted = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise NotAChange(f"body: is not JSON: {error}") from None
    if not isinstance(wanted, dict):
        raise NotAChange("body: must be a JSON object")
    known = {**_SETTINGS, **_ACTIONS}
    read: dict[str, Any] = {}
    for key, value in wanted.items():
        if key not in known:
            raise NotAChange(f"{key}: is not a setting; settings are {', '.join(known)}")
        name, reader = known[key]
        try:
            read[name] = reader(value)
        except ValueError as error:
            raise NotAChange(f"{key}: {error}") from None
    script, reset_log = read.pop("script", None), read.pop("reset_log", False)
    return Change(settings=replace(settings, **read), refill="credits" in read, script=script, reset_log=reset_log)


def apply(change: Change, state: State) -> None:
    """Follow it."""
    state.follow(change.settings)
    if change.refill:
        state.credits_left = change.settings.credits
    if change.script is not None:
        state.set_script(change.script)
    if change.reset_log:
        state.log.forget()


def as_json(state: State, now: float) -> dict[str, Any]:
    """The settings as they stand, under the keys that `read_change` reads."""
    settings = state.settings
    return {
        "limit": [spelled(limit) for limit in settings.limits] or ["none"],
        "penalty": settings.penalty_s,
        "halved": state.is_halved(now),
        "retry_after": settings.retry_after,
        "rate_headers": settings.rate_headers,
        "fail": dict(settings.fail),
        "outage": state.is_down(now),
        "credits": state.credits_left,
        "latency": settings.latency_s,
        "jitter": settings.jitter_s,
        "arrival_jitter": settings.arrival_jitter_s,
        "script": [fate or "ok" for fate in state.script],
    }


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be a list of texts")
    return texts


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError("must be a number from 0")
    return float(value)


def _number_or_null(value: Any) -> float | None:
    return None if value is None else _number(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - a wrong value of JSON
    return value


def _flag_or_null(value: Any) -> bool | None:
    return None if value is None else _flag(value)


def _rates(value: Any) -> Mapping[Fault, float]:
    if not isinstance(value, dict):
        raise ValueError('must be an object of rates, as {"500": 0.1}')  # noqa: TRY004 - a wrong value of JSON
    rates = dict(parse_rate(f"{kind}={rate}") for kind, rate in value.items())
    check_rates(rates)
    return rates


def _retry_after(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be none, seconds, date, twice or any other text")  # noqa: TRY004 - a wrong value of JSON
    return check_retry_after(value)


Reader = Callable[[Any], Any]

# Key -> the setting that it changes, and how its value is read.
_SETTINGS: Mapping[str, tuple[str, Reader]] = {
    "limit": ("limits", lambda value: parse_limits(_texts(value))),
    "penalty": ("penalty_s", _number),
    "halved": ("halved", _flag_or_null),
    "retry_after": ("retry_after", _retry_after),
    "rate_headers": ("rate_headers", RateHeaders),
    "fail": ("fail", _rates),
    "outage": ("outage", _flag_or_null),
    "credits": ("credits", _number_or_null),
    "latency": ("latency_s", _number),
    "jitter": ("jitter_s", _number),
    "arrival_jitter": ("arrival_jitter_s", _number),
}
_ACTIONS: Mapping[str, tuple[str, Reader]] = {
    "script": ("script", lambda value: parse_script(_texts(value))),
    "reset_log": ("reset_log", _flag),
}
