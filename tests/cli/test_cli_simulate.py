"""`plan --simulate`: how long, how many requests and how much, before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from in_process import called
from processes import KEY, Mark, batchgen, events, job_for

from batchgen.rehearsal import rehearse

if TYPE_CHECKING:
    from pathlib import Path

JOB = "prompts: [a fox]\nsweep: {seeds: 1..450}\n"
LONG = "prompts: [a fox]\nsweep: {seeds: 1..4000}\n"
PRICE_USD = 0.065


def simulated(folder: Path, job: str, *options: str) -> dict[str, Any]:
    """What `plan --simulate --json` foretells of a job."""
    (folder / "otters.yaml").write_text(job)
    ended = called("plan", "otters.yaml", "--simulate", "--json", *options, cwd=folder)
    assert ended.code == 0, ended.err
    said: dict[str, Any] = json.loads(ended.out)["simulated"]
    return said


def lines(folder: Path, job: str, *options: str) -> list[str]:
    """What `plan --simulate` foretells of a job, for people."""
    (folder / "otters.yaml").write_text(job)
    ended = called("plan", "otters.yaml", "--simulate", *options, cwd=folder)
    assert ended.code == 0, ended.err
    before, _, after = ended.out.partition("  rehearsed ")
    assert before.startswith("otters: ")
    return [line.strip() for line in f"rehearsed {after}".splitlines()]


def test_a_rehearsal_tells_time_requests_and_cost(tmp_path: Path) -> None:
    found = simulated(tmp_path, JOB)
    assert (found["tasks"], found["rehearsed"]) == (450, 450)
    assert 20 + 4 < found["seconds"] <= 1.10 * (20 + 6)
    assert (found["requests"], found["rejected"], found["failed"]) == (450, 0, 0)
    assert (found["billed"], found["maybe_billed"]) == (450, 0)
    assert found["cost_usd"] == {"expected": pytest.approx(450 * PRICE_USD), "at_most": pytest.approx(450 * PRICE_USD)}
    assert found["waits"].keys() == {"the limit of 150/10s is used up"}
    assert found["assumed"] == "a limit of 150/10s, a 60 s penalty, 4 to 8 s an answer"


def test_people_are_told_the_same(tmp_path: Path) -> None:
    first, second, third = lines(tmp_path, JOB)
    assert first.startswith("rehearsed  2")
    assert first.endswith(" s for 450 tasks, $29.25")
    assert second == "450 requests, 0 rejected"
    assert third == "assuming a limit of 150/10s, a 60 s penalty, 4 to 8 s an answer"


def test_without_the_flag_nothing_is_rehearsed(tmp_path: Path) -> None:
    (tmp_path / "otters.yaml").write_text(JOB)
    assert "simulated" not in json.loads(called("plan", "otters.yaml", "--json", cwd=tmp_path).out)
    assert "rehearsed" not in called("plan", "otters.yaml", cwd=tmp_path).out


def test_nothing_is_sent_and_nothing_written(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    ended = batchgen("plan", "otters.yaml", "--simulate", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "for 4 tasks" in ended.out
    assert sandbox.requests() == []
    assert [path.name for path in tmp_path.iterdir()] == ["otters.yaml"]


def test_only_what_is_left_to_make_is_rehearsed(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url)
    (tmp_path / "otters.yaml").write_text(job)
    assert simulated(tmp_path, job, "--only", "seed=1")["tasks"] == 2
    ended = batchgen("run", "otters.yaml", "--only", "seed=1", "--json", cwd=tmp_path, env=KEY)
    assert events(ended.out)[-1]["made"] == 2
    found = simulated(tmp_path, job)
    assert (found["tasks"], found["requests"]) == (2, 2)
    assert found["cost_usd"]["expected"] == pytest.approx(2 * PRICE_USD)
    assert batchgen("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    done = simulated(tmp_path, job)
    assert (done["tasks"], done["seconds"], done["requests"]) == (0, 0, 0)
    assert done["cost_usd"] == {"expected": None, "at_most": None}


def test_latency_limit_and_concurrency_make_the_time(tmp_path: Path) -> None:
    slow = simulated(tmp_path, JOB, "--assume", "latency=60s")
    assert 20 + 60 <= slow["seconds"] <= 200
    narrow = simulated(tmp_path, f"provider: {{concurrency: 10}}\n{JOB}", "--assume", "latency=2s")
    assert narrow["seconds"] == pytest.approx(450 / 10 * 2)
    tight = simulated(tmp_path, JOB, "--assume", "limit=none", "--set", "provider.rate_limit=30/10s")
    assert tight["seconds"] == pytest.approx(14 * 10.25 + 8, abs=4)
    assert tight["rejected"] == 0


def test_a_limit_below_the_jobs_own_is_met(tmp_path: Path) -> None:
    found = simulated(tmp_path, JOB, "--assume", "limit=75/10s", "--assume", "penalty=90s")
    assert found["rejected"] > 0
    assert found["seconds"] > 90
    assert (found["failed"], found["billed"], found["requests"]) == (0, 450, 450 + found["rejected"])
    assert found["assumed"].startswith("a limit of 75/10s, a 90 s penalty, ")


def test_what_fails_is_foretold(tmp_path: Path) -> None:
    found = simulated(tmp_path, LONG, "--assume", "FILTERED=10%", "--assume", "TIMEOUT=5%")
    assert found["failed"] == pytest.approx(400 / 0.95, rel=0.2)
    assert found["billed"] == 4000 - found["failed"]
    assert found["maybe_billed"] == found["requests"] - 4000 == pytest.approx(210, rel=0.25)
    expected, at_most = found["cost_usd"]["expected"], found["cost_usd"]["at_most"]
    assert expected == pytest.approx(found["billed"] * PRICE_USD)
    assert at_most == pytest.approx((found["billed"] + found["maybe_billed"]) * PRICE_USD)
    first, second, _ = lines(tmp_path, LONG, "--assume", "FILTERED=10%", "--assume", "TIMEOUT=5%")
    assert " at most)" in first
    assert second.endswith(" fail")


def test_a_job_with_an_unknown_price_has_no_cost(tmp_path: Path) -> None:
    job = f"provider: {{models: {{sd9: {{like: sd3-large}}}}}}\ndefaults: {{model: sd9}}\n{JOB}"
    assert simulated(tmp_path, job)["cost_usd"] == {"expected": None, "at_most": None}
    first, _, _ = lines(tmp_path, job)
    assert "$" not in first


def test_many_tasks_are_foretold_from_a_part_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rehearse.MOST_REHEARSED == 100_000
    monkeypatch.setattr(rehearse, "MOST_REHEARSED", 1000)
    first, second, _ = lines(tmp_path, LONG)
    assert first.endswith(" for 4,000 tasks (from 1,000 of them), $260.00")
    assert second == "4,000 requests, 0 rejected"


def test_the_exit_code_is_the_plans(tmp_path: Path) -> None:
    (tmp_path / "otters.yaml").write_text(JOB)
    assert called("plan", "otters.yaml", "--simulate", "--detailed-exitcode", cwd=tmp_path).code == 10


@pytest.mark.parametrize(
    ("assumed", "cause"),
    [
        ("limt=75/10s", "'limt' is nothing that is assumed; did you mean 'limit'? accepted: limit, penalty, latency, "),
        ("limit=fast", "fast is not a rate limit; accepted: requests / time, such as 150/10s, none or unknown"),
        ("latency=4", "4 is not a duration; accepted: a number and a unit, such as 180s, 15m or 2h"),
        ("UNAUTHORISED=1%", "'UNAUTHORISED' is nothing that is assumed; "),
        ("limit", "not KEY=VALUE; write it as limit=75/10s"),
        ("OVERLOADED=200%", "'200%' is no share; accepted: 2% or 0.02"),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_what_can_not_be_assumed_is_said(tmp_path: Path, assumed: str, cause: str, as_json: tuple[str, ...]) -> None:
    (tmp_path / "otters.yaml").write_text(JOB)
    ended = called("plan", "otters.yaml", "--simulate", "--assume", assumed, *as_json, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert f"--assume {assumed}: {cause}" in ended.err
    assert ended.err.count("\n") == 1
