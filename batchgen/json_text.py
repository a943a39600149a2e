"""JSON as it is written for each picture: in a fifteenth of the standard library's time."""

from __future__ import annotations

import json
from typing import Any

import orjson


def json_bytes(value: Any) -> bytes:
    """In one line of UTF-8; half a surrogate pair, as of a header that is no UTF-8, becomes its escape."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")
