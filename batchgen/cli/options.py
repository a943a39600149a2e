"""Options and arguments that several commands share. A flag stands over its environment variable, that over the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchgen.manifest.manifest import Manifest
    from batchgen.model import RateLimit


def _rate_limit(_context: click.Context, _parameter: click.Parameter, value: str | None) -> RateLimit | None:
    from batchgen.manifest.reading.units import rate_limit

    return None if value is None else _checked(rate_limit, value)


def _concurrency(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    from batchgen.manifest.reading.units import concurrency

    return None if value is None else _checked(concurrency, value)


def _checked(read: Callable[[object], Any], value: str) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


PATH = click.Path(path_type=Path)

job = click.argument("job", type=PATH)
output = click.option(
    "--output",
    type=PATH,
    envvar="BATCHGEN_OUTPUT",
    show_envvar=True,
    help="The folder for the pictures.  [default: output/<name of the job>]",
)
provider = click.option(
    "--provider",
    type=click.Choice(["gateway", "sandbox"]),
    envvar="BATCHGEN_PROVIDER",
    show_envvar=True,
    help="Who makes the pictures, in place of the job's provider; the sandbox is on this machine and free.",
)
concurrency = click.option(
    "--concurrency",
    metavar="N",
    envvar="BATCHGEN_CONCURRENCY",
    show_envvar=True,
    callback=_concurrency,
    help="Requests in flight at most.",
)
rate_limit = click.option(
    "--rate-limit",
    metavar="N/TIME",
    envvar="BATCHGEN_RATE_LIMIT",
    show_envvar=True,
    callback=_rate_limit,
    help="Requests in any such time, as 150/10s; unknown; or none.",
)
overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="A value in place of the job's, as defaults.model=sd-core.",
)
only = click.option(
    "--only", metavar="FIELD=VALUES", multiple=True, help="Only tasks with such values, as seed=1..4. Repeatable."
)
max_cost = click.option("--max-cost", metavar="USD", help="Spend at most so much for this folder, in its whole life.")
max_images = click.option(
    "--max-images", type=click.IntRange(min=1), metavar="N", help="Let this folder have at most N pictures."
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Say what becomes of each task.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def output_folder(manifest: Manifest, output: Path | None, provider: str | None) -> Path:
    """Where a job's pictures go; a rehearsal with another provider never mixes with the real thing."""
    return output or Path("output") / (f"{manifest.name}@{provider}" if provider else manifest.name)


def caps(max_cost: str | None, max_images: int | None) -> list[str]:
    """The caps of the command line as overrides: they stand over those of the job."""
    given = {"limits.max_cost": max_cost, "limits.max_images": max_images}
    return [f"{key}={value}" for key, value in given.items() if value is not None]
