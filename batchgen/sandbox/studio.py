"""Where pictures are painted: in threads, so that the loop hears what arrives meanwhile."""

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
        self._painters = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="painter")

    async def picture(self, order: Order, seed: int) -> bytes:
        """The bytes of the picture, the same for the same order, seed and size."""
        return await self.aside(paint, order, seed, self._size)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do this in a thread."""
        call = partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._painters, call)

    def close(self) -> None:
        """No more is painted."""
        self._painters.shutdown(wait=False, cancel_futures=True)
