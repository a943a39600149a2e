"""What makes two tasks the same: the digest of the request as it will be sent.

This is fixed for good: any change here would buy every picture ever made again. The id is the first 128 bits of SHA-256
over canonical JSON (sorted keys, no spaces, UTF-8), as 26 characters of lower-case base32:

    {"fields":{"model":"sd3-large","prompt":"a fox","seed":"7"},"image":null,"provider":"gateway","repeat":0}

`fields` are all form fields as text, `image` is the SHA-256 of the input image in hexadecimal. Position, names, paths
and the date are no part of it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def canonical(value: object) -> str:
    """JSON in its one form: sorted keys, no spaces, characters as they are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def task_id(*, provider: str, fields: Mapping[str, str], image_sha256: str | None, repeat: int) -> str:
    """The id of a task, 26 characters of a-z and 2-7."""
    # The canonical form put together by hand, which is several times as fast; a test holds it to `canonical`.
    sent = ",".join([quoted_name + _quoted(fields[name]) for name, quoted_name in _in_order(tuple(fields))])
    image = "null" if image_sha256 is None else _quoted(image_sha256)
    return short_digest(f'{{"fields":{{{sent}}},"image":{image},"provider":{_quoted(provider)},"repeat":{repeat}}}')


@lru_cache(maxsize=256)
def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{_quoted(name)}:") for name in sorted(names))


def short_digest(text: str) -> str:
    """The first 128 bits of a text's SHA-256, as 26 characters of lower-case base32 (RFC 4648, without padding)."""
    number = int.from_bytes(sha256(text.encode()).digest()[:16]) << 2  # 130 bits: 26 characters of 5
    return "".join([_TRIPLES[number >> shift & 0x7FFF] for shift in _SHIFTS]) + _PAIRS[number & 0x3FF]


# Looked up by twos and threes, since base64.b32encode takes several times as long as the digest.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TRIPLES = [pair + third for pair in _PAIRS for third in _ALPHABET]
_SHIFTS = range(115, 0, -15)
