"""Reads a job and all that it takes from outside: the files it names, the environment, the date."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.manifest.build import Surroundings, build
from batchgen.manifest.survey import survey
from batchgen.store.inputs import inspect_image

if TYPE_CHECKING:
    from pathlib import Path

    from batchgen.manifest.manifest import Manifest

MOST_BYTES = 32 * 1024 * 1024


def new_run_id() -> str:
    """A name for one invocation that sorts by its time, as 20261122T023011Z-3f9c."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def load_job(path: Path, *, run_id: str, provider: str | None = None) -> Manifest:
    """The manifest of the job at `path`, `provider` in place of its own if given; UsageError says what is wrong."""
    surroundings = Surroundings(
        environment=os.environ,
        inspect_image=partial(inspect_image, base=path.parent),
        stamps={"date": f"{datetime.now().astimezone():%Y-%m-%d}", "run": run_id},
        provider=provider,
    )
    manifest = build(_read(path), str(path), surroundings)
    survey(manifest)
    return manifest


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist" if not path.exists() else "is not a file"
            raise UsageError(f"{path}: {what}; give the path of a job, such as jobs/quickstart.yaml")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: larger than {MOST_BYTES >> 20} MiB; put its prompts into a data file")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}; check its permissions") from None
