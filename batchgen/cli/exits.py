"""Exit codes, made here and nowhere else (`plan --detailed-exitcode` has 10 of its own).

0    everything asked for is made        6    another run owns the output folder
1    some tasks failed or were filtered  70   a bug in batchgen, with a report to paste
2    usage or job error                  130  interrupted
3    stopped by the provider             143  terminated, or its terminal was closed
4    stopped by a cap
5    storage, or stdout can't be written
"""

from __future__ import annotations

import platform
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from batchgen import __version__
from batchgen.cli.streams import check_output, guard_streams
from batchgen.errors import BatchgenError, ManifestError, OwnedError, ProviderError, StorageError, UsageError, shown
from batchgen.events import Ending
from batchgen.keys import hide_all

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = 2
STORAGE = 5
BUG = 70
INTERRUPTED = 130
TERMINATED = 143
OF_ENDING: Final = {
    Ending.COMPLETE: 0,
    Ending.INCOMPLETE: 1,
    Ending.PROVIDER: 3,
    Ending.CAP: 4,
    Ending.STORAGE: STORAGE,
    Ending.INTERRUPTED: INTERRUPTED,
    Ending.TERMINATED: TERMINATED,
}
OF_ERROR: Final = {UsageError: USAGE, ManifestError: USAGE, ProviderError: 3, StorageError: STORAGE, OwnedError: 6}


@contextmanager
def exits() -> Iterator[None]:
    """Turn whatever ends the command into its message and its exit code."""
    guard_streams()
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - this is where every error ends
        sys.exit(_told(_innermost(error)))


def _innermost(error: BaseException) -> BaseException:
    """The one error in a group of one: task groups wrap what ends them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _told(error: BaseException) -> int:
    match error:
        case SystemExit(code=code) | click.exceptions.Exit(exit_code=code):
            return _ended(code if isinstance(code, int) else 0)
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
        case _:
            _say(_report(error))
            return BUG
    return next(code for kind, code in OF_ERROR.items() if isinstance(error, kind))


def _ended(code: int) -> int:
    """The code of a command that came to its end: no success if stdout did not take what somebody waits for."""
    try:
        sys.stdout.flush()
        check_output()
    except BrokenPipeError:
        return code
    except StorageError as error:
        _say(f"batchgen: {error}")
        return code or STORAGE
    return code


def _say(text: str) -> None:
    click.echo(shown(text), err=True)


def _report(error: BaseException) -> str:
    trace = hide_all("".join(traceback.format_exception(error)))
    return (
        f"batchgen: this is a bug in batchgen ({type(error).__name__}); what is made stays, and a new run goes on.\n"
        f"Please report the lines below.\n"
        f"batchgen {__version__}, Python {platform.python_version()}, {platform.platform()}\n{trace}"
    )
