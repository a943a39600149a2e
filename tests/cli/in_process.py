"""batchgen's command line called in this process, which saves the start of one."""

from __future__ import annotations

from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from os import environ
from typing import TYPE_CHECKING
from unittest.mock import patch

from processes import NOTHING, Ended

from batchgen.cli.exits import exits
from batchgen.cli.main import batchgen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def called(*args: str, cwd: Path, env: Mapping[str, str] = NOTHING) -> Ended:
    """What `batchgen ARGS` says in a folder, and how it ends."""
    out, err = StringIO(), StringIO()
    code: object = 0
    with chdir(cwd), patch.dict(environ, env), redirect_stdout(out), redirect_stderr(err):
        try:
            with exits():
                batchgen.main(list(args), prog_name="batchgen", standalone_mode=False)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Ended(code=code, out=out.getvalue(), err=err.getvalue())
