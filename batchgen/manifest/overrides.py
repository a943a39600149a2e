"""`--set key=value`: a value of the job given on the command line, in the place of the job's own."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

from batchgen.errors import ManifestError, UsageError
from batchgen.manifest.reading.document import Place, is_prompt_text
from batchgen.manifest.reading.reader import read
from batchgen.manifest.sources import PLURALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.manifest.reading.document import Document, Path


def override(document: Document, settings: Sequence[str]) -> None:
    """Put each `a.b=value` into the document, its value read as YAML; UsageError says which can't be put there."""
    for setting in settings:
        key, sign, text = setting.partition("=")
        parts = key.strip().split(".")
        if not sign or not all(parts):
            raise UsageError(f"--set {setting}: no key=value; accepted: such as defaults.model=sd-core or seed_root=7")
        _put(document, parts, _value(setting, text))


def _value(setting: str, text: str) -> Any:
    try:
        literal = text.replace("$", "$$")  # the shell has looked at it already
        values = read(f"set: {literal}\n".encode(), f"--set {setting}", {}).values
    except ManifestError as error:
        raise UsageError(
            f"--set {setting}: {error.problems[0].cause}; the value is YAML, such as 7, [1, 2] or 1..4"
        ) from None
    if values.keys() != {"set"}:
        raise UsageError(f"--set {setting}: more than one value; give --set once for each")
    return values["set"]


def _put(document: Document, parts: list[str], value: Any) -> None:
    inner: Any = document.values
    for number, part in enumerate(parts[:-1]):
        inner = _step(inner, part, ".".join(parts[: number + 1]))
        above = tuple(int(each) if each.isdigit() else each for each in parts[: number + 1])
        document.places.setdefault(above, Place(0, 0))
        document.keys.setdefault(above, Place(0, 0))
    last: Any = int(parts[-1]) if isinstance(inner, list) and parts[-1].isdigit() else parts[-1]
    if isinstance(inner, list) and not (isinstance(last, int) and last < len(inner)):
        raise UsageError(f"--set {'.'.join(parts)}: no such entry; the list has {len(inner)}, counted from 0")
    if not isinstance(inner, list | dict):
        raise UsageError(f"--set {'.'.join(parts)}: nothing to set there; the job has a single value in its place")
    if isinstance(inner, dict) and _holds_fields(parts[:-1]):
        for spelling in _spellings(last):
            inner.pop(spelling, None)
    inner[last] = value
    path = tuple(int(part) if part.isdigit() else part for part in parts)
    for places in (document.places, document.keys):
        for old in [each for each in places if each[: len(path)] == path]:
            del places[old]  # what stood there before
    document.places[path] = document.keys[path] = Place(0, 0)


def _holds_fields(parents: list[str]) -> bool:
    """Are the keys under these the names of fields?"""
    if not parents:
        return False
    return parents[-1] in {"defaults", "sweep"} or (parents[0] in {"presets", "prompts", "tasks"} and len(parents) == 2)


def _spellings(key: str) -> list[str]:
    """Other spellings of the axis that `key` names: what is set takes their place."""
    name = PLURALS.get(key, key)
    return [each for each in (name, *(plural for plural in PLURALS if PLURALS[plural] == name)) if each != key]


def _step(inner: Any, part: str, shown: str) -> Any:
    if isinstance(inner, dict):
        return inner.setdefault(part, {})
    if isinstance(inner, list) and part.isdigit() and int(part) < len(inner):
        return inner[int(part)]
    raise UsageError(f"--set {shown}: there is no such place in the job; name keys and, in lists, numbers from 0")


def effective(document: Document, data: bytes, provider: str | None, settings: Sequence[str]) -> bytes:
    """The job as it is run: its own text, or, where the command line changed it, its values written out again."""
    if provider is None and not settings:
        return data
    values = dict(document.values)
    if provider is not None:
        values["provider"] = _with_kind(values.get("provider"), provider)
    told = [*(["--provider", provider] if provider else []), *(f"--set {setting}" for setting in settings)]
    head = f"# {document.file} as run with {' '.join(told)}\n".encode("utf-8", "replace")
    return head + yaml.safe_dump(_plain(values), allow_unicode=True, sort_keys=False).encode()


def _with_kind(given: Any, kind: str) -> Any:
    """The job's provider settings under another kind: its url and key are the other kind's own."""
    if not isinstance(given, dict) or given.get("kind", "gateway") == kind:
        return {**given, "kind": kind} if isinstance(given, dict) else kind
    return {**{key: value for key, value in given.items() if key not in {"url", "api_key_env"}}, "kind": kind}


def _plain(value: Any, path: Path = ()) -> Any:
    """Values that YAML writes and that are read again as they are; a dollar outside of prompts is doubled."""
    if isinstance(value, dict):
        return {key: _plain(each, (*path, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, (*path, number)) for number, each in enumerate(value)]
    if isinstance(value, Decimal):
        return float(value)
    return value.replace("$", "$$") if isinstance(value, str) and not is_prompt_text(path) else value
