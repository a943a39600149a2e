"""Data files: txt, csv, tsv, json and jsonl -> rows by column, held so compactly that a million take some 100 MB.

Cells are text; an empty cell is as if the row had no such column. A txt file is one column, `prompt`, a line a row.
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from batchgen.manifest.reading.scalars import MOST_DIGITS, shown
from batchgen.providers.capabilities import plain

Lines = Callable[[str], Iterator[str]]
"""Opens the file at a path of the job and gives its lines with their ends; ValueError says why it can't be read."""

KINDS = ("txt", "csv", "tsv", "json", "jsonl")
LONGEST_CELL = 1_000_000
_BLANKS = re.compile(r"[ \t\r\n]*")
_BETWEEN = "\x1f"  # ASCII's own unit separator; a cell that holds one is refused


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text cells, in one block of bytes."""

    file: str
    columns: tuple[str, ...]
    _cells: bytes
    _ends: array[int]
    _lines: array[int]

    def __len__(self) -> int:
        return len(self._ends)

    def row(self, number: int) -> list[str]:
        """The cells of a row, from 0, in the order of the columns."""
        start = self._ends[number - 1] if number else 0
        return self._cells[start : self._ends[number]].decode().split(_BETWEEN)

    def line(self, number: int) -> int:
        """The line of the file, from 1, in which a row begins or ends."""
        return self._lines[number]


class TableError(ValueError):
    """What is wrong with a data file, and in which line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def read_table(path: str, lines: Lines) -> Table:
    """The rows of a data file.

    Raises:
        TableError: The line, and "what is wrong; what is accepted".
        ValueError: The file can't be read.
    """
    kind = PurePosixPath(path).suffix.lstrip(".").lower()
    if kind not in KINDS:
        raise ValueError(f"{path} is no data file; accepted: {', '.join(KINDS)}")
    source = _without_mark(lines(path))
    if kind == "txt":
        return _table(path, ("prompt",), _text_rows(source))
    if kind in {"csv", "tsv"}:
        return _separated(path, source, "\t" if kind == "tsv" else ",")
    records = _json_lines(source) if kind == "jsonl" else _json_list(source)
    return _from_records(path, records)


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, "")
    yield first.removeprefix("\ufeff")
    yield from lines


def _table(file: str, columns: tuple[str, ...], rows: Iterable[tuple[int, list[str]]]) -> Table:
    cells = bytearray()
    ends, numbers = array("Q"), array("L")
    for line, row in rows:
        text = _BETWEEN.join(row)
        if text.count(_BETWEEN) != len(columns) - 1 or "\0" in text:
            raise TableError(line, "a control character in a cell; remove it")
        try:
            cells += text.encode()
        except UnicodeEncodeError:
            raise TableError(line, "half a surrogate pair in a cell; remove it") from None
        ends.append(len(cells))
        numbers.append(line)
    if not ends:
        raise TableError(1, "no rows; give it at least one")
    return Table(file, columns, bytes(cells), ends, numbers)


def _text_rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            yield number, [text]


def _separated(file: str, lines: Iterator[str], between: str) -> Table:
    reader = csv.reader(lines, delimiter=between, strict=True)
    csv.field_size_limit(LONGEST_CELL)
    try:
        columns = tuple(name.strip() for name in next(reader, []))
        _check_columns(columns)
        return _table(file, columns, _separated_rows(reader, len(columns)))
    except csv.Error as error:
        raise TableError(reader.line_num, f"not {file.rpartition('.')[2]}: {error}; check the quotes") from None


def _separated_rows(reader: Any, width: int) -> Iterator[tuple[int, list[str]]]:
    for row in reader:
        if len(row) == width:
            yield reader.line_num, row
        elif row:
            raise TableError(
                reader.line_num, f"{len(row)} cells where the header has {width}; quote a cell with commas"
            )


def _check_columns(columns: tuple[str, ...]) -> None:
    if not any(columns):
        raise TableError(1, "no header; the first line names the columns")
    for number, name in enumerate(columns):
        if not name or name in columns[:number]:
            raise TableError(
                1, f"column {number + 1} has {'no name' if not name else 'the name of another'}; rename it"
            )


def _json_lines(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line, parse_float=Decimal, object_pairs_hook=_object)
            except _StandsTwice as error:
                raise TableError(number, str(error)) from None
            except (ValueError, RecursionError) as error:
                raise TableError(number, f"not JSON: {error}; each line is one object or one text") from None


def _json_list(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    text = "".join(lines)
    try:
        records = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise TableError(line, f"not JSON: {error}; the file is one list of objects or texts") from None
    if not isinstance(records, list):
        raise TableError(1, "not a list; the file is one list of objects or texts")
    return zip(_record_lines(text, len(records)), records, strict=True)


def _record_lines(text: str, records: int) -> Iterator[int]:
    """The line in which each record of a list begins; TableError for one that has a key twice."""
    decoder = json.JSONDecoder(parse_float=Decimal, object_pairs_hook=_object)
    line, last, place = 1, 0, text.index("[") + 1
    for _ in range(records):
        place = _after_blanks(text, place)
        line, last = line + text.count("\n", last, place), place
        yield line
        try:
            _, end = decoder.raw_decode(text, place)
        except _StandsTwice as error:
            raise TableError(line, str(error)) from None
        place = _after_blanks(text, end) + 1  # a comma follows


class _StandsTwice(Exception):  # noqa: N818 - it never leaves this file
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A record; json itself would let the last of two equal keys win."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise _StandsTwice(f"the key {shown(name)} stands twice in one record; keep one of them")
    return found


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _from_records(file: str, records: Iterable[tuple[int, Any]]) -> Table:
    rows: list[tuple[int, dict[str, str]]] = []
    columns: dict[str, None] = {}
    for number, record in records:
        cells = {"prompt": record} if isinstance(record, str) else record
        if not isinstance(cells, dict):
            raise TableError(number, 'neither an object nor a text; accepted: {"prompt": …} or "…"')
        if "" in cells:
            raise TableError(number, "a key without a name; rename it")
        row = {name: _cell(number, name, value) for name, value in cells.items() if value is not None}
        columns.update(dict.fromkeys(row))
        rows.append((number, row))
    names = tuple(columns)
    if rows and not names:
        raise TableError(1, "records without a value; give each a prompt")
    return _table(file, names, ((number, [row.get(name, "") for name in names]) for number, row in rows))


def _cell(number: int, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        if abs(Decimal(value).adjusted()) > MOST_DIGITS:
            raise TableError(number, f"{name}: a number beyond all sizes; quote it if it is text")
        return plain(Decimal(value))
    raise TableError(number, f"{name}: neither text nor a number; accepted: one value a key")
