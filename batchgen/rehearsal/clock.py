"""An event loop whose clock jumps to whatever is due next: an hour of waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class _NoWait(selectors.DefaultSelector):
    """Where the loop would sleep, its clock moves on instead."""

    slept_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See selectors."""
        if timeout is None:
            raise AssertionError("everything waits and nothing is due: this would hang for ever")
        if timeout > 0:
            self.slept_s += timeout
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on that clock."""

    def __init__(self) -> None:
        self._clock = _NoWait()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since its start, as if it had slept."""
        return self._clock.slept_s


def in_virtual_time(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end; `anyio.current_time()` begins at 0. Nothing in it may wait for a thread or a socket."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main())
