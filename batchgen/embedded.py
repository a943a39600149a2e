"""The sandbox as a child of the run: started on a free port, reached over real HTTP, ended with its parent."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager, suppress
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import anyio

from batchgen.engine.running_time import RunningTime
from batchgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from anyio.abc import ByteReceiveStream

START_S = 30.0


@asynccontextmanager
async def embedded_sandbox(models: Mapping[str, str]) -> AsyncIterator[str]:
    """The url of a sandbox that lives as long as this context, and no longer than this process: it holds our pipe.

    `models` are those that it offers beside the API's own, each with the one that it is like.
    """
    command = [sys.executable, "-m", "batchgen.sandbox", "--port", "0", "--json", "--end-with-parent"]
    command += [f"--model={name}={like}" for name, like in models.items()]
    # A session of its own: Ctrl-C in the terminal is for the run, which still needs the sandbox for what is in flight.
    async with await anyio.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
    ) as child:
        try:
            if child.stdout is None:
                raise RuntimeError("the sandbox's stdout is a pipe")
            yield await _url(child.stdout)
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                child.terminate()


async def _url(stdout: ByteReceiveStream) -> str:
    said = b""
    with (
        suppress(anyio.EndOfStream, ValueError, LookupError, TypeError),
        RunningTime() as running,
        running.move_on_after(START_S),
    ):
        while not said.endswith(b"\n"):
            said += await stdout.receive()
        return str(json.loads(said)["url"])
    raise UsageError("the embedded sandbox did not start; try `batchgen sandbox` to see why, or use another --provider")
