"""What a provider and the wire say to each other.

A provider holds one conversation about one picture: a generator that yields a `Call`, is sent the `Reply`, and returns
what came of it. It has no client, no sleep and no retry, so a test drives it with `.send()`, and an API that is asked
and then polled looks no different from one that answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from batchgen.model import Outcome, Picture, Request, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchgen.model import InputImage, Window
    from batchgen.providers.capabilities import Capabilities


class Body(NamedTuple):
    """A request body in order: bytes, the content of a file, bytes."""

    head: bytes
    image: InputImage | None = None
    tail: bytes = b""

    @property
    def size_bytes(self) -> int:
        """The Content-Length."""
        return len(self.head) + len(self.tail) + (self.image.size_bytes if self.image else 0)


class Call(NamedTuple):
    """One HTTP request. Its key travels apart from its headers, so that no `repr` can show it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Body
    bearer: Secret
    brings_picture: bool = True
    """A 200 to this call is the picture itself, to be streamed and kept."""


class Reply(NamedTuple):
    """One HTTP answer, its body read: as a checked picture, or as the beginning of what was there instead."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; one that came more than once is one list, `a, b`."""
    picture: Picture | None = None
    text: str = ""
    """The first 64 KiB of a body that is no picture."""
    flaw: str = ""
    """Why the body of a 200 is not a picture; a `CutOff` where more bytes might have mended it, or an error's words."""


Conversation = Generator[Call, Reply, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An API: what it takes, how fast, and how to talk to it."""

    kind: str
    url: str | None
    """None: a server of this kind is started for the run."""
    api_key_env: str | None
    """The environment variable of the key; None: no key of the user's is needed."""
    windows: tuple[Window, ...]
    penalty_s: float
    """How long everything is refused after a 429 that names no time."""
    capabilities: Capabilities
    converse: Callable[[Request, str, Secret], Conversation] = field(repr=False)
    """The conversation about one request, at a url, with a key."""
