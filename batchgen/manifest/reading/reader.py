"""YAML -> a Document, by the rules of version 1.2.

YAML is read from PyYAML's event stream, not composed by it: depth and size are bounded before anything is built (its C
loader crashes on 50,000 nested brackets), and the values are those of YAML 1.2's core schema in place of 1.1's, where
`16:9` is 969 and `no` is false.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.reading.document import MOST_PROBLEMS, Document, dotted, is_prompt_text
from batchgen.manifest.reading.environment import expand, is_reference
from batchgen.manifest.reading.scalars import LEFT_OUT, NULL, StandIn, resolve
from batchgen.manifest.reading.syntax import character_problem, decode, place_of, syntax_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchgen.manifest.reading.document import Path

DEEPEST = 40
MOST_NODES = 100_000
MOST_LINES = 1_000_000

_BREAKS = "\n\r\x85\u2028\u2029"
_COMMENT = re.compile(r"[ \t]+#")
_STRING_TAGS = {None, "!", "tag:yaml.org,2002:str"}


def read(data: bytes, file: str, environment: Mapping[str, str]) -> Document:
    """Read a job's bytes; ManifestError says all that is wrong with them as YAML."""
    document = load(data, file, environment)
    if document.problems:
        raise document.error(document.problems)
    return document


def load(data: bytes, file: str, environment: Mapping[str, str]) -> Document:
    """The same, where the rest of the job is to be looked at too: a value that can't be read has a stand-in.

    The document's `problems` say what is wrong with such values.

    Raises:
        ManifestError: All that is wrong as YAML, where it can't be read to its end.
    """
    document = Document(file=file, source=decode(data, file))
    if sum(map(document.source.count, _BREAKS)) > MOST_LINES:
        cause, accepted = f"more than {MOST_LINES:,} lines", "remove empty ones, and put prompts into a data file"
        raise ManifestError(file, "", [Problem(line=1, column=1, path="", cause=cause, accepted=accepted)])
    try:
        _Reader(document, environment).read()
    except _TooMuch:
        pass
    except yaml.MarkedYAMLError as error:
        document.problems.append(syntax_problem(error, document.source))
    except yaml.reader.ReaderError as error:
        document.problems.append(character_problem(error, document.source))
    else:
        return document
    raise document.error(document.problems)


def _problem(mark: Any, path: Path, cause: str, accepted: str) -> Problem:
    place = place_of(mark)
    return Problem(line=place.line, column=place.column, path=dotted(path), cause=cause, accepted=accepted)


def _is_plain(event: Any) -> bool:
    """Is this a scalar without quotes and without a tag, whose value is found from its text?"""
    return isinstance(event, yaml.ScalarEvent) and not event.style and event.tag is None


class _TooMuch(Exception):  # noqa: N818 - it ends the reading, and never leaves this file
    pass


