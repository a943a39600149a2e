"""Jobs as texts, read in an environment of the tests' own, and what came of them in short forms."""

from __future__ import annotations

import hashlib
from functools import partial
from io import StringIO
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from batchgen.errors import ManifestError
from batchgen.manifest.build import Surroundings, build
from batchgen.manifest.reading.reader import read
from batchgen.model import InputImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchgen.errors import Problem
    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.reading.document import Document
    from batchgen.model import Task

STAMPS = {"date": "2026-11-22", "run": "20261122T023011Z-3f9c"}


def inspect_image(path: str) -> InputImage:
    """An input image whose content is its name, in whatever folder; one that is called missing is not there."""
    if "missing" in path:
        raise ValueError(f"{path} does not exist; give the path of an image")
    return InputImage(
        path=path,
        file=f"/jobs/{path}",
        sha256=hashlib.sha256(path.rpartition("/")[2].encode()).hexdigest(),
        size_bytes=9,
        modified_ns=1,
        media_type="image/png",
    )


def job(
    text: str | bytes,
    *,
    environment: Mapping[str, str] | None = None,
    provider: str | None = None,
    file: str = "jobs/animals.yaml",
    files: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Manifest:
    """The manifest of a job's text, with the data files that it names."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    surroundings = Surroundings(
        environment=environment or {},
        inspect_image=inspect_image,
        stamps=STAMPS,
        provider=provider,
        lines=partial(_lines, files or {}),
        overrides=overrides,
    )
    return build(data, file, surroundings)


def _lines(files: Mapping[str, str], path: str) -> Iterator[str]:
    if path not in files:
        raise ValueError(f"{path} does not exist; give the path of a data file")
    return iter(StringIO(files[path], newline=""))


def document(text: str | bytes, **environment: str) -> Document:
    """A job's text as plain values with their places."""
    return read(text if isinstance(text, bytes) else dedent(text).encode(), "job.yaml", environment)


def values(text: str | bytes, **environment: str) -> Any:
    """The plain values of a job's text."""
    return document(text, **environment).values


def problems(text: str | bytes, **environment: str) -> tuple[Problem, ...]:
    """Everything that is wrong with a job."""
    with pytest.raises(ManifestError) as caught:
        job(text, environment=environment)
    return caught.value.problems


def data_errors(text: str, files: Mapping[str, str]) -> list[str]:
    """Everything that is wrong with a job and its data files."""
    with pytest.raises(ManifestError) as caught:
        job(text, files=files, file="job.yaml")
    return str(caught.value).splitlines()


def errors(text: str | bytes, **environment: str) -> list[str]:
    """Everything that is wrong with a job, each as `line:column: path: cause; accepted`."""
    return [problem.headline("").removeprefix(":") for problem in problems(text, **environment)]


def only_error(text: str | bytes, **environment: str) -> str:
    """The one thing that is wrong with a job."""
    (found,) = errors(text, **environment)
    return found


def fields(task: Task) -> dict[str, str]:
    """A task's form fields."""
    return dict(task.request.fields)


def column(manifest: Manifest, name: str) -> list[str | None]:
    """One field of every task, in order."""
    return [fields(task).get(name) for task in manifest]


def rows(manifest: Manifest, *names: str) -> list[str]:
    """The named fields of every task, in order, a line each; `-` where one is not sent."""
    return [" ".join(fields(task).get(name, "-") for name in names) for task in manifest]


def ids(manifest: Manifest) -> list[str]:
    """Every task's id, in order."""
    return [task.id for task in manifest]
