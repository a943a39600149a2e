"""The command line of the sandbox. Everything heavy is imported once the command runs."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from batchgen.sandbox import catalogue
from batchgen.sandbox.faults import parse_rate
from batchgen.sandbox.limits import Window
from batchgen.sandbox.settings import DOCUMENTED_PENALTY_S, Settings, Size

T = TypeVar("T")

_SECONDS = click.FloatRange(min=0)


_HELP = """\b
Example:
  batchgen sandbox --port 8100 --latency 2 --fail 500=0.02 --fail cut=0.01

Serve the image API on this machine, with pictures of its own: the same requests as the real one, checked as strictly,
at no cost. Change only the address and the key. GET /log tells every request and what it would have billed.
"""


def _reads(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that parses one text, or each of several."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        try:
            return [parse(text) for text in value] if isinstance(value, tuple) else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


@click.command(name="sandbox", help=_HELP, short_help="Serve the API on this machine, painting its own pictures.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8100, show_default=True, help="0: any free one.")
@click.option("--key", default="sandbox", show_default=True, help="The API key to accept.")
@click.option(
    "--size",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="full: about a megapixel; small: 64 pixels on the shorter side, for tests.",
)
@click.option("--latency", type=_SECONDS, default=0, metavar="SECONDS", help="Time before each picture.")
@click.option("--jitter", type=_SECONDS, default=0, metavar="SECONDS", help="Up to this much more latency.")
@click.option(
    "--limit",
    default="150/10s",
    show_default=True,
    metavar="N/SECONDSs",
    callback=_reads(Window.parse),
    help="Requests in any so many seconds, or none.",
)
@click.option(
    "--penalty",
    type=_SECONDS,
    default=DOCUMENTED_PENALTY_S,
    show_default=True,
    metavar="SECONDS",
    help="How long everything is refused once the limit was passed.",
)
@click.option("--retry-after", is_flag=True, help="Say Retry-After when refusing; the real API does not.")
@click.option(
    "--fail",
    multiple=True,
    metavar="KIND=RATE",
    callback=_reads(parse_rate),
    help="Fail this share of requests: 429, 500, cut (half a picture), drop (no answer), "
    "hang (never an answer). Repeatable.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=LIKE",
    callback=_reads(catalogue.parse_model),
    help="Offer one more model, which takes what LIKE takes and costs what it costs. Repeatable.",
)
@click.option("--seed", type=int, help="Repeat which requests fail, and the seeds that the server picks.")
@click.option(
    "--log",
    "log_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also append the log to this file, a JSON line for each request.",
)
@click.option("--json", "as_json", is_flag=True, help="Say where it is as one line of JSON.")
@click.option("--end-with-parent", is_flag=True, help="End when stdin closes; leave Ctrl-C to the parent.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Run the sandbox until it is told to end."""
    try:
        settings = _settings(options)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--fail'") from None
    context.exit(_serve(settings, options))


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        key=options["key"],
        size=Size(options["size"]),
        latency_s=options["latency"],
        jitter_s=options["jitter"],
        window=options["limit"],
        penalty_s=options["penalty"],
        retry_after=options["retry_after"],
        fail=dict(options["fail"]),
        seed=options["seed"],
        log_file=options["log_file"],
        models={**catalogue.MODELS, **dict(options["models"])},
    )


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
