"""What goes back: pictures, and errors as the API words them."""

import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

# Status -> the name that the API gives it.
NAMES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    500: "internal_error",
}


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The request ends here, with the error body of this status."""

    def __init__(self, status: int, *errors: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.errors = errors
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The documented error: `{"id", "name", "errors"}`."""
        return error_response(self.status, self.errors, self.headers)


def error_response(status: int, errors: tuple[str, ...], headers: Mapping[str, str]) -> web.Response:
    """One error body, under an id of its own."""
    request_id = uuid.uuid4().hex
    body: dict[str, Any] = {"id": request_id, "name": NAMES.get(status, "error"), "errors": list(errors)}
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/json",
        headers={**headers, "x-request-id": request_id},
    )


def throttled(wait_s: float | None) -> Refusal:
    """429; with Retry-After when the wait is given."""
    headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
    return Refusal(429, "You have made too many requests in a short time; slow down.", headers=headers)


def picture_response(picture: bytes, media_type: str, seed: int) -> web.Response:
    """200 with the picture as its body."""
    return web.Response(
        body=picture,
        content_type=media_type,
        headers={"seed": str(seed), "finish-reason": "SUCCESS", "x-request-id": uuid.uuid4().hex},
    )
