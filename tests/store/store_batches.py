"""What the writer takes in one go, chosen by a test."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from batchgen.store import rescue as keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest

    from batchgen.store.keep import Parcel
    from batchgen.store.tree import Tree
    from batchgen.store.writer import Writer

WRITERS_KEEP = "batchgen.store.writer.keep"
"""What each batch begins with."""
LONG_S = 30.0
"""Far more than anything here takes; reached only where something is broken."""


@asynccontextmanager
async def one_batch(writer: Writer, patch: pytest.MonkeyPatch, size: int) -> AsyncIterator[None]:
    """So many things, handed in here or by what is started here, are one batch of the writer."""
    taken, go_on = threading.Event(), threading.Event()
    real = keeping.keep

    def keep(tree: Tree, parcels: Sequence[Parcel]) -> None:
        taken.set()
        assert go_on.wait(LONG_S)
        real(tree, parcels)

    patch.setattr(WRITERS_KEEP, keep)
    writer.note(b"")  # the thread takes this, and waits
    await until(taken.is_set)
    try:
        yield
        await until(lambda: writer._waiting.qsize() >= size)
    finally:
        go_on.set()
        patch.setattr(WRITERS_KEEP, real)


async def until(happened: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    with anyio.fail_after(LONG_S):
        while not happened():  # noqa: ASYNC110 - what is waited for is a thread's doing
            await anyio.sleep(0.001)
