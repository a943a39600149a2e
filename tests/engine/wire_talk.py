"""One call over the transport, or one conversation of the gateway's provider over it, and what came of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine_samples import KEY, ListSink

from batchgen.engine.attempt import attempt
from batchgen.engine.bounds import Bounds
from batchgen.engine.transport import open_transport
from batchgen.model import Failure, Picture, Request, Secret, Success
from batchgen.providers.conversation import Reply
from batchgen.providers.gateway import converse
from batchgen.store.structure import StructureCheck

if TYPE_CHECKING:
    from batchgen.engine.transport import Sink
    from batchgen.model import Outcome
    from batchgen.providers.conversation import Call

AMPLE = Bounds(total_s=20)
BRIEF = Bounds(total_s=0.5)


@dataclass(slots=True)
class Exchange:
    """What came of one call."""

    found: Reply | Failure
    sink: ListSink
    sent: int
    """How often the transport said that the headers had left."""

    @property
    def reply(self) -> Reply:
        """The answer."""
        assert isinstance(self.found, Reply), self.found
        return self.found

    @property
    def failure(self) -> Failure:
        """The failure, its words without the key."""
        assert isinstance(self.found, Failure), self.found
        assert KEY not in self.found.words
        return self.found


@dataclass(slots=True)
class CheckedSink:
    """Tells whole pictures from others as the store does, and keeps but their beginning and their size."""

    beginning: bytes = b""
    size_bytes: int = 0
    check: StructureCheck = field(default_factory=StructureCheck)

    def expect(self, size_bytes: int) -> None:
        """See Sink."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.beginning = (self.beginning + chunk[:2048])[:2048]
        self.size_bytes += len(chunk)
        self.check.feed(chunk)

    async def finish(self) -> Picture | str:
        """The picture, or what is wrong."""
        shape = self.check.end()
        if isinstance(shape, str):
            return shape
        return Picture(
            format=shape.format, width=shape.width, height=shape.height, size_bytes=self.size_bytes, sha256="ab" * 32
        )


@dataclass(slots=True)
class Talk:
    """What came of one conversation."""

    outcome: Outcome
    sent: int

    @property
    def success(self) -> Success:
        """The picture."""
        assert isinstance(self.outcome, Success), self.outcome
        return self.outcome

    @property
    def failure(self) -> Failure:
        """The failure, in one line that does not hold the key."""
        assert isinstance(self.outcome, Failure), self.outcome
        assert KEY not in repr(self.outcome)
        assert self.outcome.words == " ".join(self.outcome.words.split()) != ""
        return self.outcome


async def exchange(asked: Call, bounds: Bounds = AMPLE) -> Exchange:
    """One call."""
    sink, sent = ListSink(), list[None]()
    async with open_transport(bounds) as transport:
        found = await transport.exchange(asked, sink, lambda: sent.append(None))
    return Exchange(found, sink, len(sent))


async def talk(url: str, bounds: Bounds = AMPLE, sink: Sink | None = None) -> Talk:
    """One attempt at a picture, as a worker makes it."""
    request, sent = Request(fields=(("model", "sd3-large"), ("prompt", "a fox"))), list[None]()
    async with open_transport(bounds) as transport:
        conversation = converse(request, url, Secret(KEY))
        outcome = await attempt(conversation, transport, sink or CheckedSink(), lambda: sent.append(None))
    return Talk(outcome, len(sent))
