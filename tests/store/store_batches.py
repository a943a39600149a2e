"""What is brought to the disk in one go, chosen by a test that has its pictures kept in this process (kept_here.py)."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from batchgen.store import rescue as keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest

    from batchgen.store.handed import Item
    from batchgen.store.keep import Parcel
    from batchgen.store.tree import Tree
    from batchgen.store.writer import Writer

DESKS_KEEP = "batchgen.store.desk.keep"
"""What each batch begins with."""
LONG_S = 30.0
"""Far more than anything here takes; reached only where something is broken."""


@asynccontextmanager
async def one_batch(writer: Writer, patch: pytest.MonkeyPatch, size: int) -> AsyncIterator[None]:
    """So many things, handed in here or by what is started here, are one batch at the desk."""
    taken, go_on = threading.Event(), threading.Event()
    real, hand, handed = keeping.keep, writer._hand, 0

    def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
        taken.set()
        assert go_on.wait(LONG_S)
        real(tree, parcels)

    def counted(item: Item) -> None:
        nonlocal handed
        handed += 1
        hand(item)

    patch.setattr(DESKS_KEEP, keep)
    writer.note(b"")  # the desk takes this, and waits
    await until(taken.is_set)
    patch.setattr(writer, "_hand", counted)
    try:
        yield
        await until(lambda: handed >= size and is_sent(writer))
    finally:
        go_on.set()
        patch.setattr(DESKS_KEEP, real)
        patch.setattr(writer, "_hand", hand)


def is_sent(writer: Writer) -> bool:
    """All that was handed in so far is where the other end finds it when it looks."""
    assert writer._line is not None
    return not writer._waiting and writer._line.get_write_buffer_size() == 0


async def until(happened: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    with anyio.fail_after(LONG_S):
        while not happened():  # noqa: ASYNC110 - what is waited for is a thread's doing
            await anyio.sleep(0.001)
