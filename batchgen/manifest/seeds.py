"""Derived seeds: the n-th seed of a root is the same for good, whatever else a job holds.

A seed is found by a keyed permutation of its index, not by a plain hash: a Feistel network of four rounds over 32 bits
(Luby and Rackoff, 1988), BLAKE2b with the key as its round function. So `{random: 1000000}` are a million different
seeds, where a hash would repeat some hundred of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from batchgen.manifest.sequences import Lazy

MOST = 4_294_967_294
"""Seeds are 1 to MOST: 0 asks the server to choose."""


def derive(key: str, index: int) -> int:
    """The seed at `index` (0 to MOST - 1) under `key`; different indices give different seeds."""
    digest = blake2b(key.encode(), digest_size=32).digest()
    value = index + 1
    while True:  # walks past 0 and 2**32 - 1, which the permutation may give but no seed may be
        value = _permute(digest, value)
        if 1 <= value <= MOST:
            return value


def _permute(key: bytes, value: int) -> int:
    left, right = value >> 16, value & 0xFFFF
    for turn in range(4):
        mixed = blake2b(bytes((turn, right >> 8, right & 0xFF)), key=key, digest_size=2).digest()
        left, right = right, left ^ int.from_bytes(mixed)
    return left << 16 | right


@dataclass(frozen=True, slots=True)
class DerivedSeed:
    """A seed that waits for the rest of its task, since it is derived from that too (`seed_mode: per_task`)."""

    index: int


@dataclass(frozen=True, slots=True)
class DerivedSeeds(Lazy[str | DerivedSeed]):
    """The first `size` seeds under `key`, as text; under no key, each waits for its task."""

    key: str | None

    def at(self, index: int) -> str | DerivedSeed:
        """The seed at this index, or its promise."""
        return DerivedSeed(index) if self.key is None else str(derive(self.key, index))
