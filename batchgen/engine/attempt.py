"""One try at one picture: the provider's words over the transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchgen.model import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchgen.engine.transport import Sink, Transport
    from batchgen.model import Outcome
    from batchgen.providers.conversation import Conversation


async def attempt(conversation: Conversation, transport: Transport, sink: Sink, on_sent: Callable[[], None]) -> Outcome:
    """Carry a conversation through; a failure on the wire ends it. OSErrors of the sink pass through."""
    call = next(conversation)
    while True:
        reply = await transport.exchange(call, sink, on_sent)
        if isinstance(reply, Failure):
            conversation.close()
            return reply
        try:
            call = conversation.send(reply)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
