"""`batchgen replay`: make the request of a sidecar again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Make the request of a sidecar again.")
@click.argument("sidecar", type=options.PATH)
@options.output
@options.overrides
@click.option("--inputs", type=options.PATH, default=Path(), help="Where input images lie.  [default: this folder]")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def replay(sidecar: Path, output: Path | None, overrides: Sequence[str], inputs: Path, *, quiet: bool) -> None:
    """\b
    Example: batchgen replay output/quickstart/images/an-owl-on-a-branch-at-dusk/1-ukzjb6gzfq5d.json

    Make the request of SIDECAR again, field by field, into a folder of its own, and say whether the picture is the
    same. This is paid for as any request is.
    """
    import anyio

    from batchgen.cli.exits import OF_ENDING
    from batchgen.cli.progress import Voice, progress
    from batchgen.job import new_run_id
    from batchgen.replaying import picture_sha256, replay_job
    from batchgen.run import RunSettings
    from batchgen.run import run as make
    from batchgen.store.folder import picture_digests
    from batchgen.store.rows import Asked

    run_id = new_run_id()
    manifest = replay_job(sidecar, inputs, run_id=run_id, overrides=overrides)
    folder = output or Path("output") / f"{manifest.name}@replay-{run_id}"
    settings = RunSettings(
        run_id=run_id, output=folder, environment=os.environ, asked=Asked(job=str((inputs / sidecar.name).absolute()))
    )
    with progress(Voice.QUIET if quiet else Voice.NORMAL, json_lines=False, warnings=()) as show:
        ended = anyio.run(make, manifest, settings, show)
    same = picture_sha256(sidecar) in picture_digests(folder)
    if ended.made and not quiet:
        click.echo("the same picture, byte for byte" if same else "another picture than the sidecar's", err=True)
    click.echo(folder)
    sys.exit(OF_ENDING[ended.ending])
