"""What goes back: pictures, errors as the API words them, and what is sent in their place."""

import json
import uuid
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from batchgen.sandbox.faults import PAGES, REFUSALS, Fault
from batchgen.sandbox.faults.bodies import TRAILING, gzip_bomb, page, pixel_bomb
from batchgen.sandbox.headers import Header

# Status -> the name that the API gives it; those that it documents no name for are named in its manner.
NAMES = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    422: "invalid_language",
    429: "rate_limit_exceeded",
    500: "internal_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
    529: "overloaded",
}

_WORDS = {
    400: "This request can't be carried out.",
    401: "authorization: is missing or invalid; it must be Bearer and an API key",
    402: "You lack sufficient credits to make this request; buy more and try again.",
    403: "You are not allowed to make this request.",
    404: "There is no such path here.",
    405: "This method is not allowed here.",
    413: "This request is too large.",
    422: "The prompt is in a language that is not supported.",
    429: "You have made too many requests in a short time; slow down.",
    500: "Something went wrong here; try again.",
    502: "What does the work did not answer in order; try again.",
    503: "Nothing can be made at the moment; try again later.",
    504: "What does the work did not answer in time; try again.",
    529: "There is too much to do at the moment; try again later.",
}

_MODERATED = "The prompt was refused by moderation."


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The request ends here, with the error body of this status; without errors of its own, in the usual words."""

    def __init__(self, status: int, *errors: str, name: str | None = None, headers: Iterable[Header] = ()) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.errors = errors or (_WORDS[status],)
        self.name = name
        self.headers = headers

    def response(self) -> web.Response:
        """The documented error: `{"id", "name", "errors"}`."""
        return error_response(self.status, self.errors, self.headers, self.name)


def refusal_of(fault: Fault, headers: Iterable[Header] = ()) -> Refusal:
    """The refusal that a fault of error JSON is; `fault` is one of REFUSALS."""
    if fault is Fault.MODERATED:
        return Refusal(403, _MODERATED, name="content_moderation")
    return Refusal(REFUSALS[fault], headers=headers)


def error_response(
    status: int, errors: tuple[str, ...], headers: Iterable[Header] = (), name: str | None = None
) -> web.Response:
    """One error body, under an id of its own."""
    request_id = uuid.uuid4().hex
    body: dict[str, Any] = {"id": request_id, "name": name or NAMES.get(status, "error"), "errors": list(errors)}
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/json",
        headers=[*headers, ("x-request-id", request_id)],
    )


def page_response(fault: Fault) -> web.Response:
    """A page of HTML; `fault` is one of PAGES."""
    status = PAGES[fault]
    return web.Response(status=status, body=page(status, _WORDS.get(status, "Welcome")), content_type="text/html")


def redirect_response(location: str) -> web.Response:
    """307: whoever follows sends method, headers and body once more."""
    return web.Response(status=307, headers={"Location": location})


def picture_response(picture: bytes, media_type: str, seed: int, *, filtered: bool = False) -> web.Response:
    """200 with the picture as its body."""
    finish_reason = "CONTENT_FILTERED" if filtered else "SUCCESS"
    return web.Response(
        body=picture,
        content_type=media_type,
        headers={"seed": str(seed), "finish-reason": finish_reason, "x-request-id": uuid.uuid4().hex},
    )


def spoiled(response: web.Response, fault: Fault | None) -> web.Response:
    """What is sent in the place of a picture's answer."""
    match fault:
        case Fault.HTML | Fault.TIMED_OUT_PAGE:
            return page_response(fault)
        case Fault.JSON:
            return web.Response(body=error_response(500, (_WORDS[500],)).body, content_type="application/json")
        case Fault.NO_CONTENT:
            return web.Response(status=204)
        case Fault.EMPTY:
            response.body = b""
        case Fault.GZIP:
            response.headers["Content-Encoding"] = "gzip"
            response.body = gzip_bomb()
        case Fault.PIXELS:
            response.content_type = "image/png"
            response.body = pixel_bomb()
        case Fault.TRAILING:
            response.body = body_of(response) + TRAILING
        case Fault.WRONG_TYPE:
            response.content_type = "text/plain"
    return response


def body_of(response: web.Response) -> bytes:
    """The bytes that it would send."""
    return bytes(response.body) if isinstance(response.body, (bytes, bytearray)) else b""
