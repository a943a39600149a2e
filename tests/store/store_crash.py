"""Keeps a picture again and again, killed with SIGKILL before its first step, its second, and so on to the end.

Run as `store_crash.py FOLDER small|big images|filtered`; each try has a folder of its own, and a file `<try>.sent`
beside it once its request might have left. Forking happens while the process has one thread only; the number of tries
is printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from kept_here import keep_here
from store_folders import at_work, attempt, opened
from store_samples import big_png, samples, task
from store_steps import Steps


async def _run(root: Path, content: bytes, *, filtered: bool, kill_at: int) -> None:
    folder = opened(root)

    def at(number: int, _name: str, _args: object) -> None:
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def sent() -> None:
        root.with_suffix(".sent").write_bytes(b"")  # by a call that is no step

    keep_here(setattr)
    Steps(at).install(setattr, commits=True)
    async with at_work(folder) as writer:
        await attempt(folder, writer, task(), content, filtered=filtered, on_sent=sent)


def _main(base: Path, size: str, area: str) -> int:
    content = big_png() if size == "big" else next(samples()).content
    for kill_at in range(1, 200):
        child = os.fork()
        if not child:
            try:
                asyncio.run(_run(base / str(kill_at), content, filtered=area == "filtered", kill_at=kill_at))
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            sys.stdout.write(str(kill_at))
            return os.waitstatus_to_exitcode(status)
    return 1


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
