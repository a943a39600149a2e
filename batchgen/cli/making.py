"""What the commands that make pictures share: the run, shown, and its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from batchgen.cli.progress import Voice
    from batchgen.manifest.manifest import Manifest
    from batchgen.run import RunSettings


def make_pictures(manifest: Manifest, settings: RunSettings, voice: Voice, *, json_lines: bool) -> NoReturn:
    """Make them, and exit; on stdout stands the folder, or each event as a line of JSON."""
    import anyio

    from batchgen.cli.exits import OF_ENDING
    from batchgen.cli.progress import progress
    from batchgen.run import run

    with progress(voice, json_lines=json_lines, warnings=manifest.warning_lines()) as show:
        ended = anyio.run(run, manifest, settings, show, backend_options={"use_uvloop": True})
    if not json_lines:
        click.echo(settings.output)
    sys.exit(OF_ENDING[ended.ending])
