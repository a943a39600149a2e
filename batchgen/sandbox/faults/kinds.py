"""Every way in which the sandbox can fail to answer well: its name, whether it is billed, and what it is."""

from enum import StrEnum
from typing import Self


class Fault(StrEnum):
    """What the sandbox can do instead of answering well: name, `billed`, `meaning`.

    What is billed was painted: the picture exists, whatever becomes of it on its way.
    """

    billed: bool
    meaning: str

    def __new__(cls, name: str, billed: bool, meaning: str) -> Self:  # noqa: FBT001 - a column of the table below
        """One row of the table."""
        row = str.__new__(cls, name)
        row._value_ = name
        row.billed = billed
        row.meaning = meaning
        return row

    # Refused in the API's own error JSON.
    BAD_REQUEST = "400", False, "error JSON: bad_request"
    UNAUTHORIZED = "401", False, "error JSON: unauthorized"
    NO_CREDIT = "402", False, "error JSON: payment_required"
    FORBIDDEN = "403", False, "error JSON: forbidden, an account's 403"
    MODERATED = "moderated", False, "403 and error JSON: content_moderation, a prompt's 403"
    NOT_FOUND = "404", False, "error JSON: not_found"
    NOT_ALLOWED = "405", False, "error JSON: method_not_allowed"
    TOO_LARGE = "413", False, "error JSON: payload_too_large"
    INVALID_LANGUAGE = "422", False, "error JSON: invalid_language"
    THROTTLED = "429", False, "error JSON: rate_limit_exceeded, though the limit was kept"
    INTERNAL = "500", False, "error JSON: internal_error"
    BAD_GATEWAY = "502", False, "error JSON: bad_gateway"
    UNAVAILABLE = "503", False, "error JSON: service_unavailable"
    TIMED_OUT = "504", False, "error JSON: gateway_timeout"
    OVERLOADED = "529", False, "error JSON: overloaded"

    # Refused by a proxy in front.
    INTERNAL_PAGE = "500-html", False, "500 with a page of HTML"
    BAD_GATEWAY_PAGE = "502-html", False, "502 with a page of HTML: the proxy found no server"
    UNAVAILABLE_PAGE = "503-html", False, "503 with a page of HTML"
    TIMED_OUT_PAGE = "504-html", True, "504 with a page of HTML: the proxy gave up, the picture was made"
    OVERLOADED_PAGE = "529-html", False, "529 with a page of HTML"
    REDIRECT = "redirect", False, "307 to another host, the one of --redirect-to"
    REDIRECT_SAME = "redirect-same", False, "307 to another path of this host"

    # The connection fails.
    RESET_FIRST = "reset-first", False, "the connection is reset before the request is read"
    RESET = "reset", False, "the connection is reset in place of an answer"
    RESET_BODY = "reset-body", True, "the connection is reset half way through the picture"
    DROP = "drop", True, "the connection is closed in place of an answer"
    HANG = "hang", False, "the connection stays open, and there is no answer"
    STALL = "stall", True, "half of the picture comes, then nothing, and the connection stays open"
    CUT = "cut", True, "half of the picture comes, the whole was promised by Content-Length"
    CUT_CLOSE = "cut-close", True, "half of the picture comes, and only the connection's end ends it"
    CUT_CHUNKED = "cut-chunked", True, "half of the picture comes in chunks, the last chunk does not"
    TRICKLE = "trickle", True, "the picture comes at one byte every 0.4 s"
    SLOW = "slow", True, "the picture comes at 256 bytes a second"
    ENDLESS = "endless", True, "the picture comes and bytes go on after it, up to 1 GiB"

    # A 200 that brings no picture.
    HTML = "html", True, "200 with a page of HTML"
    JSON = "json", True, "200 with error JSON"
    EMPTY = "empty", True, "200 with a body of no bytes"
    NO_CONTENT = "204", True, "204 with no body"
    GZIP = "gzip", True, "200 with Content-Encoding: gzip, 1 GiB once decompressed"
    PIXELS = "pixels", True, "200 with a PNG that claims 60000x60000 pixels"
    TRAILING = "trailing", True, "200 with bytes after the picture's end"

    # A whole picture, but not as asked.
    WRONG_TYPE = "wrong-type", True, "the picture as Content-Type: text/plain"
    OTHER_FORMAT = "other-format", True, "the picture as jpeg in place of png, or the other way round"
    WEBP = "webp", True, "the picture as webp"
    FILTERED = "filtered", True, "the picture blurred, with finish-reason: CONTENT_FILTERED"


UNANSWERED = frozenset({Fault.RESET_FIRST, Fault.RESET, Fault.DROP, Fault.HANG})
"""Not even a status line comes."""

WHOLE = frozenset(
    {Fault.WRONG_TYPE, Fault.OTHER_FORMAT, Fault.WEBP, Fault.FILTERED, Fault.TRICKLE, Fault.SLOW},
)
"""A whole picture arrives at a client that waits for it."""

REFUSALS = {
    Fault.BAD_REQUEST: 400,
    Fault.UNAUTHORIZED: 401,
    Fault.NO_CREDIT: 402,
    Fault.FORBIDDEN: 403,
    Fault.MODERATED: 403,
    Fault.NOT_FOUND: 404,
    Fault.NOT_ALLOWED: 405,
    Fault.TOO_LARGE: 413,
    Fault.INVALID_LANGUAGE: 422,
    Fault.THROTTLED: 429,
    Fault.INTERNAL: 500,
    Fault.BAD_GATEWAY: 502,
    Fault.UNAVAILABLE: 503,
    Fault.TIMED_OUT: 504,
    Fault.OVERLOADED: 529,
}
"""Those that are error JSON, and their status."""

PAGES = {
    Fault.INTERNAL_PAGE: 500,
    Fault.BAD_GATEWAY_PAGE: 502,
    Fault.UNAVAILABLE_PAGE: 503,
    Fault.TIMED_OUT_PAGE: 504,
    Fault.OVERLOADED_PAGE: 529,
    Fault.HTML: 200,
}
"""Those that are a page of HTML, and their status."""
