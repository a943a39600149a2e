"""`batchgen validate`: is a job right?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from batchgen.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@click.command(short_help="Check jobs and say all that is wrong with them.")
@click.argument("jobs", nargs=-1, required=True, type=options.PATH)
@options.provider
@options.overrides
@options.as_json
def validate(jobs: tuple[Path, ...], provider: str | None, overrides: Sequence[str], *, as_json: bool) -> None:
    """\b
    Example: batchgen validate jobs/*.yaml

    Check JOBS and say everything that is wrong with them. Nothing is sent.
    """
    from batchgen.cli.exits import USAGE
    from batchgen.errors import ManifestError, UsageError, shown, shown_json
    from batchgen.job import load_job, new_run_id
    from batchgen.manifest.survey import survey

    wrong = 0
    for path in jobs:
        tasks: int | None = None
        problems: list[str] = []
        warnings: list[str] = []
        try:
            manifest = load_job(path, run_id=new_run_id(), provider=provider, overrides=overrides)
            warnings += manifest.warning_lines()
            tasks = survey(manifest).tasks
        except UsageError as error:
            wrong += 1
            problems += str(error).split("\n")
            warnings += error.warning_lines() if isinstance(error, ManifestError) else []
            click.echo(error.render() if isinstance(error, ManifestError) else shown(f"batchgen: {error}"), err=True)
        for warning in warnings:
            click.echo(warning, err=True)
        if as_json:
            found = {
                "job": str(path),
                "valid": not problems,
                "tasks": tasks,
                "problems": problems,
                "warnings": warnings,
            }
            click.echo(shown_json(found))
        elif not problems:
            click.echo(f"{shown(str(path))}: right, {tasks:,} task{'' if tasks == 1 else 's'}")
    sys.exit(USAGE if wrong else 0)
