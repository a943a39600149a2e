"""Where a picture goes: a template of tokens that gives a safe name on any common file system, whatever the prompt."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchgen.manifest.identity import short_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD_TOKENS = ("model", "aspect_ratio", "seed", "strength", "style_preset")
TOKENS = frozenset({*FIELD_TOKENS, "name", "prompt_id", "prompt_slug", "repeat", "index", "id", "ext", "date", "run"})
DEFAULT = "{prompt_slug}/{seed}-{id:12}.{ext}"
DEFAULT_SPLIT = "{prompt_slug}/{id:2}/{seed}-{id:12}.{ext}"
SPLIT_ABOVE = 2_000
"""A prompt with more tasks than this gets folders by the first two characters of the id."""

MOST_PART_BYTES = 120
_TOKEN = re.compile(r"\{([^{}]*)\}")
_RATIO = re.compile(r"(?<=\d):(?=\d)")
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A checked `output.path`, without its extension; `/` between its parts."""

    parts: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> PathTemplate:
        """Check a template; ValueError says what is wrong with it and what is accepted."""
        stem = text.removesuffix(".{ext}")
        parts = tuple(stem.split("/"))
        if stem == text:
            raise ValueError("a path ends with .{ext}; the bytes decide whether that is png, jpg or webp")
        if any(part in {"", ".", ".."} for part in parts):
            raise ValueError("a path stays below the output folder; use a/b, without a leading /, an empty part or ..")
        for token in _TOKEN.findall(stem):
            _check_token(token)
        if re.search(r"[{}\\\x00-\x1f]", _TOKEN.sub("", stem)):
            raise ValueError("a stray brace, backslash or control; tokens are written {seed} or {id:12}")
        return cls(parts)

    def stem(self, values: Mapping[str, str]) -> str:
        """The path for one task, `values` by token."""
        return "/".join(safe_name(_TOKEN.sub(lambda match: _value(match[1], values), part)) for part in self.parts)


def _check_token(token: str) -> None:
    name, _, width = token.partition(":")
    if name == "ext" or (name not in TOKENS):
        raise ValueError(f"unknown token {{{token}}}; accepted: {', '.join(sorted(TOKENS))}, and .{{ext}} at the end")
    if width and not (width.isascii() and width.isdigit() and 0 < int(width) <= MOST_PART_BYTES):
        raise ValueError(f"{{{token}}}: the number after : is how many characters to take, such as {{id:12}}")


def _value(token: str, values: Mapping[str, str]) -> str:
    name, _, width = token.partition(":")
    text = _RATIO.sub("x", values[name])
    return text[: int(width)] if width else text


def safe_name(text: str) -> str:
    """One part of a path: no separators, controls, reserved device names, leading dots or trailing dots and spaces."""
    name = unicodedata.normalize("NFC", _UNSAFE.sub("-", text))
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip(" .")
    if len(name.encode()) > MOST_PART_BYTES:
        kept = name.encode()[: MOST_PART_BYTES - 7].decode(errors="ignore")
        name = f"{kept}-{short_digest(text)[:6]}"  # two long names that begin alike stay two
    if not name:
        return "_"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def slug(text: str, most: int = 40) -> str:
    """A few words of a prompt as a folder's name: lower-case ASCII letters and digits joined by hyphens."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", ascii_text)
    kept = ""
    for word in words:
        longer = f"{kept}-{word}" if kept else word[:most]
        if len(longer) > most:
            break
        kept = longer
    return kept or "prompt"


def folded(stem: str) -> str:
    """A stem as the least telling file system sees it: two stems that fold to one can't both be kept."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())
