"""`batchgen`: the commands by name."""

from __future__ import annotations

import logging
import sys

import click

from batchgen import __version__
from batchgen.cli.exits import exits
from batchgen.cli.init import init
from batchgen.cli.models import models
from batchgen.cli.plan import plan
from batchgen.cli.replay import replay
from batchgen.cli.retry import retry
from batchgen.cli.run import run
from batchgen.cli.schema import schema
from batchgen.cli.status import status
from batchgen.cli.validate import validate
from batchgen.cli.verify import verify
from batchgen.keys import HidesKeys
from batchgen.sandbox.command import command as sandbox


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="batchgen %(version)s")
def batchgen() -> None:
    """\b
    Example: batchgen run jobs/quickstart.yaml

    Turn a YAML job into a dataset of generated pictures, within the API's rate limit, without losing a picture or
    paying for one twice.
    """


for each in (run, plan, validate, init, schema, models, status, retry, verify, replay, sandbox):
    batchgen.add_command(each)


def main() -> None:
    """Run the command line and exit with the code that its ending has."""
    with exits():
        if logging.lastResort is not None:  # where warnings of the event loop and of libraries go
            logging.lastResort.addFilter(HidesKeys())
        code = batchgen.main(prog_name="batchgen", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
