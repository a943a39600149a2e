"""Steps of a slow disk side by side, in threads, so that it takes its time once for all."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

from batchgen.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

AT_ONCE: Final = 32
"""Threads; each holds a file descriptor. Where the disk is quick they would cost more than they save."""


def apply(step: Callable[[T], None], to: Sequence[T], *, side_by_side: bool = True) -> None:
    """The step to each: one after another while that is quick; blocks. An error of one is raised once all are done."""
    if side_by_side and len(to) > 1 and durable.is_slow():
        _side_by_side(step, to)
    else:
        for each in to:
            step(each)


def _side_by_side(step: Callable[[T], None], to: Sequence[T]) -> None:
    """In as many threads as are to be had, this one among them."""
    left: SimpleQueue[T] = SimpleQueue()
    errors: list[Exception] = []
    for each in to:
        left.put(each)

    def work() -> None:
        with suppress(Empty):
            while True:
                each = left.get_nowait()
                try:
                    step(each)
                except Exception as error:  # noqa: BLE001 - for whoever waits below
                    errors.append(error)

    helpers: list[Thread] = []
    with suppress(RuntimeError):  # the system gives no more
        for _ in range(min(AT_ONCE, len(to)) - 1):
            helper = Thread(target=work, name="batchgen-disk")
            helper.start()
            helpers.append(helper)
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
