"""`batchgen plan`: what a job would make; nothing is sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from batchgen.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.survey import Survey
    from batchgen.model import Task


@click.command(short_help="Count, price and list what a job would make.")
@options.job
@options.provider
@click.option("--first", type=click.IntRange(min=0), default=10, show_default=True, help="How many tasks to list.")
@options.as_json
def plan(job: Path, provider: str | None, first: int, *, as_json: bool) -> None:
    """\b
    Example: batchgen plan jobs/quickstart.yaml

    Count and list what JOB would make, price it and say how long it takes at the limit. Nothing is sent.
    """
    from batchgen.job import load_job, new_run_id
    from batchgen.manifest.survey import distinct, survey

    manifest = load_job(job, run_id=new_run_id(), provider=provider)
    found = survey(manifest)
    tasks = list(islice(distinct(manifest), first))
    for warning in manifest.warning_lines():
        click.echo(warning, err=True)
    if as_json:
        click.echo(json.dumps(_as_json(found, tasks), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_lines(manifest, found, tasks)))


def _as_json(found: Survey, tasks: list[Task]) -> dict[str, Any]:
    listed = [
        {"index": task.index, "id": task.id, "path": f"images/{task.stem}", "fields": dict(task.request.fields)}
        for task in tasks
    ]
    return {**asdict(found), "first": listed}


def _lines(manifest: Manifest, found: Survey, tasks: list[Task]) -> list[str]:
    from batchgen.cli.wording import duration, pictures, usd

    price = "at a price that is not known" if found.cost_usd is None else f"about {usd(found.cost_usd)}"
    again = f" ({found.duplicates:,} listed again and made once)" if found.duplicates else ""
    limit = f", at least {duration(found.seconds_at_limit)} at the limit" if found.seconds_at_limit else ""
    lines = [f"{manifest.name}: {pictures(found.tasks)}{again}, {price}{limit}"]
    for prompt in manifest.prompts:
        axes = [f"{len(axis.values):,} {axis.name}" for axis in prompt.axes if not axis.pinned]
        axes += [f"{prompt.repeat} repeats"] if prompt.repeat > 1 else []
        lines.append(f"  {prompt.id}: {prompt.count:,}" + (f" = {' x '.join(axes)}" if axes else ""))
    lines += [f"  {task.index:>6}  {task.id[:12]}  images/{task.stem}" for task in tasks]
    rest = found.tasks - len(tasks)
    return lines + ([f"  … and {rest:,} more (--first {found.tasks} lists them)"] if rest > 0 and tasks else [])
