"""What is brought to the disk in one go, chosen by a test that has its pictures kept in this process (kept_here.py)."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio

from batchgen.store.desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest

    from batchgen.store.handed import Answer, Item
    from batchgen.store.writer import Writer

LONG_S = 30.0
"""Far more than anything here takes; reached only where something is broken."""


@asynccontextmanager
async def one_batch(
    writer: Writer, patch: pytest.MonkeyPatch, size: int, busy_with: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """So many things, handed in here or by what is started here, are one batch at the desk.

    It is busy with the batch before until then: with what `busy_with` hands in, or with nothing much.
    """
    taken, go_on = threading.Event(), threading.Event()
    real, hand, handed = Desk.enter, writer._hand, 0

    def enter(desk: Desk, items: Sequence[Item]) -> list[Answer]:
        if items:
            taken.set()
            assert go_on.wait(LONG_S)
        return real(desk, items)

    def counted(item: Item) -> None:
        nonlocal handed
        handed += 1
        hand(item)

    patch.setattr(Desk, "enter", enter)
    (busy_with or partial(writer.note, b""))()  # the desk takes this, and waits
    await until(taken.is_set)
    patch.setattr(writer, "_hand", counted)
    try:
        yield
        await until(lambda: handed >= size and is_sent(writer))
    finally:
        go_on.set()
        patch.setattr(Desk, "enter", real)
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
