"""Which tasks have more than one pair, told of a million tasks in 8 bytes each."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_BUCKETS = 256


class Seen:
    """The tasks that have a pair, by a hash each: what it says of them is to be looked at again, one by one."""

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, tasks: Collection[str]) -> None:
        """One more pair of each."""
        for number in map(hash, tasks):
            self._buckets[number % _BUCKETS].append(number)

    def is_twice(self) -> set[int]:
        """The hashes that were added more than once."""
        found = set()
        for bucket in self._buckets:
            found |= {one for one, other in pairwise(sorted(bucket)) if one == other}
        return found

    def among(self, tasks: Collection[str]) -> set[str]:
        """Those of these tasks that have a pair."""
        asked = {hash(task): task for task in tasks}
        return {asked[number] for bucket in self._buckets for number in bucket if number in asked} if asked else set()
