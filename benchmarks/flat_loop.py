"""A process of its own: batchgen's command line with a probe on its event loop, and what the probe saw as JSON.

    python -m benchmarks.flat_loop SEEN.json run JOB --output FOLDER …

The probe asks to be called every 5 ms and notes how much later that happens: so long was the loop blocked, or kept
waiting for the interpreter or for a core. Nothing of batchgen is changed but the function that `anyio.run` is given.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from batchgen.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 0.005


@dataclass(slots=True)
class Probe:
    """The longest pause of an event loop."""

    pause_s: float = 0.0
    at_s: float = 0.0
    """When it ended, seconds after the loop began."""
    work_s: float = 0.0
    """The longest that the loop's own thread was on a core between two looks: a busy machine adds nothing to it."""
    looks: int = 0

    def watch(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        """Look at this loop from now on; called in it. Its own clock may be that of its last turn."""
        began = clock()

        def look(due: float, own: float) -> None:
            now, spent = clock(), time.thread_time()
            self.looks += 1
            self.work_s = max(self.work_s, spent - own)
            if now - due > self.pause_s:
                self.pause_s, self.at_s = now - due, now - began
            loop.call_later(EVERY_S, look, now + EVERY_S, spent)

        look(began, time.thread_time())


def probed(run: Callable[..., Any], seen: Path) -> Callable[..., Any]:
    """`anyio.run`, with a probe on the loop that it makes; what it saw is written once that ends."""

    @wraps(run)
    def run_probed(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        probe = Probe()

        async def watched() -> Any:
            probe.watch(asyncio.get_running_loop())
            return await function(*arguments)

        try:
            return run(watched, **options)
        finally:
            seen.write_text(json.dumps(asdict(probe)))

    return run_probed


if __name__ == "__main__":
    anyio.run = probed(anyio.run, Path(sys.argv.pop(1)))  # type: ignore[assignment]  # the same but for the probe
    main()
