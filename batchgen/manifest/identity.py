"""What makes two tasks the same: the digest of the request as it will be sent.

This is fixed for good: any change here would buy every picture ever made again. The id is the first 128 bits of SHA-256
over canonical JSON (sorted keys, no spaces, UTF-8), as 26 characters of lower-case base32:

    {"fields":{"model":"sd3-large","prompt":"a fox","seed":"7"},"image":null,"provider":"gateway","repeat":0}

`fields` are all form fields as text, `image` is the SHA-256 of the input image in hexadecimal. Position, names, paths
and the date are no part of it.
"""

from __future__ import annotations

import json
from base64 import b32encode
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def canonical(value: object) -> str:
    """JSON in its one form: sorted keys, no spaces, characters as they are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def task_id(*, provider: str, fields: Mapping[str, str], image_sha256: str | None, repeat: int) -> str:
    """The id of a task, 26 characters of a-z and 2-7."""
    request = {"provider": provider, "fields": dict(fields), "image": image_sha256, "repeat": repeat}
    return short_digest(canonical(request))


def short_digest(text: str) -> str:
    """The first 128 bits of a text's SHA-256, as 26 characters of lower-case base32."""
    return b32encode(sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()
