"""`batchgen run`: make the pictures of a job."""

from __future__ import annotations

import os
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
@click.option("--fresh", is_flag=True, help="Begin a new folder, named for this run, and make everything anew.")
@click.option("--replace", is_flag=True, help="Move pictures that a changed job makes anew to replaced/.")
@options.max_cost
@options.max_images
@options.concurrency
@options.rate_limit
@click.option("--json", "as_json", is_flag=True, help="Print the run's events on stdout, a JSON object a line.")
@options.quiet
@options.verbose
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
    fresh: bool,
    replace: bool,
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
    from batchgen.cli.making import make_pictures
    from batchgen.cli.progress import voice
    from batchgen.due import Part
    from batchgen.job import load_job, new_run_id
    from batchgen.run import RunSettings
    from batchgen.store.rows import Asked

    run_id = new_run_id()
    overrides = [*overrides, *options.caps(max_cost, max_images)]
    manifest = load_job(job, run_id=run_id, provider=provider, overrides=overrides)
    folder = options.output_folder(manifest, output, provider)
    settings = RunSettings(
        run_id=run_id,
        output=folder.with_name(f"{folder.name}-{run_id}") if fresh else folder,
        environment=os.environ,
        asked=Asked(job=str(job.absolute()), provider=provider, overrides=overrides),
        replace=replace,
        part=Part(only=only, sample=sample, limit=limit),
        concurrency=concurrency,
        rate_limit=rate_limit,
    )
    make_pictures(manifest, settings, voice(quiet=quiet, verbose=verbose), json_lines=as_json)
