"""`batchgen run`: make the pictures of a job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from batchgen.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchgen.model import RateLimit


@click.command(short_help="Make the pictures of a job.")
@options.job
@options.output
@options.provider
@options.overrides
@options.only
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Make N pictures that show all values.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Make at most N pictures now.")
@click.option("--max-cost", metavar="USD", help="Spend at most so much for this folder, in its whole life.")
@click.option("--max-images", type=click.IntRange(min=1), metavar="N", help="Let this folder have at most N pictures.")
@options.concurrency
@options.rate_limit
@click.option("--json", "as_json", is_flag=True, help="Print the run's events on stdout, a JSON object a line.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say what becomes of each task.")
def run(  # noqa: PLR0913 - one argument for each option
    job: Path,
    output: Path | None,
    provider: str | None,
    overrides: Sequence[str],
    only: Sequence[str],
    sample: int | None,
    limit: int | None,
    max_cost: str | None,
    max_images: int | None,
    concurrency: int | None,
    rate_limit: RateLimit | None,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """\b
    Example: batchgen run jobs/quickstart.yaml
    Example: batchgen run jobs/styles.yaml --provider sandbox --only style_preset=[anime,origami]

    Make the pictures of JOB that are not made yet. What is made stays and is never asked for again: run a job twice
    and the second time sends nothing. Ctrl-C stops in order; run it again to go on.

    Progress goes to stderr. On stdout stands the folder of the pictures, or with --json the run's events.
    """
    import anyio

    from batchgen.cli.exits import OF_ENDING
    from batchgen.cli.progress import Voice, progress
    from batchgen.due import Part
    from batchgen.job import load_job, new_run_id
    from batchgen.run import RunSettings
    from batchgen.run import run as make
    from batchgen.store.rows import Asked

    if max_cost is not None:
        overrides = (*overrides, f"limits.max_cost={max_cost}")
    if max_images is not None:
        overrides = (*overrides, f"limits.max_images={max_images}")
    voice = Voice.QUIET if quiet else Voice.VERBOSE if verbose else Voice.NORMAL
    run_id = new_run_id()
    manifest = load_job(job, run_id=run_id, provider=provider, overrides=overrides)
    settings = RunSettings(
        run_id=run_id,
        output=options.output_folder(manifest, output, provider),
        environment=os.environ,
        asked=Asked(job=str(job.absolute()), provider=provider, overrides=overrides),
        part=Part(only=only, sample=sample, limit=limit),
        concurrency=concurrency,
        rate_limit=rate_limit,
    )
    with progress(voice, json_lines=as_json, warnings=manifest.warning_lines()) as show:
        ended = anyio.run(make, manifest, settings, show)
    if not as_json:
        click.echo(settings.output)
    sys.exit(OF_ENDING[ended.ending])
