"""The command line of the sandbox. Everything heavy is imported once the command runs."""

import asyncio
import re
import sys
from typing import Any

import click

from batchgen.sandbox.faults import Fault
from batchgen.sandbox.options import settings_of, with_options
from batchgen.sandbox.settings import Settings

_WIDEST = max(map(len, Fault))
_KINDS = "\n".join(f"  {fault:<{_WIDEST}} {fault.meaning}{'' if fault.billed else ' (not billed)'}" for fault in Fault)

_HELP = f"""\b
Example:
  batchgen sandbox --port 8100 --latency 2 --fail 500=0.02 --fail cut=0.01

Serve the image API on this machine, with pictures of its own: the same requests as the real one, checked as strictly,
at no cost. Change only the address and the key. GET /log tells every request and what it would have billed
(?since=N: those after the N-th; ?summary=1: the sums alone). POST /control changes limits and faults as it runs.

\b
What --fail and /control's script know:
{_KINDS}
"""


class _Command(click.Command):
    """Takes `--retry-after -1` too, where click, as the value may be missing, sees an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click: a negative number gets a space before it, which every reader of a value ignores."""
        return super().parse_args(ctx, [re.sub(r"^(--retry-after=)?(?=-\d)", r"\1 ", arg) for arg in args])


@click.command(
    name="sandbox", cls=_Command, help=_HELP, short_help="Serve the API on this machine, painting its own pictures."
)
@with_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Run the sandbox until it is told to end."""
    try:
        settings = settings_of(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    context.exit(_serve(settings, options))


def _serve(settings: Settings, options: dict[str, Any]) -> int:
    from batchgen.sandbox import lifetime  # noqa: PLC0415 - the server is slow to import, --help is not

    def announce(whereabouts: dict[str, str | int]) -> None:
        as_json = options["as_json"]
        click.echo(lifetime.json_line(whereabouts) if as_json else lifetime.friendly_lines(whereabouts, settings.key))
        sys.stdout.flush()

    serving = lifetime.serve(
        settings, options["host"], options["port"], announce, with_parent=options["end_with_parent"]
    )
    try:
        return asyncio.run(serving)
    except lifetime.PortTaken as error:
        click.echo(f"batchgen sandbox: {error}", err=True)
    except OSError as error:
        click.echo(f"batchgen sandbox: {error.filename}: {error.strerror}; choose another file with --log", err=True)
    return 2
