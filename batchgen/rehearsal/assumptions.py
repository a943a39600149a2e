"""What a rehearsal assumes of its provider: what is documented, unless told otherwise as `key=value`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchgen.engine.policy import REACTIONS, Reaction
from batchgen.errors import UsageError, nearest
from batchgen.manifest.reading.units import rate_limit, seconds
from batchgen.model import Fault, RateLimit
from batchgen.rehearsal.rehearse import Model
from batchgen.rehearsal.servers import SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchgen.manifest.settings import ProviderSettings
    from batchgen.rehearsal.servers import Refusal, ServerLimit

LATENCY_S = (4.0, 8.0)
"""How long a picture takes, where nothing else is assumed."""
_SHARE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<percent>%?)")
FAULTS = [
    str(fault)
    for fault, reaction in REACTIONS.items()
    if reaction is not Reaction.STOP and fault not in {Fault.THROTTLED, Fault.LOST}
]


@dataclass(slots=True, kw_only=True)
class Assumptions:
    """What is assumed."""

    limit: RateLimit
    penalty: float
    latency: tuple[float, float] = LATENCY_S
    faults: dict[Fault, float] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The provider that all this makes."""
        return Model(limit=partial(_server, self.limit, self.penalty), latency_s=self.latency, faults=self.faults)

    def words(self) -> str:
        """What is assumed, for people."""
        parts = [f"a limit of {self.limit}", f"a {self.penalty:g} s penalty"] if self.limit.windows else ["no limit"]
        parts.append(f"{self.latency[0]:g} to {self.latency[1]:g} s an answer")
        parts += [f"{share:.3g} of answers {fault}" for fault, share in self.faults.items()]
        return ", ".join(parts)


def assumptions(settings: ProviderSettings, told: Iterable[str]) -> Assumptions:
    """What the job's provider is assumed to be, but for what is `told`.

    Raises:
        UsageError: Something told is not understood.
    """
    windows = settings.rate_limit.windows or settings.provider.windows
    limit = RateLimit(windows=() if settings.rate_limit == RateLimit() else windows)
    found = Assumptions(limit=limit, penalty=settings.provider.penalty_s)
    for each in told:
        key, sign, text = each.partition("=")
        if not sign:
            raise UsageError(f"--assume {each}: not KEY=VALUE; write it as limit=75/10s")
        _assume(found, key.strip(), text.strip(), each)
    return found


def _assume(found: Assumptions, key: str, text: str, told: str) -> None:
    if key not in _READERS and key not in FAULTS:
        known = [*_READERS, *FAULTS]
        accepted = f"{nearest(key, known)} accepted: {', '.join(known)}".strip()
        raise UsageError(f"--assume {told}: {key!r} is nothing that is assumed; {accepted}")
    try:
        if key in _READERS:
            setattr(found, key, _READERS[key](text))
        else:
            found.faults[Fault(key)] = _share(text)
    except ValueError as error:
        raise UsageError(f"--assume {told}: {error}") from None
    if sum(found.faults.values()) > 1 + 1e-9:
        raise UsageError(f"--assume {told}: the shares of faults add up to more than all answers; give smaller ones")


def _limit(text: str) -> RateLimit:
    found = rate_limit(text.split("+") if "+" in text else text)
    if found.unknown:
        raise ValueError(
            "the limit that is assumed can't be unknown; accepted: requests / time, such as 75/10s, or none"
        )
    return found


def _latency(text: str) -> tuple[float, float]:
    first, _, last = text.partition("..")
    least, most = seconds(first), seconds(last or first)
    if least > most:
        raise ValueError(f"{text} runs backwards; accepted: the shortest time first, such as 4s..8s")
    return least, most


def _share(text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = float(match["number"]) / (100 if match["percent"] else 1) if match else 2.0
    if share > 1:
        raise ValueError(f"{text!r} is no share; accepted: 2% or 0.02")
    return share


_READERS: Mapping[str, Callable[[str], object]] = {"limit": _limit, "penalty": seconds, "latency": _latency}


def _server(limit: RateLimit, penalty_s: float) -> ServerLimit:
    return _Every(
        [SlidingWindow(each.sends, each.seconds, says_wait=False, penalty_s=penalty_s) for each in limit.windows]
    )


class _Every:
    """Several windows at once."""

    def __init__(self, limits: Sequence[ServerLimit]) -> None:
        self._limits = limits

    def arrive(self, now: float) -> Refusal | None:
        """See ServerLimit."""
        return next((refusal for each in self._limits if (refusal := each.arrive(now)) is not None), None)

    def left(self, now: float) -> None:
        """See ServerLimit."""
        for each in self._limits:
            each.left(now)

    def shortest_s(self, tasks: int, latency_s: float) -> float:
        """See ServerLimit."""
        return max((each.shortest_s(tasks, latency_s) for each in self._limits), default=0.0)
