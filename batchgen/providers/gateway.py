"""The Stability family behind a gateway: one multipart POST, answered with the picture itself.

Facts: the provider's page (fields, values, errors) and Stability AI's v2beta REST API, August 2025 (prices, the limit
of 150 requests in any 10 s with its time-out of 60 s, the headers `seed`, `finish-reason` and `x-request-id`).
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final

from batchgen.keys import hide
from batchgen.model import Billing, CutOff, Failure, Fault, Request, Secret, Success, Window
from batchgen.providers.capabilities import Capabilities, Choice, File, Model, Number, Text, Whole
from batchgen.providers.conversation import Body, Call, Conversation, Provider, Reply
from batchgen.providers.rate_headers import read_allowance, tells_allowance
from batchgen.providers.retry_after import answered_at, retry_after_s

if TYPE_CHECKING:
    from batchgen.model import Allowance, Outcome, Picture

RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
STYLES = (
    "3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art", "isometric",
    "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art", "tile-texture",
)  # fmt: skip
MOST_PROMPT_CHARACTERS = 10_000

CAPABILITIES = Capabilities(
    parameters={
        parameter.name: parameter
        for parameter in (
            Choice(name="model", options=("sd3-large", "sd3-large-turbo", "sd-core"), default="sd3-large"),
            Text(name="prompt", most=MOST_PROMPT_CHARACTERS),
            Choice(name="mode", options=("text-to-image", "image-to-image"), default="text-to-image"),
            File(name="image"),
            Number(name="strength", low=0, high=1),
            Text(name="negative_prompt", most=MOST_PROMPT_CHARACTERS),
            Whole(name="seed", low=0, high=4_294_967_294, default="0"),
            Choice(name="aspect_ratio", options=RATIOS, default="1:1"),
            Choice(name="output_format", options=("png", "jpeg"), default="png"),
            Choice(name="style_preset", options=STYLES),
        )
    },
    models={
        model.name: model
        for model in (
            Model(name="sd3-large", credits=Decimal("6.5"), without=frozenset({"style_preset"})),
            Model(
                name="sd3-large-turbo",
                credits=Decimal(4),
                without=frozenset({"style_preset", "negative_prompt"}),
            ),
            Model(name="sd-core", credits=Decimal(3), without=frozenset({"image", "strength"})),
        )
    },
    usd_per_credit=Decimal("0.01"),
    prices_date="2025-08",
)

# What a status says when the provider's error carries no more than that; other 5xx are OVERLOADED, other 4xx INVALID.
FAULT_OF_STATUS: Final = {
    400: Fault.INVALID,
    401: Fault.UNAUTHORISED,
    402: Fault.OUT_OF_CREDIT,
    403: Fault.UNAUTHORISED,
    404: Fault.MISDIRECTED,
    405: Fault.MISDIRECTED,
    408: Fault.TIMEOUT,
    413: Fault.INVALID,
    422: Fault.INVALID,
    429: Fault.THROTTLED,
}


# Tags, and what stands in a style or a script; bounded, since a hostile body makes an open pattern quadratic.
_HTML = re.compile(r"(?is)<(script|style)\b.{0,2000}?</\1>|<[^<>]{0,200}>")


def converse(request: Request, url: str, key: Secret) -> Conversation:
    """Ask for one picture and read the one answer."""
    body, boundary = encode_form(request)
    headers = {"Accept": "image/*", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    reply = yield Call(method="POST", url=url, headers=headers, body=body, bearer=key)
    return read_reply(reply, key)


def encode_form(request: Request) -> tuple[Body, str]:
    """The multipart form (RFC 7578) of a request, and its boundary.

    The boundary is a digest of all that it must not occur in, so equal requests are equal bytes.
    """
    image_digest = request.image.sha256 if request.image else ""
    said = "\0".join([*chain.from_iterable(request.fields), image_digest])
    boundary = "batchgen-" + hashlib.sha256(said.encode()).hexdigest()[:32]
    head = "".join(
        [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in request.fields
        ]
    ).encode()
    end = f"--{boundary}--\r\n".encode()
    if request.image is None:
        return Body(head=head + end), boundary
    kind = request.image.media_type
    part = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image.{kind.split("/")[1]}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return Body(head=head + part.encode(), image=request.image, tail=b"\r\n" + end), boundary


def read_reply(reply: Reply, key: Secret) -> Outcome:
    """What the answer means; the words of a failure are the provider's where it had any."""
    if reply.status == 200 and reply.picture is not None:
        return _made(reply, reply.picture)
    reply = _masked(reply, key)
    if reply.status == 200:
        return _no_picture(reply)
    if 200 < reply.status < 300:
        return _failure(reply, Fault.NOT_A_PICTURE, Billing.MAYBE, f"status {reply.status} brings no picture")
    name, words, whole = _read_error(reply.text)
    fault = _fault(reply.status, name)
    if reply.status == 403 and not name and isinstance(reply.flaw, CutOff):
        fault, words = Fault.CUT_OFF, reply.flaw  # whom it refuses, the prompt or the account, was in what is missing
    if fault is Fault.UNAUTHORISED and reply.status == 401:
        words = "the key was refused"  # the provider's own words can echo part of the key
    if fault is Fault.MISDIRECTED:
        words = f"status {reply.status}" + (
            f" to {_one_line(reply.headers['location'])}" if "location" in reply.headers else ""
        )
    return _failure(reply, fault, _billing(reply.status, by_the_api=whole), words)


