"""One conversation with the gateway's provider, held by `.send()`, and its form read by the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING

from batchgen.model import Failure, InputImage, Picture, Request, Secret
from batchgen.providers.conversation import Reply
from batchgen.providers.gateway import converse

if TYPE_CHECKING:
    from email.message import Message

    from batchgen.model import Outcome
    from batchgen.providers.conversation import Call

URL = "https://api.example.com/v1/images/generations"
KEY = Secret("sk-canary-0123456789abcdef")
PICTURE = Picture(format="png", width=64, height=64, size_bytes=9, sha256="ab" * 32)
IMAGE_BYTES = b"\x89PNG\r\n\x1a\n--batchgen- any bytes\r\n\r\n\x00\xff"
IMAGE = InputImage(
    path="inputs/a.png",
    file="/jobs/inputs/a.png",
    sha256="cd" * 32,
    size_bytes=len(IMAGE_BYTES),
    modified_ns=1,
    media_type="image/png",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form as it was read back."""

    name: str
    content: bytes
    filename: str | None
    content_type: str | None


def request(*fields: tuple[str, str], image: InputImage | None = None) -> Request:
    """A request with these fields, or with the two that every request has."""
    return Request(fields=fields or (("model", "sd3-large"), ("prompt", "a red fox")), image=image)


def ask(of: Request) -> Call:
    """The one call of a conversation."""
    return next(converse(of, URL, KEY))


def answer(
    status: int,
    text: str = "",
    headers: dict[str, str] | None = None,
    picture: Picture | None = None,
    flaw: str = "",
) -> Outcome:
    """What a conversation makes of its one answer."""
    conversation = converse(request(), URL, KEY)
    next(conversation)
    if status == 200 and picture is None:
        flaw = "no picture begins like this"
    try:
        conversation.send(Reply(status=status, headers=headers or {}, picture=picture, text=text, flaw=flaw))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    raise AssertionError("the conversation asked a second time")


def failure(status: int, text: str = "", headers: dict[str, str] | None = None) -> Failure:
    """The failure that a conversation makes of this answer."""
    outcome = answer(status, text, headers)
    assert isinstance(outcome, Failure)
    return outcome


def body_bytes(call: Call) -> bytes:
    """The request body as the wire carries it."""
    return call.body.head + (IMAGE_BYTES if call.body.image else b"") + call.body.tail


def parts(call: Call) -> list[Part]:
    """The form of a call, in order, read by the standard library."""
    head = f"Content-Type: {call.headers['Content-Type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body_bytes(call))
    assert message.get_content_type() == "multipart/form-data"
    assert not message.defects
    return [_part(part) for part in message.iter_parts()]


def _part(message: Message) -> Part:
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes)
    return Part(
        name=str(message.get_param("name", header="content-disposition")),
        content=content,
        filename=message.get_filename(),
        content_type=message.get("content-type"),
    )
