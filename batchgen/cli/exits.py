"""Exit codes, made here and nowhere else (`plan --detailed-exitcode` has 10 of its own).

0    everything asked for is made        70   a bug in batchgen, with a report to paste
1    some tasks failed or were filtered  130  interrupted
2    usage or job error                  143  terminated
3    stopped by the provider
4    stopped by a cap
5    storage
6    another run owns the output folder
"""

from __future__ import annotations

import os
import platform
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

import click

from batchgen import __version__
from batchgen.errors import BatchgenError, ManifestError, OwnedError, ProviderError, StorageError, UsageError, shown
from batchgen.events import Ending
from batchgen.keys import hide_all

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = 2
BUG = 70
INTERRUPTED = 130
TERMINATED = 143
OF_ENDING: Final = {
    Ending.COMPLETE: 0,
    Ending.INCOMPLETE: 1,
    Ending.PROVIDER: 3,
    Ending.CAP: 4,
    Ending.STORAGE: 5,
    Ending.INTERRUPTED: INTERRUPTED,
    Ending.TERMINATED: TERMINATED,
}
OF_ERROR: Final = {UsageError: USAGE, ManifestError: USAGE, ProviderError: 3, StorageError: 5, OwnedError: 6}


class Terminated(BaseException):
    """SIGTERM, as KeyboardInterrupt is SIGINT."""


@contextmanager
def exits() -> Iterator[None]:
    """Turn whatever ends the command into its message and its exit code."""
    try:
        yield
    except (SystemExit, click.exceptions.Exit):
        raise
    except BaseException as error:  # noqa: BLE001 - this is where every error ends
        sys.exit(_told(_innermost(error)))


def _innermost(error: BaseException) -> BaseException:
    """The one error in a group of one: task groups wrap what ends them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _told(error: BaseException) -> int:
    match error:
        case ManifestError():
            _say("\n".join([error.render(), *error.warning_lines()]))
        case BatchgenError():
            _say(f"batchgen: {error}")
        case click.ClickException():
            command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "batchgen"
            _say(f"{command}: {error.format_message().rstrip('.')}; see {command} --help")
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            _say("batchgen: interrupted; what is made stays, run again to go on")
            return INTERRUPTED
        case Terminated():
            _say("batchgen: terminated; what is made stays, run again to go on")
            return TERMINATED
        case BrokenPipeError():
            forget_reader(sys.stdout, sys.stderr)  # there is nobody to tell
            return 1
        case _:
            _say(_report(error))
            return BUG
    return next(code for kind, code in OF_ERROR.items() if isinstance(error, kind))


def forget_reader(*streams: TextIO) -> None:
    """Whoever read these is gone: what is left to say there, and Python's last flush, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _say(text: str) -> None:
    click.echo(shown(text), err=True)


def _report(error: BaseException) -> str:
    trace = hide_all("".join(traceback.format_exception(error)))
    return (
        f"batchgen: this is a bug in batchgen ({type(error).__name__}); what is made stays, and a new run goes on.\n"
        f"Please report the lines below.\n"
        f"batchgen {__version__}, Python {platform.python_version()}, {platform.platform()}\n{trace}"
    )
