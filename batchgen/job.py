"""Reads a job and all that it takes from outside: the files it names, the environment, the date."""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.errors import UsageError
from batchgen.manifest.build import Surroundings, build
from batchgen.store.folder import JOB
from batchgen.store.inputs import inspect_image
from batchgen.store.ledger_file import look_at_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchgen.manifest.manifest import Manifest
    from batchgen.store.rows import Asked

MOST_BYTES = 32 * 1024 * 1024


def new_run_id() -> str:
    """A name for one invocation that sorts by its time, as 20261122T023011Z-3f9c."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def load_job(path: Path, *, run_id: str, provider: str | None = None, overrides: Sequence[str] = ()) -> Manifest:
    """The manifest of the job at `path`; `provider` and `key=value` overrides stand over its own words.

    Raises:
        UsageError: What is wrong with the job, or why it can't be read.
    """
    return read_job(_read(path), str(path), path.parent, run_id=run_id, provider=provider, overrides=overrides)


def job_as_last_run(folder: Path, *, run_id: str, overrides: Sequence[str] = ()) -> tuple[Manifest, Asked]:
    """The job that an output folder was last made from, and how it was asked for; `overrides` stand over all of that.

    Raises:
        UsageError: It is no output folder, or what the job names is no longer there.
    """
    ledger = look_at_ledger(folder) if folder.is_dir() else None
    if ledger is None:
        raise UsageError(f"{folder}: no run is on record there; give the folder that a run printed")
    with closing(ledger):
        asked = next((row.asked for row in reversed(ledger.runs())), None)
    if asked is None:
        raise UsageError(f"{folder}: no run is on record there; run the job again instead")
    copy = folder / JOB
    manifest = read_job(
        _read(copy),
        str(copy),
        Path(asked.job).parent,
        run_id=run_id,
        provider=asked.provider,
        overrides=[*asked.overrides, *overrides],
    )
    return manifest, asked


def read_job(  # noqa: PLR0913 - a job takes this much from outside
    data: bytes,
    file: str,
    folder: Path,
    *,
    run_id: str,
    provider: str | None = None,
    overrides: Sequence[str] = (),
) -> Manifest:
    """The manifest of a job's bytes; paths in it are relative to `folder`."""
    surroundings = Surroundings(
        environment=os.environ,
        inspect_image=partial(inspect_image, base=folder),
        lines=partial(_lines, folder),
        stamps={"date": f"{datetime.now().astimezone():%Y-%m-%d}", "run": run_id},
        provider=provider,
        overrides=overrides,
    )
    return build(data, file, surroundings)


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


def _lines(folder: Path, path: str) -> Iterator[str]:
    """The lines of a data file with their ends; ValueError says why it can't be read."""
    file = folder / path
    if not file.is_file():
        what = "is not a file" if file.exists() else "does not exist"
        raise ValueError(f"{path} {what}; paths are relative to the job, here {folder or '.'}")
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            yield from lines
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it as UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}; check its permissions") from None
