"""`batchgen schema`: the JSON Schema of a job, for editors."""

from __future__ import annotations

import json

import click


@click.command(short_help="Print the JSON Schema of a job, for editors.")
def schema() -> None:
    """\b
    Example: batchgen schema > batchgen.schema.json

    Print the JSON Schema of a job (draft-07). An editor with a YAML language server completes and checks a job whose
    first line is: # yaml-language-server: $schema=batchgen.schema.json
    """
    click.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as it is kept in a file."""
    from batchgen.manifest.editors import job_schema

    return json.dumps(job_schema(), indent=2, ensure_ascii=False) + "\n"
