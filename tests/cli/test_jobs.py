"""Every example job is right and runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import called
from processes import assert_whole, batchgen, pictures

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("**/*.yaml"))


def test_there_are_examples_of_every_kind() -> None:
    kinds = {"quickstart", "styles", "seeds", "strengths", "dataset", "pairs", "nightly", "kitchen-sink"}
    assert kinds <= {path.stem for path in JOBS}


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_an_example_runs_on_the_sandbox(tmp_path: Path, job: Path) -> None:
    assert called("validate", str(job), cwd=tmp_path).code == 0
    ended = batchgen("run", str(job), "--provider", "sandbox", "--sample", "4", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, f"output/{job.stem}@sandbox\n"), ended.err
    folder = tmp_path / ended.out.strip()
    assert len(pictures(folder)) == 4
    assert_whole(folder)
