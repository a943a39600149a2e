"""What the command line of the sandbox can be told, and the settings that this makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from batchgen.sandbox import catalogue
from batchgen.sandbox.faults import Flap, Span, parse_rate
from batchgen.sandbox.headers import RateHeaders, check_retry_after
from batchgen.sandbox.limits import parse_limits
from batchgen.sandbox.settings import DOCUMENTED_PENALTY_S, Settings, Size

T = TypeVar("T")
Command = Callable[..., Any]

_SECONDS = click.FloatRange(min=0)


def with_options(command: Command) -> Command:
    """The command, taking all of these."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_of(options: dict[str, Any]) -> Settings:
    """What the options say. Raises ValueError for what can't be together."""
    return Settings(
        key=options["key"],
        size=Size(options["size"]),
        latency_s=options["latency"],
        jitter_s=options["jitter"],
        limits=options["limit"],
        penalty_s=options["penalty"],
        halve_after_s=options["halve_after"],
        restore_after_s=options["restore_after"],
        arrival_jitter_s=options["arrival_jitter"],
        retry_after=options["retry_after"],
        rate_headers=RateHeaders(options["rate_headers"]),
        credits=options["credits"],
        refuse=options["refuse"],
        filter=options["filter"],
        fail=dict(options["fail"]),
        redirect_to=options["redirect_to"] or Settings().redirect_to,
        outages=tuple(options["outage"]),
        flap=options["flap"],
        seed=options["seed"],
        log_file=options["log_file"],
        models={**catalogue.MODELS, **dict(options["models"])},
    )


def _reads(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that parses one text, or each of several."""

    def read(value: Any) -> Any:
        if value is None:
            return None
        return [parse(text) for text in value] if isinstance(value, tuple) else parse(value)

    return _whole(read)


def _whole(read: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that reads all values of an option at once."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option("--port", type=click.IntRange(0, 65535), default=8100, show_default=True, help="0: any free one."),
    click.option("--key", default="sandbox", show_default=True, help="The API key to accept."),
    click.option(
        "--size",
        type=click.Choice(["full", "small"]),
        default="full",
        show_default=True,
        help="full: about a megapixel; small: 64 pixels on the shorter side, for tests.",
    ),
    click.option("--latency", type=_SECONDS, default=0, metavar="SECONDS", help="Time before each picture."),
    click.option("--jitter", type=_SECONDS, default=0, metavar="SECONDS", help="Up to this much more latency."),
    click.option(
        "--limit",
        multiple=True,
        default=["150/10s"],
        show_default=True,
        metavar="LIMIT",
        callback=_whole(parse_limits),
        help="150/10s: requests in any so many seconds. fixed:150/10s: the same, begun anew at whole multiples of the "
        "clock. rejections:150/10s: refused requests count too. bucket:15/s:15: tokens back a second, tokens at most. "
        "leaky:15/s: a bucket of one. concurrency:8: being answered at a time. none. Repeatable: all hold together.",
    ),
    click.option(
        "--penalty",
        type=_SECONDS,
        default=DOCUMENTED_PENALTY_S,
        show_default=True,
        metavar="SECONDS",
        help="How long everything is refused once a limit like 150/10s was passed.",
    ),
    click.option("--halve-after", type=_SECONDS, metavar="SECONDS", help="Halve the limits then, after the start."),
    click.option("--restore-after", type=_SECONDS, metavar="SECONDS", help="Restore them then, after the start."),
    click.option(
        "--arrival-jitter",
        type=_SECONDS,
        default=0,
        metavar="SECONDS",
        help="A request counts up to this much after its arrival; one may so overtake another.",
    ),
    click.option(
        "--retry-after",
        is_flag=False,
        flag_value="seconds",
        default="none",
        show_default=True,
        metavar="[FORM]",
        callback=_reads(check_retry_after),
        help="How a 429 says Retry-After; the real API does not. none, seconds (also without a FORM), date, twice (two "
        "lines), or the very text to say, as -1.",
    ),
    click.option(
        "--rate-headers",
        type=click.Choice([form.value for form in RateHeaders]),
        default="none",
        show_default=True,
        help="Tell how the limits stand with every answer. x: X-RateLimit-*; ietf: RateLimit and RateLimit-Policy; "
        "policy: the latter alone.",
    ),
    click.option("--credits", type=_SECONDS, metavar="N", help="What may be billed in all; then 402."),
    click.option("--refuse", multiple=True, metavar="WORD", help="Moderation refuses prompts with it. Repeatable."),
    click.option("--filter", multiple=True, metavar="WORD", help="Prompts with it get a blurred picture. Repeatable."),
    click.option(
        "--fail",
        multiple=True,
        metavar="KIND=RATE",
        callback=_reads(parse_rate),
        help="Fail this share of requests, in one of the ways above. Repeatable.",
    ),
    click.option("--redirect-to", metavar="URL", help="Where the redirects to another host lead."),
    click.option(
        "--outage",
        multiple=True,
        metavar="FROM..TO",
        callback=_reads(Span.parse),
        help="Everything is 503 between these seconds after the start. Repeatable.",
    ),
    click.option(
        "--flap",
        metavar="UP/DOWN",
        callback=_reads(Flap.parse),
        help="Seconds up, then seconds of 503, again and again.",
    ),
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME=LIKE",
        callback=_reads(catalogue.parse_model),
        help="Offer one more model, which takes what LIKE takes and costs what it costs. Repeatable.",
    ),
    click.option("--seed", type=int, help="Repeat which requests fail, and the seeds that the server picks."),
    click.option(
        "--log",
        "log_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Also append the log to this file, a JSON line for each request.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Say where it is as one line of JSON."),
    click.option("--end-with-parent", is_flag=True, help="End when stdin closes; leave Ctrl-C to the parent."),
)
