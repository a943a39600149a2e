"""The vocabulary: frozen values that every room shares. They do nothing; rooms decide and act on them.

What there is one of for each picture is a tuple by name: a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Fault(StrEnum):
    """What can go wrong outside our code."""

    THROTTLED = "THROTTLED"
    OVERLOADED = "OVERLOADED"
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    CUT_OFF = "CUT_OFF"
    NOT_A_PICTURE = "NOT_A_PICTURE"
    FILTERED = "FILTERED"
    REFUSED = "REFUSED"
    INVALID = "INVALID"
    UNAUTHORISED = "UNAUTHORISED"
    OUT_OF_CREDIT = "OUT_OF_CREDIT"
    MISDIRECTED = "MISDIRECTED"
    DISK = "DISK"
    LOST = "LOST"


class Billing(StrEnum):
    """What an attempt may have cost.

    NO: no byte of the request left, a 4xx, or a 5xx with the API's error JSON. YES: any 200. MAYBE: all else.
    """

    NO = "NO"
    MAYBE = "MAYBE"
    YES = "YES"


class Secret:
    """A key whose text can't be shown by accident: `repr` and `str` are `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> str:
        """The text itself, for the one header that carries it."""
        return self._text


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """An image that a request sends: known by its content, found at `file`."""

    path: str
    """As the job writes it."""
    file: str
    """Where it is read from."""
    sha256: str
    size_bytes: int
    modified_ns: int
    media_type: str


class Request(NamedTuple):
    """What one picture is asked with: every form field as text, in sending order, and the input image."""

    fields: tuple[tuple[str, str], ...]
    image: InputImage | None = None


class Task(NamedTuple):
    """One picture to be made; `id` is a digest of the request and never changes.

    Jobs make millions, so it works out what few ask for when asked.
    """

    id: str
    index: int  # type: ignore[assignment]  # the field of that name, not a tuple's search
    job: str
    prompt_id: str
    prompt_slug: str
    repeat: int
    fields: Mapping[str, str]
    """Every form field as text, in sending order."""
    image: InputImage | None
    variables: Mapping[str, str]
    place: Callable[[Task], str]
    """Gives `stem`."""

    @property
    def request(self) -> Request:
        """What it is asked with."""
        return Request(fields=tuple(self.fields.items()), image=self.image)

    @property
    def stem(self) -> str:
        """Where the picture goes below `images/`, without its extension; `/` between parts."""
        return self.place(self)


class Picture(NamedTuple):
    """A whole picture as it was checked: named by its bytes, not by what was asked."""

    format: str
    """`png`, `jpeg` or `webp`."""
    width: int
    height: int
    size_bytes: int
    sha256: str = ""
    """Empty as long as whoever keeps it has not worked it out."""

    @property
    def extension(self) -> str:
        """The file extension without its dot."""
        return "jpg" if self.format == "jpeg" else self.format


class CutOff(str):
    """What is wrong with a picture that more bytes might have mended, in one line."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an answer's headers say may still be sent: a reason to slow down, never to speed up."""

    remaining: int
    """Sends."""
    reset_s: float
    """Seconds, from the answer on, until there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt that brought no picture."""

    fault: Fault
    billing: Billing
    words: str
    """The provider's words, or ours where it had none; one line, never a key."""
    status: int | None = None
    retry_after_s: float | None = None
    allowance: Allowance | None = None


class Success(NamedTuple):
    """An attempt that brought a whole picture."""

    picture: Picture
    status: int
    content_type: str
    seed: str | None = None
    """The seed that the server says it used."""
    finish_reason: str | None = None
    request_id: str | None = None
    filtered: bool = False
    """The server marked the picture as blurred by its content filter."""
    allowance: Allowance | None = None
    path: str = ""
    """Where it lies below the output folder, once it is kept."""


Outcome = Success | Failure


class Attempt(NamedTuple):
    """One try at a task, as its sidecar keeps it."""

    number: int
    started: str
    """UTC, ISO 8601 with milliseconds."""
    seconds: float
    billing: Billing
    fault: Fault | None = None
    status: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again `after_s` seconds from now."""

    after_s: float
    back_off_s: float = 0.0
    """How much of that is our own doing, not what the server asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """This task has ended without a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Every further task would meet the same fault: the whole run stops."""


Verdict = Retry | GiveUp | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rate limit: at most `sends` requests in any `seconds`."""

    sends: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.sends}/{self.seconds:g}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What is known of an account's limit: windows that all hold, or that there is one to be learned, or none."""

    windows: tuple[Window, ...] = ()
    unknown: bool = False

    def __str__(self) -> str:
        return "unknown" if self.unknown else " and ".join(map(str, self.windows)) or "none"
