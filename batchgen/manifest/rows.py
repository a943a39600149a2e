"""The rows of a data file as an entry's rows: each pins what its cells say, and rows that pin alike share a case."""

from __future__ import annotations

from array import array
from collections import Counter
from functools import cached_property
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING

from batchgen.manifest.axes import Column, Variable, accepted, pinned
from batchgen.manifest.checks import DECIDING
from batchgen.manifest.paths import slug
from batchgen.manifest.prompts import Pins
from batchgen.manifest.reading.document import RowPlace
from batchgen.manifest.reading.scalars import resolve, shown
from batchgen.manifest.template import names
from batchgen.providers.capabilities import Number, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchgen.manifest.axes import Reads
    from batchgen.manifest.prompts import Case
    from batchgen.manifest.reading.document import Path
    from batchgen.manifest.reading.problems import Problems
    from batchgen.manifest.reading.table import Table
    from batchgen.providers.capabilities import Parameter

_PAIRS = ["".join(pair) for pair in product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)]
TEXTS = ("prompt", "negative_prompt")
_Kind = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, ...], ...], bool]
"""What a row pins, and the values that decide; the variables of its texts; has it a prompt of its own?"""


class TableRows:
    """A data file's rows; filled once, then only read."""

    def __init__(
        self,
        table: Table,
        parameters: Mapping[str, Parameter],
        text: str | None,
        deciding: set[str],
        text_path: Path | None = None,
    ) -> None:
        self._table = table
        self._text = text
        self._text_path = text_path
        self._prompt_column = table.columns.index("prompt") if "prompt" in table.columns else None
        self._reads: dict[str, Reads] = {
            name: parameters.get(name) or Variable(name=name) for name in table.columns if name != "id"
        }
        self._numbers = [name for name, reads in self._reads.items() if isinstance(reads, Whole | Number)]
        self._deciding = frozenset({*deciding, *DECIDING})
        self._cases: dict[_Kind, Case] = {}
        self._of_case: Counter[Case] = Counter()
        self.ends = array("Q")
        self.text_hashes = array("q")

    def __len__(self) -> int:
        return len(self._table)

    def cases(self) -> Mapping[Case, int]:
        """The different cases, and how many rows are of each."""
        return self._of_case

    def case(self, number: int) -> Case:
        """What the row's combinations are."""
        return self._cases[self._kind(self._cells(number))]

    def row(self, number: int) -> tuple[Case, Pins]:
        """What the row's combinations are, and what it says itself."""
        values = self._cells(number)
        case = self._only_case or self._cases[self._kind(values)]
        text = values.get("prompt") or self._text or ""
        words = slug(text)
        label = values.pop("id", "") or f"{words}-{_digest(text)}"
        for name in self._numbers:  # other cells are sent as they stand
            if name in values:
                values[name] = _text(self._reads[name], values[name])
        return case, Pins(label, words, values)

    @cached_property
    def _only_case(self) -> Case | None:
        """The case of all rows, where they have one in common."""
        return next(iter(self._cases.values())) if len(self._cases) == 1 else None

    def text(self, number: int) -> str:
        """The row's prompt, its templates not filled in."""
        return (self._prompt_cell(number) if self._prompt_column is not None else "") or self._text or ""

    def templates(self) -> bool:
        """Does any row's text name variables?"""
        return any(kind[1] or (not kind[2] and "{{" in (self._text or "")) for kind in self._cases)

    def named(self) -> set[str]:
        """The variables that some row's texts name."""
        found = {name for kind in self._cases for texts in kind[1] for name in texts}
        return found | set(names(self._text or ""))

    def _prompt_cell(self, number: int) -> str:
        return self._table.row(number)[self._prompt_column or 0]

    def columns(self, number: int) -> Mapping[str, Column]:
        """What the row says itself, and where; its prompt too, from the file or from the job."""
        found = self._own_columns(number, self._cells(number))
        if "prompt" not in found and self._text_path is not None:
            found["prompt"] = pinned("prompt", self._text, "prompt", self._text_path)
        return found

    def _own_columns(self, number: int, cells: Mapping[str, str]) -> dict[str, Column]:
        origin = f"{self._table.file}:{self._table.line(number)}"
        return {
            name: pinned(name, _text(self._reads[name], cell), origin, self._place(number, name))
            for name, cell in cells.items()
            if name != "id"
        }

    def images(self) -> Iterator[Column]:
        """The input image of each row that names one."""
        for number in range(len(self)) if "image" in self._table.columns else ():
            if path := self._cells(number).get("image"):
                yield pinned("image", path, self._table.file, self._place(number, "image"))

    def fill(self, make_case: Callable[[Mapping[str, Column], Column], Case], problems: Problems) -> None:
        """Check every cell, and make the case of each kind of row."""
        known: dict[str, set[str]] = {name: set() for name in self._reads}
        self._check_ids(problems)
        end = 0
        for number in range(len(self)):
            cells = self._cells(number)
            right = [
                cell in known[name] or self._is_right(number, name, cell, known[name], problems)
                for name, cell in cells.items()
                if name != "id"
            ]
            if not all(right):
                continue
            if not (cells.get("prompt") or self._text or "").strip():
                problems.add(self._place(number, "prompt"), "a row without its prompt", "give it text, or remove it")
                continue
            self.text_hashes.append(hash(cells.get("prompt") or self._text))
            kind = self._kind(cells)
            if (case := self._cases.get(kind)) is None:
                text = pinned("prompt", cells.get("prompt") or self._text, "prompt", self._place(number, "prompt"))
                pins = self._own_columns(number, {name: cell for name, cell in cells.items() if name != "prompt"})
                case = self._cases[kind] = make_case(pins, text)
            self._of_case[case] += 1
            end += case.count
            self.ends.append(end)

    def _check_ids(self, problems: Problems) -> None:
        """No two rows have one id; hashes are held meanwhile, since a million texts take much more."""
        if "id" not in self._table.columns:
            return
        seen: set[int] = set()
        doubtful: set[int] = set()
        for number in range(len(self)):
            if (cell := self._id(number)) and (found := hash(cell)) in seen:
                doubtful.add(found)
            elif cell:
                seen.add(found)
        first: dict[str, int] = {}
        for number in range(len(self)) if doubtful else ():
            if hash(cell := self._id(number)) in doubtful and (other := first.setdefault(cell, number)) != number:
                cause = f"the id {shown(cell)} stands in line {self._table.line(other)} too"
                problems.add(self._place(number, "id"), cause, "ids are unique")

    def _id(self, number: int) -> str:
        return self._table.row(number)[self._table.columns.index("id")]

    def _is_right(self, number: int, name: str, cell: str, known: set[str], problems: Problems) -> bool:
        try:
            _text(self._reads[name], cell)
        except ValueError as error:
            said = accepted(self._reads[name], cell, error)
            problems.add(self._place(number, name), f"{shown(cell)} is not a value of {name}", said)
            return False
        if name not in TEXTS and len(known) < 10_000:
            known.add(cell)
        return True

    def _cells(self, number: int) -> dict[str, str]:
        """The row's cells by column, empty ones left out."""
        return {name: cell for name, cell in zip(self._table.columns, self._table.row(number), strict=True) if cell}

    def _kind(self, cells: Mapping[str, str]) -> _Kind:
        """What makes two rows pin alike: which fields, the values that decide, and the variables of the texts."""
        return (
            tuple(
                (name, cell if name in self._deciding else "")
                for name, cell in cells.items()
                if name not in {"id", "prompt"}
            ),
            tuple(tuple(names(cells[name])) for name in TEXTS if "{{" in cells.get(name, "")),
            "prompt" in cells,
        )

    def _place(self, number: int, name: str) -> RowPlace:
        return RowPlace(self._table.file, self._table.line(number), name)


def _digest(text: str) -> str:
    """The first six characters of `short_digest`, the only ones that a row's label takes."""
    number = int.from_bytes(sha256(text.encode()).digest()[:4]) >> 2  # 30 bits: three pairs of 10
    return _PAIRS[number >> 20] + _PAIRS[number >> 10 & 0x3FF] + _PAIRS[number & 0x3FF]


def _text(reads: Reads, cell: str) -> str:
    """A cell as it is sent; ValueError says what would be accepted."""
    return reads.text(resolve(cell) if isinstance(reads, Whole | Number) else cell)
