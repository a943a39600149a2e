"""What is wrong with a text that is no YAML, in words that help: what its author most likely meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.reading.document import Place

if TYPE_CHECKING:
    import yaml

MOST_LOOKED_AT = 200
"""So much of a line that is no YAML is looked at for what its author meant."""

# A value's beginning and one of YAML's own characters there, at the end of what was understood of a line.
_MARKED = re.compile(r"(?:^|- |: |[\[,{])\s*(\{\{|[*&!@`%|>])[^\s,\]}]*\s?.?$")
_QUOTED = re.compile(r"(?:^|- |: |[\[,{])\s*(?:'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\")\s*$")


def decode(data: bytes, file: str) -> str:
    """A job's bytes as text; ManifestError where they are not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(
            line=data.count(b"\n", 0, error.start) + 1,
            column=1,
            path="",
            cause=f"byte 0x{data[error.start]:02x} is not UTF-8",
            accepted="save the job as UTF-8 text",
        )
        raise ManifestError(file, "", [problem]) from None


def syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    """What the parser stumbled over, and how to mend it."""
    place = place_of(error.problem_mark or error.context_mark)
    lines = source.splitlines()
    text = lines[place.line - 1] if place.line <= len(lines) else ""
    before = text[: place.column][-MOST_LOOKED_AT:]
    remedy = "see the examples in jobs/"
    if "\t" in text[: place.column + 1]:
        remedy = "indent with spaces"
    elif mark := _leading_mark(before):
        remedy = f"quote a text that begins with {mark}"
    elif "{{" in text or "${" in text:
        remedy = "put quotes around a value that holds {{ or ${"
    elif _QUOTED.search(before[:-1]):
        remedy = "quote the whole of a text, not its first words"
    elif ": " in text:
        remedy = "quote a text that holds ': '"
    cause = f"not YAML: {error.problem}"
    return Problem(line=place.line, column=place.column, path="", cause=cause, accepted=remedy)


def _leading_mark(text: str) -> str:
    """What YAML took for its own at the beginning of the value that `text` ends in; nothing if it took nothing."""
    match = _MARKED.search(text)
    return match[1] if match else ""


def character_problem(error: yaml.reader.ReaderError, source: str) -> Problem:
    """The character that YAML can't hold."""
    line = source.encode()[: error.position].count(b"\n") + 1  # libyaml counts bytes
    cause = f"the character {chr(error.character)!a} can't stand in YAML" if isinstance(error.character, int) else ""
    return Problem(line=line, column=1, path="", cause=cause or str(error.reason), accepted="remove or escape it")


def place_of(mark: Any) -> Place:
    """A mark of PyYAML as a place; the beginning where there is none."""
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
