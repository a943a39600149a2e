"""A run that has handed over what it made when it is killed, and whose keeper does not get to it before.

Run as `store_run.py FOLDER`: prints the number of its keeper, which is stopped, and waits for its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
from store_batches import is_sent, until
from store_folders import at_work, filled, kept, opened, row_of
from store_runs import TASKS
from store_samples import sidecar_for

_keepers: list[subprocess.Popen[bytes]] = []


class _Noted(subprocess.Popen[bytes]):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _keepers.append(self)


async def _run(root: Path) -> None:
    subprocess.Popen = _Noted  # type: ignore[assignment,misc]
    folder = opened(root)
    async with at_work(folder) as writer, anyio.create_task_group() as group:
        made = [
            (of, await writer.begin(row_of(of)), *await filled(folder, of, content)) for of, content in TASKS.values()
        ]
        (keeper,) = _keepers
        os.kill(keeper.pid, signal.SIGSTOP)
        for of, number, sink, picture in made:
            group.start_soon(kept, writer, number, sink, sidecar_for(of, picture))
        await anyio.lowlevel.checkpoint()
        await until(lambda: is_sent(writer))
        sys.stdout.write(f"{keeper.pid}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
