"""API keys: read from a named environment variable or the file that `<NAME>_FILE` names, and shown nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.model import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

SANDBOX_KEY = Secret("sandbox")


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


def _read_file(path: Path, variable: str) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path} ({variable}_FILE) can be read by others; chmod 600 {path}")
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"{path} ({variable}_FILE) can't be read: {reason}; give a file that holds the key") from None


def _checked(key: str, place: str) -> Secret:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"{place} holds no API key; a key is one word of ASCII characters")
    return Secret(key)
