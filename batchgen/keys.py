"""API keys: read from a named environment variable or the file that `<NAME>_FILE` names, and shown nowhere.

What a server says, and a report of a bug, is searched for the key before it is kept: in its own spelling and in the
escapes of JSON, urls, HTML and Python, since a server may echo it in any of these.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from functools import lru_cache
from html.entities import html5
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchgen.errors import UsageError, one_line
from batchgen.model import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

SANDBOX_KEY = Secret("sandbox")

MOST_CHARACTERS: Final = 4096
"""A whole request's headers have 8 KiB at many servers; no key is nearly so long."""
HIDDEN: Final = "***"

_given: Final[dict[str, Secret]] = {}
"""Every key that this process has read, by its text: what `hide_all` looks for."""


def read_key(variable: str, environment: Mapping[str, str]) -> Secret:
    """The key that `variable` holds, or the file that `<variable>_FILE` names; UsageError says how to give one."""
    if file := environment.get(f"{variable}_FILE"):
        return _checked(_read_file(Path(file), variable), f"the file of {variable}_FILE")
    if key := environment.get(variable, "").strip():
        return _checked(key, variable)
    raise UsageError(
        f"no API key: the environment variable {variable} is not set; "
        f"set it (export {variable}=...), or rehearse with --provider sandbox, which needs none"
    )


def hide(key: Secret, text: str) -> str:
    """The text with `***` wherever the key stands in it, as itself or escaped."""
    if "\\" not in text and "%" not in text and "&" not in text:  # with which every escape begins; as nearly every text
        return text.replace(key.reveal(), HIDDEN)
    return _spellings(key.reveal()).sub(HIDDEN, text)


def hide_all(text: str) -> str:
    """The text without any key that this process has read."""
    for key in _given.values():
        text = hide(key, text)
    return text


class HidesKeys(logging.Filter):
    """For a log's handler: what it writes holds no key, neither in a message nor in a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes, its text made and searched already."""
        record.msg, record.args = hide_all(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = record.exc_text and hide_all(record.exc_text)
        record.stack_info = record.stack_info and hide_all(record.stack_info)
        return True


def _read_file(path: Path, variable: str) -> str:
    """What the file holds, without the blanks and line ends around it."""
    place = f"{one_line(str(path), 300)} ({variable}_FILE)"
    try:
        with open(path, "rb", opener=_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise UsageError(f"{place} is not a regular file; give a file that holds the key")
            if mode & 0o077:
                raise UsageError(f"{place} can be read by others; chmod 600 {one_line(str(path), 300)}")
            content = file.read(MOST_CHARACTERS + 3)  # a line's end, and one more to tell that there is more
    except (OSError, ValueError) as error:  # the latter: a path with a NUL
        reason = (isinstance(error, OSError) and error.strerror) or "no path"
        raise UsageError(f"{place} can't be read: {reason}; give a file that holds the key") from None
    return content.decode("latin-1").strip()


def _at_once(path: str, flags: int) -> int:
    """Without waiting for whoever may write to a pipe: what it is, is looked at once it is open."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _checked(key: str, place: str) -> Secret:
    """The key as a secret, if it can stand in a header."""
    if not key or not key.isascii() or not key.isprintable() or " " in key or len(key) > MOST_CHARACTERS:
        raise UsageError(f"{place} holds no API key; a key is one word of at most {MOST_CHARACTERS:,} ASCII characters")
    return _given.setdefault(key, Secret(key))


@lru_cache(maxsize=16)
def _spellings(key: str) -> re.Pattern[str]:
    return re.compile("".join(map(_spelled, key)))


@lru_cache(maxsize=128)
def _spelled(char: str) -> str:
    """Every way to write one character, three times over: as it is, behind backslashes, by its number, by its name."""
    number = ord(char)
    ways = [
        re.escape(char) if char.isalnum() else rf"\\{{0,7}}{re.escape(char)}",
        rf"\\{{1,8}}(?:u00|x)(?i:{number:02x})",
        rf"%(?:25)?(?i:{number:02x})",
        rf"&#(?:0{{0,5}}{number}|[xX]0{{0,4}}(?i:{number:02x}));",
    ]
    ways += [f"&{name}" for name, named in html5.items() if named == char and name.endswith(";")]
    return f"(?:{'|'.join(ways)})"
