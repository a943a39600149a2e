"""Sequences that are worked out when asked for, so that a range of a million values costs nothing to hold."""

from __future__ import annotations

import re
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar, overload

from batchgen.providers.capabilities import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")

DECIMALS = 6
"""What is evenly spaced is rounded to so many decimals."""

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Lazy(Sequence[T]):
    """A sequence of `size` values, each found by its index alone."""

    size: int

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self.at(each) for each in range(*index.indices(self.size))]
        if not -self.size <= index < self.size:
            raise IndexError(index)
        return self.at(index % self.size)

    def __contains__(self, value: object) -> bool:
        return bool(self.positions(value))

    @abstractmethod
    def at(self, index: int) -> T:
        """The value at an index that is known to be inside."""

    @abstractmethod
    def positions(self, value: object) -> list[int]:
        """Every index that holds `value`, in order, without looking through them all."""


@dataclass(frozen=True, slots=True)
class Steps(Lazy[str]):
    """Numbers from `first`, `step` apart, by whole or decimal arithmetic: 0.2, 0.4, 0.6, 0.8."""

    first: int | Decimal
    step: int | Decimal

    def at(self, index: int) -> str:
        """The number as it is sent."""
        number = self.first + self.step * index
        return str(number) if isinstance(number, int) else plain(number)

    def positions(self, value: object) -> list[int]:
        """The one index of a number of the range."""
        number = _number(value)
        if number is None:
            return []
        index = int((number - self.first) / self.step)
        return [index] if 0 <= index < self.size and self.at(index) == value else []


@dataclass(frozen=True, slots=True)
class Even(Lazy[str]):
    """Numbers from `first` to `last`, evenly spaced, to six decimals."""

    first: Decimal
    last: Decimal

    def at(self, index: int) -> str:
        """The number as it is sent."""
        exact = self.first + (self.last - self.first) * index / (self.size - 1)
        return plain(round(exact, DECIMALS))

    def positions(self, value: object) -> list[int]:
        """The indices of a number; so close together that rounding makes them alike, several."""
        number = _number(value)
        if number is None:
            return []
        upwards = 1 if self.last >= self.first else -1
        begin = bisect_left(self, number * upwards, key=lambda each: Decimal(each) * upwards)
        end = bisect_right(self, number * upwards, begin, key=lambda each: Decimal(each) * upwards)
        return list(range(begin, end)) if begin < end and self.at(begin) == value else []


@dataclass(frozen=True, slots=True)
class Chain(Lazy[T]):
    """Several sequences one after the other."""

    pieces: tuple[Sequence[T], ...]
    ends: tuple[int, ...]
    listed: Mapping[object, list[int]]
    """The indices of what stands in pieces that are no ranges."""
    lazy: tuple[tuple[int, Lazy[T]], ...]
    """The ranges, and where each begins."""

    @classmethod
    def of(cls, pieces: Sequence[Sequence[T]]) -> Chain[T]:
        """These pieces as one sequence."""
        ends = tuple(accumulate(len(piece) for piece in pieces))
        listed: dict[object, list[int]] = {}
        lazy: list[tuple[int, Lazy[T]]] = []
        for start, piece in zip((0, *ends), pieces, strict=False):
            if isinstance(piece, Lazy):
                lazy.append((start, piece))
                continue
            for index, value in enumerate(piece, start):
                listed.setdefault(value, []).append(index)
        return cls(ends[-1] if ends else 0, tuple(pieces), ends, listed, tuple(lazy))

    @property
    def told_apart(self) -> Iterator[int]:
        """The indices of listed values, and of each range's ends."""
        for indices in self.listed.values():
            yield from indices
        for start, piece in self.lazy:
            yield from (start, start + len(piece) - 1)

    def at(self, index: int) -> T:
        """The value in the piece that the index falls into."""
        which = bisect_right(self.ends, index)
        return self.pieces[which][index - (self.ends[which - 1] if which else 0)]

    def positions(self, value: object) -> list[int]:
        """The indices in every piece that holds the value."""
        found = [start + index for start, piece in self.lazy for index in piece.positions(value)]
        return sorted([*found, *self.listed.get(value, ())])


def _number(value: object) -> Decimal | None:
    """A number as it is sent, read back."""
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None
