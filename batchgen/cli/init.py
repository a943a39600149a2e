"""`batchgen init`: a first job to edit."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from batchgen.cli import options

SCHEMA = "batchgen.schema.json"
STARTER = """\
# yaml-language-server: $schema={schema}
# Check it with `batchgen validate {job}`, price it with `batchgen plan {job}`,
# try it free of charge with `batchgen run {job} --provider sandbox`.

# provider: sandbox                # paints on this machine; without this line: the gateway, with GATEWAY_API_KEY

defaults:
  model: sd3-large-turbo           # batchgen models lists them all

vars:
  animal: [fox, owl]               # a list is an axis of the prompts that name it

prompts:
  - a {{{{animal}}}} in deep snow, golden light
  - id: portrait                   # a name that stays when the text changes
    prompt: portrait of a {{{{animal}}}}
    negative_prompt: blurry, text
    model: sd3-large               # pinned for this prompt

sweep:                             # every combination; the first key varies slowest
  ratios: [1:1, 16:9]
  seeds: 1..2
"""


@click.command(short_help="Write a first job to edit.")
@click.argument("job", type=options.PATH, default=Path("job.yaml"))
def init(job: Path) -> None:
    """\b
    Example: batchgen init jobs/animals.yaml

    Write a first JOB to edit (job.yaml where none is named) and, beside it, the schema that lets an editor complete
    and check it. Nothing that is there is written over.
    """
    from batchgen.cli.schema import schema_text
    from batchgen.errors import StorageError, UsageError

    schema = job.parent / SCHEMA
    try:
        job.parent.mkdir(parents=True, exist_ok=True)
        with job.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(schema=SCHEMA, job=shlex.quote(str(job))))
        if not schema.exists():
            schema.write_text(schema_text(), encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{error.filename}: is there already; give another name, or remove it") from None
    except OSError as error:
        raise StorageError(f"{job}: can't be written: {error.strerror}; choose another folder") from None
    click.echo(job)
    click.echo(f"edit it, then: batchgen run {shlex.quote(str(job))} --provider sandbox", err=True)
