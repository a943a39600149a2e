"""Where a picture goes: a template of tokens that gives a safe name on any common file system, whatever the prompt."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from batchgen.manifest.identity import short_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchgen.model import Task

FIELD_TOKENS = ("model", "aspect_ratio", "seed", "strength", "style_preset")
TOKENS = frozenset({*FIELD_TOKENS, "name", "prompt_id", "prompt_slug", "repeat", "index", "id", "ext", "date", "run"})
ID_ENOUGH = 10
"""Characters of an id, of 5 bits each, that tell a hundred million tasks apart with near certainty."""

DEFAULT = "{prompt_slug}/{seed}-{id:12}.{ext}"
DEFAULT_SPLIT = "{prompt_slug}/{id:2}/{seed}-{id:12}.{ext}"
SPLIT_ABOVE = 2_000
"""A prompt with more tasks than this gets folders by the first two characters of the id."""

MOST_PART_BYTES = 120
MOST_PARTS = 16
"""With these a path is far shorter than a file system allows, whatever its output folder."""
_TOKEN = re.compile(r"\{([^{}]*)\}")
_VARIABLE = re.compile(r"vars\.[A-Za-z_][A-Za-z0-9_-]*")
_RATIO = re.compile(r"(?<=\d):(?=\d)")
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\..*)?")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,2}|[A-Za-z0-9_-]{5,120}")
"""Names that are safe as they are; a device's name has three or four characters."""
_PLAIN_PATH = re.compile(rf"(?:{_PLAIN.pattern})(?:/(?:{_PLAIN.pattern}))*")


@dataclass(frozen=True)
class PathTemplate:
    """A checked `output.path`, without its extension."""

    parts: tuple[tuple[str | tuple[str, int | None], ...], ...]
    """For each part of the path its pieces: literal text, or a token and how many of its characters to take."""

    @classmethod
    def read(cls, text: str) -> PathTemplate:
        """Check a template; ValueError says what is wrong with it and what is accepted."""
        stem = text.removesuffix(".{ext}")
        parts = stem.split("/")
        if stem == text:
            raise ValueError("a path ends with .{ext}; the bytes decide whether that is png, jpg or webp")
        if any(part in {"", ".", ".."} for part in parts):
            raise ValueError("a path stays below the output folder; use a/b, without a leading /, an empty part or ..")
        if len(parts) > MOST_PARTS:
            raise ValueError(f"{len(parts)} parts between slashes; accepted: at most {MOST_PARTS}")
        if re.search(r"[{}\\\x00-\x1f]", _TOKEN.sub("", stem)):
            raise ValueError("a stray brace, backslash or control; tokens are written {seed} or {id:12}")
        return cls(tuple(_pieces(part) for part in parts))

    @property
    def tells_apart(self) -> bool:
        """Does it hold enough of the id that two different tasks never share a path?"""
        tokens = [piece for part in self.parts for piece in part if isinstance(piece, tuple)]
        return any(name == "id" and (width is None or width >= ID_ENOUGH) for name, width in tokens)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables that it names, as {vars.NAME}."""
        names = (piece[0] for part in self.parts for piece in part if isinstance(piece, tuple))
        return tuple(name.removeprefix("vars.") for name in names if name.startswith("vars."))

    @cached_property
    def _format(self) -> str:
        """The template as Python's own % formatting takes it."""
        return "/".join("".join(_formatted(piece) for piece in part) for part in self.parts)

    def filled(self, tokens: Mapping[str, object]) -> str:
        """The path with each token's text in its place."""
        plain = self._format % tokens
        if plain.count("/") == len(self.parts) - 1 and _PLAIN_PATH.fullmatch(plain):
            return plain
        return "/".join(safe_name("".join(_filled(piece, tokens) for piece in part)) for part in self.parts)


@dataclass(frozen=True)
class Placement:
    """Where the tasks of an entry go."""

    template: PathTemplate
    defaults: Mapping[str, str]
    """Tokens that a task may have no value for, by name."""

    def __call__(self, task: Task) -> str:
        """The path of one task, without its extension."""
        return self.template.filled(
            {
                **self.defaults,
                **task.fields,
                "id": task.id,
                "prompt_id": task.prompt_id,
                "prompt_slug": task.prompt_slug,
                "repeat": task.repeat,
                "index": task.index,
                **{f"vars.{name}": task.variables.get(name, "none") for name in self.template.variables},
            }
        )


def _formatted(piece: str | tuple[str, int | None]) -> str:
    if isinstance(piece, str):
        return piece.replace("%", "%%")
    name, width = piece
    return f"%({name})s" if width is None else f"%({name}).{width}s"


def _filled(piece: str | tuple[str, int | None], tokens: Mapping[str, object]) -> str:
    return piece if isinstance(piece, str) else _RATIO.sub("x", str(tokens[piece[0]]))[: piece[1]]


def _pieces(part: str) -> tuple[str | tuple[str, int | None], ...]:
    pieces: list[str | tuple[str, int | None]] = []
    for number, text in enumerate(_TOKEN.split(part)):
        if number % 2:
            pieces.append(_token(text))
        elif text:
            pieces.append(text)
    return tuple(pieces)


def _token(text: str) -> tuple[str, int | None]:
    name, _, width = text.partition(":")
    if name == "ext" or not (name in TOKENS or _VARIABLE.fullmatch(name)):
        known = ", ".join(sorted(TOKENS))
        raise ValueError(f"unknown token {{{text}}}; accepted: {known}, vars.NAME, and .{{ext}} at the end")
    if width and not (width.isascii() and width.isdigit() and 0 < int(width) <= MOST_PART_BYTES):
        raise ValueError(
            f"{{{text}}}: no such width; the number after : is how many characters to take, such as {{id:12}}"
        )
    return name, int(width) if width else None


def safe_name(text: str) -> str:
    """One part of a path: no separators, controls, reserved device names, leading dots or trailing dots and spaces."""
    if _PLAIN.fullmatch(text):
        return text
    shown = "".join(char for char in _UNSAFE.sub("-", text) if not _steers(unicodedata.category(char)))
    name = unicodedata.normalize("NFC", shown).strip(" .")
    if len(name.encode()) > MOST_PART_BYTES:
        kept = name.encode()[: MOST_PART_BYTES - 7].decode(errors="ignore")
        name = f"{kept}-{short_digest(text)[:6]}"  # two long names that begin alike stay two
    if not name:
        return "_"
    if name.lower().endswith(".json"):
        name += "_"  # `fox.json.part` is the sidecar's of `fox` until it is whole
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _steers(category: str) -> bool:
    """Controls, bidi marks and the like, and ends of lines and paragraphs."""
    return category[0] == "C" or category in {"Zl", "Zp"}


def slug(text: str, most: int = 40) -> str:
    """A few words of a prompt as a folder's name: lower-case ASCII letters and digits joined by hyphens."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = ""
    for word in re.finditer(r"[a-z0-9]+", plain.lower()):
        longer = f"{kept}-{word[0]}" if kept else word[0][:most]
        if len(longer) > most:
            break
        kept = longer
    return kept or "prompt"


def folded(stem: str) -> str:
    """A stem as the least telling file system sees it: two stems that fold to one can't both be kept."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())
