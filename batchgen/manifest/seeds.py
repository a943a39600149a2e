"""Derived seeds: the n-th seed of a root is the same for good, whatever else a job holds.

A seed is found by a keyed permutation of its index, not by a plain hash: a Feistel network of four rounds over 32 bits
(Luby and Rackoff, 1988), BLAKE2b with the key as its round function. So `{random: 1000000}` are a million different
seeds, where a hash would repeat some hundred of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from batchgen.manifest.reading.units import MOST_SEEDS
from batchgen.manifest.sequences import Lazy


@lru_cache(maxsize=4096)
def derive(key: str, index: int) -> int:
    """The seed at `index` (0 to MOST_SEEDS - 1) under `key`; different indices give different seeds."""
    digest = blake2b(key.encode(), digest_size=32).digest()
    value = index + 1
    while True:  # walks past 0 and 2**32 - 1, which the permutation may give but no seed may be
        value = _permute(digest, value)
        if 1 <= value <= MOST_SEEDS:
            return value


def _permute(key: bytes, value: int) -> int:
    left, right = value >> 16, value & 0xFFFF
    for turn in range(4):
        mixed = blake2b(bytes((turn, right >> 8, right & 0xFF)), key=key, digest_size=2).digest()
        left, right = right, left ^ int.from_bytes(mixed)
    return left << 16 | right


@dataclass(frozen=True, slots=True)
class DerivedSeed:
    """The place of a seed among those of its key, which is known once its task is."""

    index: int


@dataclass(frozen=True, slots=True)
class DerivedSeeds(Lazy[DerivedSeed]):
    """`{random: N}`: the first N seeds."""

    def at(self, index: int) -> DerivedSeed:
        """The place of this seed."""
        return DerivedSeed(index)

    def positions(self, value: object) -> list[int]:
        """The index of a place; a seed that is a number stands at none."""
        return [value.index] if isinstance(value, DerivedSeed) and value.index < self.size else []
