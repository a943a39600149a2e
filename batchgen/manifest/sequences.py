"""Sequences that are worked out when asked for, so that a range of a million values costs nothing to hold."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar, overload

from batchgen.providers.capabilities import plain

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")

DECIMALS = 6
"""What is evenly spaced is rounded to so many decimals."""


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

    @abstractmethod
    def at(self, index: int) -> T:
        """The value at an index that is known to be inside."""


@dataclass(frozen=True, slots=True)
class Steps(Lazy[str]):
    """Numbers from `first`, `step` apart, by whole or decimal arithmetic: 0.2, 0.4, 0.6, 0.8."""

    first: int | Decimal
    step: int | Decimal

    def at(self, index: int) -> str:
        """The number as it is sent."""
        number = self.first + self.step * index
        return str(number) if isinstance(number, int) else plain(number)


@dataclass(frozen=True, slots=True)
class Even(Lazy[str]):
    """Numbers from `first` to `last`, evenly spaced, to six decimals."""

    first: Decimal
    last: Decimal

    def at(self, index: int) -> str:
        """The number as it is sent."""
        exact = self.first + (self.last - self.first) * index / (self.size - 1)
        return plain(round(exact, DECIMALS))


@dataclass(frozen=True, slots=True)
class Chain(Lazy[T]):
    """Several sequences one after the other."""

    pieces: tuple[Sequence[T], ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Sequence[Sequence[T]]) -> Chain[T]:
        """These pieces as one sequence."""
        ends = tuple(accumulate(len(piece) for piece in pieces))
        return cls(ends[-1] if ends else 0, tuple(pieces), ends)

    def at(self, index: int) -> T:
        """The value in the piece that the index falls into."""
        which = bisect_right(self.ends, index)
        return self.pieces[which][index - (self.ends[which - 1] if which else 0)]
