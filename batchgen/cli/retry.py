"""`batchgen retry`: try again what failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from batchgen.cli import options
from batchgen.model import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@click.command(short_help="Try again what failed.")
@click.argument("folder", type=options.PATH)
@click.option(
    "--fault",
    "faults",
    type=click.Choice([fault.value for fault in Fault], case_sensitive=False),
    multiple=True,
    help="Only tasks that ended so.  [default: all]",
)
@options.max_cost
@options.max_images
@click.option("--json", "as_json", is_flag=True, help="Print the run's events on stdout, a JSON object a line.")
@options.quiet
@options.verbose
def retry(  # noqa: PLR0913 - one argument for each option
    folder: Path,
    faults: Sequence[str],
    max_cost: str | None,
    max_images: int | None,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """\b
    Example: batchgen retry output/quickstart --fault REFUSED

    Try the failed tasks of FOLDER again, with the job as it was last run there; `batchgen status FOLDER` lists them.
    Tasks that the provider refused for good are only tried again this way. Nothing else is made.
    """
    from batchgen.cli.making import make_pictures
    from batchgen.cli.progress import voice
    from batchgen.due import Part
    from batchgen.job import job_as_last_run, new_run_id
    from batchgen.run import RunSettings

    run_id = new_run_id()
    manifest, asked = job_as_last_run(folder, run_id=run_id, overrides=options.caps(max_cost, max_images))
    settings = RunSettings(
        run_id=run_id,
        output=folder,
        environment=os.environ,
        asked=asked,
        part=Part(again=frozenset(map(Fault, faults)) or frozenset(Fault)),
    )
    make_pictures(manifest, settings, voice(quiet=quiet, verbose=verbose), json_lines=as_json)