class _Reader:
    """Builds the values of one document from its events, depth and size bounded."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._events: Iterator[Any] = yaml.parse(document.source, Loader=yaml.CSafeLoader)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._idle: dict[str, tuple[Any, Path]] = {}  # anchors that no alias has named yet
        self._nodes = 0

    def read(self) -> None:
        """Fill the document; _TooMuch, or PyYAML's own error, where it can't be read to its end."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if self._document.places:
                    self._wrong(event, (), "a second document", "a job is one YAML document")
                    raise _TooMuch
                self._document.values = self._value(next(self._events), ())
        for anchor in self._idle:
            self._warn_of_idle(anchor)
        self._document.warnings.sort(key=lambda each: (each.line, each.column))

    def _wrong(self, event: Any, path: Path, cause: str, accepted: str = "") -> None:
        self._document.problems.append(_problem(event.start_mark, path, cause, accepted))
        if len(self._document.problems) >= MOST_PROBLEMS:
            raise _TooMuch

    def _count(self, event: Any, path: Path, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            self._wrong(event, (), f"more than {MOST_NODES:,} values, aliases counted", "put prompts into a data file")
        elif len(path) > DEEPEST:
            self._wrong(event, (), f"nested more than {DEEPEST} deep", "a job is flat: quote brackets in a prompt")
        else:
            return
        raise _TooMuch

    def _value(self, event: Any, path: Path) -> Any:
        self._count(event, path, 1)
        self._document.places[path] = place_of(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self._nodes
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        else:
            value = self._sequence(event, path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
            if event.tag not in _STRING_TAGS:
                self._wrong(event, path, *_no_tag(event))
                value = LEFT_OUT
        if event.anchor:
            self._warn_of_idle(event.anchor)
            self._anchors[event.anchor], self._idle[event.anchor] = (value, self._nodes - before + 1), (event, path)
        return value

    def _alias(self, event: Any, path: Path) -> Any:
        if event.anchor not in self._anchors:
            self._wrong(
                event,
                path,
                f"the alias *{event.anchor} stands before its anchor",
                f"define &{event.anchor} first, or quote a text that begins with *",
            )
            return LEFT_OUT
        self._idle.pop(event.anchor, None)
        value, nodes = self._anchors[event.anchor]
        self._count(event, path, nodes)
        return value

    def _sequence(self, event: Any, path: Path) -> list[Any]:
        values: list[Any] = []
        plain = 0
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            plain += _is_plain(item)
            values.append(self._value(item, (*path, len(values))))
        if path == ("prompts",) and event.flow_style and plain > 1:
            self._warn(
                event, path, f"read as {len(values)} prompts, cut at each comma", "quote a prompt that holds one"
            )
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                self._wrong(key, path, *_no_key(key, path))
                raise _TooMuch
            inner = (*path, key.value)
            if key.value in values:
                line = self._document.keys[inner].line
                self._wrong(key, inner, f"the key stands twice (first in line {line})", "keep one of them")
            self._document.keys[inner] = place_of(key.start_mark)
            value: Any = self._value(next(self._events), inner)
            if isinstance(value, dict) and isinstance(first := values.get(key.value), dict):
                value = {**first, **value}  # the key stands twice; none of the keys within seems missing
            values[key.value] = value
        return values

    def _scalar(self, event: Any, path: Path) -> Any:
        if event.tag not in _STRING_TAGS:
            return self._left_out(event, path, *_no_tag(event))
        text: str = event.value
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            return self._left_out(event, path, "text with NUL or half a surrogate pair", "remove it")
        plain = _is_plain(event)
        if is_prompt_text(path):
            if plain:
                self._warn_of_comment(event, path)
            left_out = plain and "negative_prompt" in path[-2:] and NULL.fullmatch(text)
            return None if left_out else text
        try:
            expanded = expand(text, self._environment)
        except ValueError as error:
            cause, _, accepted = str(error).partition("; ")
            return self._left_out(event, path, cause, accepted)
        return resolve(expanded) if plain or is_reference(text) else expanded  # "${N}" may be a number too

    def _left_out(self, event: Any, path: Path, cause: str, accepted: str) -> StandIn:
        self._wrong(event, path, cause, accepted)
        return LEFT_OUT

    def _warn(self, event: Any, path: Path, cause: str, accepted: str) -> None:
        if len(self._document.warnings) < MOST_PROBLEMS:
            found = _problem(event.start_mark, path, cause, accepted)
            self._document.warnings.append(replace(found, warning=True))

    def _warn_of_idle(self, anchor: str) -> None:
        """What YAML takes for an anchor is no part of the text that follows it."""
        if anchor in self._idle:
            event, path = self._idle[anchor]
            text = isinstance(event, yaml.ScalarEvent)
            remedy = "quote the text if & belongs to it" if text else "remove it"
            self._warn(event, path, f"&{anchor} is an anchor that nothing refers to", remedy)

    def _warn_of_comment(self, event: Any, path: Path) -> None:
        if _COMMENT.match(self._document.source, event.end_mark.index):
            self._warn(event, path, "what follows ' #' is a comment and no part of the text", "quote it to keep it")


def _no_tag(event: Any) -> tuple[str, str]:
    return f"the tag {event.tag} has no meaning in a job", "remove it, or quote a text that begins with !"


def _no_key(key: Any, path: Path) -> tuple[str, str]:
    """What is said of a key that is a list, a mapping or an alias."""
    if isinstance(key, yaml.MappingStartEvent) and key.flow_style:
        what = "a prompt" if is_prompt_text(path) else "a value"
        return "{{ begins a mapping in YAML", f"quote {what} that begins with {{{{"
    return "a key that is not text", "quote it if it begins with [ or *"
