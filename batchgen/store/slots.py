"""Memory that a run shares with the process that keeps its pictures: they are received where they are read from."""

from __future__ import annotations

import mmap
import os
from typing import Final

SLOT_BYTES: Final = 384 * 1024
"""What is larger than this streams to a file."""
SLOTS: Final = 128
"""So many pictures at once; of each no more memory is used than it has bytes. Further ones travel along the line."""


class Slots:
    """The memory, as one of the two has it."""

    def __init__(self, descriptor: int) -> None:
        self._memory = memoryview(mmap.mmap(descriptor, SLOTS * SLOT_BYTES))
        self._free = list(range(0, SLOTS * SLOT_BYTES, SLOT_BYTES))

    def take(self) -> int | None:
        """Where a free slot begins: the one that was used last, so that few are ever touched."""
        return self._free.pop() if self._free else None

    def give_back(self, start: int) -> None:
        """It holds nothing of use any more."""
        self._free.append(start)

    def at(self, start: int, size_bytes: int = SLOT_BYTES) -> memoryview:
        """So many bytes of the slot that begins there."""
        return self._memory[start : start + size_bytes]


def shared_memory() -> int:
    """A file without a name, for the slots (memfd_create(2), Linux); whoever takes it closes it."""
    descriptor = os.memfd_create("batchgen")
    os.ftruncate(descriptor, SLOTS * SLOT_BYTES)
    return descriptor
