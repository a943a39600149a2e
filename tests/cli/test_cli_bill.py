"""The bill: what the ledger says is what the server's own log says, whatever went wrong on the way."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from in_process import called
from processes import KEY, Mark, assert_whole, batchgen, events, job_for, outside_sandbox, pictures

if TYPE_CHECKING:
    from pathlib import Path

USD = 0.065
"""A picture of sd3-large."""
FAULTS = ("500=0.05", "reset=0.02", "cut=0.02", "html=0.01", "hang=0.01")


def test_every_request_is_an_attempt_and_every_cent_is_told(tmp_path: Path) -> None:
    options = [option for fault in FAULTS for option in ("--fail", fault)]
    with outside_sandbox("--limit", "none", "--seed", "3", *options) as sandbox:
        job = job_for(sandbox.url, seeds="1..150", more="retry: {paid: 3}\n").replace("kind:", "timeout: 2s, kind:")
        (tmp_path / "otters.yaml").write_text(job)
        ended = batchgen("run", "otters.yaml", "--json", cwd=tmp_path, env=KEY)
        log = sandbox.log()
    assert ended.code == 0, ended.err
    last = events(ended.out)[-1]
    found = json.loads(called("status", "output/otters", "--json", cwd=tmp_path).out)
    met = Counter(each["fault"] for each in log)
    assert min(met["500"], met["cut"], met["reset"] + met["hang"]) > 0
    assert found["made"] == 300 == len(pictures(tmp_path / "output/otters"))
    assert found["attempts"] == len(log)
    billed = sum(each["billed_credits"] for each in log) / 100
    assert found["spent_usd"] == last["spent_usd"] == pytest.approx(billed)
    maybe = met["reset"] + met["hang"]
    assert found["at_most_usd"] == last["at_most_usd"] == pytest.approx(billed + maybe * USD)
    assert found["faults"]["OVERLOADED"] == met["500"]
    assert_whole(tmp_path / "output/otters")


def test_the_runs_events_are_kept_beside_its_pictures(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    ended = batchgen("run", "otters.yaml", "--json", cwd=tmp_path, env=KEY)
    said = events(ended.out)
    kept = (tmp_path / f"output/otters/runs/{said[0]['run']}.ndjson").read_text()
    without_time = [{key: value for key, value in each.items() if key != "at"} for each in said]
    assert [{key: value for key, value in each.items() if key != "at"} for each in events(kept)] == without_time
    assert (tmp_path / "output/otters/job.yaml").read_text() == (tmp_path / "otters.yaml").read_text()
