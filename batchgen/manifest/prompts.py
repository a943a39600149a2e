"""The entries of `prompts:` and `tasks:` once they are read: each gives the n-th combination of its fields.

An entry has rows: a prompt written in the job is one, a data file's rows are many. Rows that pin the same fields
share one case, the combinations of everything that they do not pin, so a million rows hold little more than their
text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchgen.manifest.axes import Column, Value
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.paths import PathTemplate


@dataclass(frozen=True, slots=True)
class Pins:
    """What one row says itself."""

    id: str
    slug: str
    values: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Case:
    """The combinations of rows that pin the same fields."""

    blocks: tuple[Block, ...]

    @cached_property
    def ends(self) -> list[int]:
        """The end of each block, counted through."""
        return list(accumulate(block.tree.count for block in self.blocks))

    @property
    def count(self) -> int:
        """How many combinations."""
        return self.ends[-1]

    def find(self, index: int) -> tuple[Block, int]:
        """The block that holds the combination at `index`, and the index within it."""
        which = bisect_right(self.ends, index)
        return self.blocks[which], index - (self.ends[which - 1] if which else 0)


class Rows(Protocol):
    """The rows of an entry."""

    @property
    def ends(self) -> Sequence[int]:
        """The end of each row's combinations, counted through."""

    def __len__(self) -> int: ...

    def cases(self) -> Mapping[Case, int]:
        """The different cases, and how many rows are of each."""

    def case(self, number: int) -> Case:
        """What the row's combinations are."""

    def row(self, number: int) -> tuple[Case, Pins]:
        """The same, with what the row says itself."""

    def text(self, number: int) -> str:
        """The row's prompt, its templates not filled in."""

    def templates(self) -> bool:
        """Does any row's text name variables?"""

    @property
    def text_hashes(self) -> Sequence[int]:
        """The hash of each row's prompt, its templates not filled in."""

    def columns(self, number: int) -> Mapping[str, Column]:
        """What the row says itself, and where."""


@dataclass(frozen=True, slots=True)
class OneRow:
    """An entry that stands in the job itself; only its text is its own, what else it pins is in its case."""

    the_case: Case
    the_pins: Pins
    prompt: Column

    @property
    def ends(self) -> Sequence[int]:
        """The end of its combinations."""
        return (self.the_case.count,)

    def __len__(self) -> int:
        return 1

    def cases(self) -> Mapping[Case, int]:
        """Its one case."""
        return {self.the_case: 1}

    def case(self, _number: int) -> Case:
        """Its combinations."""
        return self.the_case

    def row(self, _number: int) -> tuple[Case, Pins]:
        """Its combinations, its id and its text."""
        return self.the_case, self.the_pins

    def text(self, _number: int) -> str:
        """The prompt as the job writes it."""
        return str(self.prompt.values[0])

    def templates(self) -> bool:
        """Does the prompt name variables?"""
        return "{{" in self.text(0)

    @property
    def text_hashes(self) -> Sequence[int]:
        """The hash of the prompt."""
        return (hash(self.text(0)),)

    def columns(self, _number: int) -> Mapping[str, Column]:
        """Its text."""
        return {"prompt": self.prompt}


class Combination(NamedTuple):
    """One task of an entry, before it is put into words."""

    pins: Pins
    block: Block
    positions: Sequence[int]
    repeat: int
    row: int


@dataclass(frozen=True, eq=False)
class Prompt:
    """One entry of `prompts:` or `tasks:`."""

    label: str
    """How a person knows it: its id, or its file."""
    rows: Rows
    repeat: int
    path: PathTemplate

    @property
    def count(self) -> int:
        """How many tasks it makes."""
        return self.rows.ends[-1] * self.repeat

    def blocks(self) -> Iterator[tuple[Block, int]]:
        """Every block of every case, and how many times its combinations are made."""
        for case, rows in self.rows.cases().items():
            for block in case.blocks:
                yield block, rows * self.repeat

    def __iter__(self) -> Iterator[Combination]:
        """Every task of the entry, in order."""
        for row in range(len(self.rows)):
            case, pins = self.rows.row(row)
            for block in case.blocks:
                for positions in block.tree:
                    for repeat in range(self.repeat):
                        yield Combination(pins, block, positions, repeat, row)

    def combination(self, index: int) -> Combination:
        """The task at `index` within this entry."""
        index, repeat = divmod(index, self.repeat)
        ends = self.rows.ends
        row = bisect_right(ends, index)
        case, pins = self.rows.row(row)
        block, inner = case.find(index - (ends[row - 1] if row else 0))
        return Combination(pins, block, block.tree.nth(inner), repeat, row)