def _masked(reply: Reply, key: Secret) -> Reply:
    """The reply without the key, should the server echo it: hidden before anything is cut short."""
    said = "\n".join((*reply.headers.values(), reply.text))
    if hide(key, said) == said:
        return reply
    headers = {name: hide(key, value) for name, value in reply.headers.items()}
    text, flaw = hide(key, reply.text), reply.flaw
    if text != reply.text and not isinstance(flaw, CutOff):
        flaw = flaw and "not a picture"  # it quotes the bytes, and may hold a part of the key
    return reply._replace(headers=headers, text=text, flaw=flaw)


def _no_picture(reply: Reply) -> Failure:
    if isinstance(reply.flaw, CutOff):
        return _failure(reply, Fault.CUT_OFF, Billing.YES, reply.flaw)
    said = _one_line(reply.text)
    return _failure(reply, Fault.NOT_A_PICTURE, Billing.YES, reply.flaw + (f": {said}" if said else ""))


def _made(reply: Reply, picture: Picture) -> Success:
    finish_reason = reply.headers.get("finish-reason")
    return Success(
        picture=picture,
        status=reply.status,
        content_type=reply.headers.get("content-type", ""),
        seed=reply.headers.get("seed"),
        finish_reason=finish_reason,
        request_id=reply.headers.get("x-request-id"),
        filtered="CONTENT_FILTERED" in (finish_reason or ""),
        allowance=_allowance(reply),
    )


def _failure(reply: Reply, fault: Fault, billing: Billing, words: str) -> Failure:
    return Failure(
        fault=fault,
        billing=billing,
        words=words or f"status {reply.status} with no words",
        status=reply.status,
        retry_after_s=retry_after_s(reply.headers),
        allowance=_allowance(reply),
    )


def _allowance(reply: Reply) -> Allowance | None:
    if not tells_allowance(reply.headers):
        return None
    return read_allowance(reply.headers, answered_at(reply.headers))


def _fault(status: int, name: str) -> Fault:
    if status == 403 and name == "content_moderation":
        return Fault.REFUSED
    if 300 <= status < 400:
        return Fault.MISDIRECTED
    return FAULT_OF_STATUS.get(status, Fault.OVERLOADED if status >= 500 else Fault.INVALID)


def _billing(status: int, *, by_the_api: bool) -> Billing:
    return Billing.NO if 400 <= status < 500 or (status >= 500 and by_the_api) else Billing.MAYBE


def _read_error(text: str) -> tuple[str, str, bool]:
    """The name and the words of an error, and whether it is the API's own JSON (`errors`, once `message`)."""
    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        return "", _one_line(_HTML.sub(" ", text[:4096])), False
    if not isinstance(error, dict):
        return "", _one_line(text), False
    said = error.get("errors") or error.get("message") or ""
    words = "; ".join(str(part) for part in said) if isinstance(said, list) else str(said)
    name = error.get("name") if isinstance(error.get("name"), str) else ""
    return str(name), _one_line(f"{name}: {words}" if name else words), bool(name) and "id" in error


def _one_line(text: str, most: int = 300) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * most])
    return " ".join(printable.split())[:most]


GATEWAY = Provider(
    kind="gateway",
    url="https://gateway.serevixai.ai/v1/images/generations",
    api_key_env="GATEWAY_API_KEY",
    windows=(Window(sends=150, seconds=10),),
    penalty_s=60,
    capabilities=CAPABILITIES,
    converse=converse,
)
