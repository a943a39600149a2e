"""The program's way in, for `batchgen` and `python -m batchgen`."""

import gc
import os
import select
import signal
import sys
from contextlib import suppress

ENDS = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143), signal.SIGHUP: ("terminated", 143)}
COLLECTED_AFTER = 20_000
"""Objects that came and did not go before cycles are looked for: what is imported stays, and was a tenth of a start."""
SHOW_CURSOR = "\x1b[?25h"
"""A bar hides it."""


def main() -> None:
    """Run the command line. A signal that is ignored stays so (nohup); a run hears the others while it lasts."""
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    gc.set_threshold(COLLECTED_AFTER)
    from batchgen.cli.main import main as run_command_line  # noqa: PLC0415 - what is imported here can be interrupted

    try:
        run_command_line()
    except SystemExit as end:
        # To put everything away takes Python a while, and a signal in it would change the code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def _end(number: int, _frame: object) -> None:
    """Outside a run nothing is in flight, so that this may end like a kill, if with a line and an exit code.

    An exception would be less sure: much code, above all while it is imported, swallows or renames what is raised.
    """
    how, code = ENDS[signal.Signals(number)]
    with suppress(OSError, ValueError):
        if not select.select([], [2], [], 0)[1]:  # nobody reads it: there is nothing to wait for
            os._exit(code)
        if os.isatty(2) and os.environ.get("TERM") != "dumb":
            os.write(2, SHOW_CURSOR.encode())
        os.write(2, f"batchgen: {how}; what is made stays, run again to go on\n".encode())
    os._exit(code)


if __name__ == "__main__":
    main()
