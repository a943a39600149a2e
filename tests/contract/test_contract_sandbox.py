"""Whole runs against the sandbox as a process: its own log is the witness."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import canary
import pytest
from PIL import Image
from processes import outside_sandbox
from whole_runs import Whole, job_text, run_text

from batchgen.events import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processes import OutsideSandbox


def _hashes(whole: Whole) -> list[str]:
    return sorted(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (whole.folder / "images").rglob("*")
        if path.is_file() and path.suffix != ".json"
    )


def _assert_as_witnessed(whole: Whole, log: list[dict[str, Any]], tasks: int) -> None:
    """Every picture once; the folder, the sidecars and the server's log agree; attempts are requests."""
    assert (whole.ended.ending, whole.ended.made) == (Ending.COMPLETE, tasks)
    sidecars = whole.sidecars()
    assert len({each["task"]["id"] for each in sidecars}) == tasks
    delivered = sorted(each["picture_sha256"] for each in log if each["status"] == 200 and not each["fault"])
    assert _hashes(whole) == sorted(each["picture"]["sha256"] for each in sidecars) == delivered
    assert sum(len(each["attempts"]) for each in sidecars) == len(log)
    assert not [path for path in whole.folder.rglob("*") if ".part" in path.name]


FAULTS = {
    "none": (),
    "errors": ("--fail", "500=0.3"),
    "cuts": ("--fail", "cut=0.08"),
    "dropped": ("--fail", "drop=0.2"),
    "throttled": ("--fail", "429=0.01", "--penalty", "0.3"),
    "all": ("--fail", "500=0.1", "--fail", "cut=0.02", "--fail", "drop=0.1", "--jitter", "0.05"),
}


@pytest.fixture(params=list(FAULTS.values()), ids=list(FAULTS))
def faulty(request: pytest.FixtureRequest) -> Iterator[OutsideSandbox]:
    """A sandbox for each kind of fault, the same requests going wrong each time."""
    with outside_sandbox("--limit", "none", "--seed", "5", *request.param) as sandbox:
        yield sandbox


async def test_every_picture_once_whatever_goes_wrong(tmp_path: Path, faulty: OutsideSandbox) -> None:
    job = {"prompts": ["a fox", "an owl"], "sweep": {"seed": list(range(1, 7)), "output_format": ["png", "jpeg"]}}
    whole = await run_text(tmp_path, job_text(faulty.url, job), key=canary.KEY)
    _assert_as_witnessed(whole, faulty.log(), 24)


async def test_what_was_billed_is_what_the_server_billed(tmp_path: Path) -> None:
    with outside_sandbox("--limit", "none", "--seed", "5", "--fail", "cut=0.1", "--fail", "500=0.1") as sandbox:
        job = {"prompts": ["a fox"], "sweep": {"seed": list(range(1, 21))}}
        whole = await run_text(tmp_path, job_text(sandbox.url, job), key=canary.KEY)
        billed = sum(each["billed_credits"] for each in sandbox.log())
    assert whole.ended.spent_usd == pytest.approx(billed / 100)


async def test_the_limit_is_never_passed(tmp_path: Path) -> None:
    # The job's limit is the server's own; between them is the limiter's margin, 150 ms of a window of 6 s.
    with outside_sandbox("--limit", "30/6s", "--penalty", "2") as sandbox:
        job = {"prompts": ["a fox"], "sweep": {"seed": list(range(1, 71))}}
        whole = await run_text(tmp_path, job_text(sandbox.url, job, rate_limit="30/6s"), key=canary.KEY)
        log = sandbox.log()
    assert {each["status"] for each in log} == {200}
    _assert_as_witnessed(whole, log, 70)
    assert whole.retried == []


async def test_a_limit_that_is_tighter_than_the_job_knows_costs_time_alone(tmp_path: Path) -> None:
    with outside_sandbox("--limit", "20/1s", "--penalty", "1", "--retry-after") as sandbox:
        job = {"prompts": ["a fox"], "sweep": {"seed": list(range(1, 36))}}
        whole = await run_text(tmp_path, job_text(sandbox.url, job), key=canary.KEY)
        log = sandbox.log()
    assert {each["status"] for each in log} == {200, 429}
    _assert_as_witnessed(whole, log, 35)
    assert sum(each["billed"] for each in log) == 35


async def test_image_to_image_keeps_its_input_at_strength_0(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(tmp_path / "input.png")
    job = {"prompts": ["a fox"], "defaults": {"image": "input.png", "seed": 7}, "sweep": {"strength": [0, 1]}}
    with outside_sandbox() as sandbox:
        whole = await run_text(tmp_path, job_text(sandbox.url, job), key=canary.KEY)
        _assert_as_witnessed(whole, sandbox.log(), 2)
    kept, new = (Image.open(whole.folder / made.picture) for made in sorted(whole.made, key=lambda each: each.index))
    with Image.open(tmp_path / "input.png") as given, kept, new:
        assert kept.convert("RGB").tobytes() == given.tobytes()
        assert new.convert("RGB").resize(given.size).tobytes() != given.tobytes()
