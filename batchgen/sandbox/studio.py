"""Where pictures are painted, so that the loop hears what arrives meanwhile: large ones in threads.

A small one takes half a millisecond of CPU and holds the interpreter for all of it (Pillow encodes under its lock), so
a thread would only add its own cost; small ones are painted in the loop, one at a time, with a look at the network
between two.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from batchgen.sandbox.order import Order
from batchgen.sandbox.painting import paint
from batchgen.sandbox.settings import Size

P = ParamSpec("P")
T = TypeVar("T")


class Studio:
    """The painters of one sandbox."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._easel = asyncio.Lock()
        self._painters = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="painter")

    async def picture(self, order: Order, seed: int) -> bytes:
        """The bytes of the picture, the same for the same order, seed and size."""
        if self._size is Size.SMALL and order.image is None:
            async with self._easel:
                await asyncio.sleep(0)
                return paint(order, seed, Size.SMALL)
        return await self.aside(paint, order, seed, self._size)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do this in a thread."""
        call = partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._painters, call)

    def close(self) -> None:
        """No more is painted."""
        self._painters.shutdown(wait=False, cancel_futures=True)
