"""How a sandbox process begins, says where it is, and ends."""

import asyncio
import errno
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from batchgen.sandbox.catalogue import ENDPOINT
from batchgen.sandbox.server import CONTROL_PATH, LOG_PATH, create_app
from batchgen.sandbox.settings import Settings

_STDIN = 0
_INTERRUPTED = 130
_TERMINATED = 143
# Requests still open at the end, hanging ones among them, are given this long.
_GRACE_S = 0.5


class PortTaken(Exception):  # noqa: N818 - it says what is so
    """The address cannot be listened on."""


Announce = Callable[[dict[str, str | int]], None]


async def serve(settings: Settings, host: str, port: int, announce: Announce, *, with_parent: bool) -> int:
    """Serve until told to end, and return the exit code. `port` 0 is any free one. Raises PortTaken, OSError."""
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise PortTaken(_why_not(host, port, error)) from error
        end = _listen_for_end(with_parent=with_parent)
        announce(_whereabouts(host, int(runner.addresses[0][1])))
        return await end
    finally:
        await runner.cleanup()


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; choose another with --port, or --port 0 for any free one"
    cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error
    return f"cannot listen on port {port} of {host}: {cause}; choose others with --host and --port"


def _whereabouts(host: str, port: int) -> dict[str, str | int]:
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    control = base + CONTROL_PATH
    return {"url": base + ENDPOINT, "log": base + LOG_PATH, "control": control, "port": port, "pid": os.getpid()}


def _listen_for_end(*, with_parent: bool) -> asyncio.Future[int]:
    """A future that gets the exit code once somebody ends this process."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[int] = loop.create_future()

    def finish(code: int) -> None:
        if not end.done():
            end.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, finish, _TERMINATED)
    if with_parent:
        # Ctrl-C reaches a whole process group, and a parent that ends in order still needs its sandbox.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        threading.Thread(target=_wait_for_eof, args=(loop, finish), daemon=True).start()
    else:
        loop.add_signal_handler(signal.SIGINT, finish, _INTERRUPTED)
    return end


def _wait_for_eof(loop: asyncio.AbstractEventLoop, finish: Callable[[int], None]) -> None:
    # The parent holds the other end of this pipe; the system closes it however the parent dies. No stdin at all is
    # no parent either.
    with suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    loop.call_soon_threadsafe(finish, 0)


def json_line(whereabouts: dict[str, str | int]) -> str:
    """One line for a program."""
    return json.dumps(whereabouts)


def friendly_lines(whereabouts: dict[str, str | int], key: str) -> str:
    """A few lines for a person, with a request to paste. Only the well-known key is shown."""
    key = key if key == Settings().key else "$YOUR_API_KEY"
    return f"""\
The sandbox is ready. It costs nothing and paints its own pictures.
  url  {whereabouts["url"]}
  key  {key}
  log  {whereabouts["log"]}

  curl {whereabouts["url"]} -H "Accept: image/*" -H "Authorization: Bearer {key}" \\
    -F model="sd3-large" -F prompt="A cute baby sea otter wearing a beret" -o otter.png

Ctrl-C ends it."""
