"""`batchgen status`: what is made, failed and left, what is in doubt, and what it cost, surely and at most."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from in_process import called
from processes import KEY, Mark, batchgen, finish, job_for, made, outside_sandbox, start, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "output/otters"
USD = 0.065
"""A picture of sd3-large."""


def status(cwd: Path) -> dict[str, Any]:
    """What `status --json` says."""
    ended = called("status", FOLDER, "--json", cwd=cwd)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def put(cwd: Path, job: str) -> None:
    """The job as a file."""
    (cwd / "otters.yaml").write_text(job)


def test_the_status_of_a_folder_in_which_all_is_made(tmp_path: Path, sandbox: Mark) -> None:
    put(tmp_path, job_for(sandbox.url))
    assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    found = status(tmp_path)
    asked = ("tasks", "made", "failed", "filtered", "left", "in_doubt", "spent_usd", "at_most_usd", "faults")
    assert [found[key] for key in asked] == [4, 4, 0, 0, 0, 0, 4 * USD, 4 * USD, {}]
    assert found["last_run"]["ending"] == "complete"
    assert found["running"] is None
    said = called("status", FOLDER, cwd=tmp_path).out
    assert "4 pictures asked for" in said
    assert "$0.26, by the price list" in said


def test_failures_are_counted_by_fault_with_the_providers_words(tmp_path: Path) -> None:
    with outside_sandbox("--limit", "none", "--refuse", "fox", "--filter", "owl", "--fail", "500=0.2") as sandbox:
        put(tmp_path, job_for(sandbox.url, prompts="[a fox, an owl, an otter]", seeds="1..4"))
        assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 1
        log = sandbox.log()
    found = status(tmp_path)
    assert (found["made"], found["filtered"], found["failed"], found["left"]) == (4, 4, 4, 0)
    assert found["faults"]["REFUSED"] == 4
    assert found["attempts"] == len(log)
    assert found["spent_usd"] == pytest.approx(sum(each["billed_credits"] for each in log) / 100)
    assert {each["words"] for each in found["failures"]} == {
        "content_moderation: The prompt was refused by moderation."
    }
    said = called("status", FOLDER, "--first", "1", cwd=tmp_path).out
    assert "REFUSED: content_moderation" in said
    assert "and 3 more" in said


def test_what_a_killed_run_had_in_flight_is_listed_with_its_worst_cost(tmp_path: Path, slow_sandbox: Mark) -> None:
    put(tmp_path, job_for(slow_sandbox.url, seeds="1..20"))
    running = start("run", "otters.yaml", "--concurrency", "6", cwd=tmp_path, env=KEY)
    wait_until(lambda: len(slow_sandbox.requests()) >= 6, "six requests")
    going_on = status(tmp_path)
    assert (going_on["in_doubt"], going_on["running"]["pid"]) == (0, running.pid)
    assert 0 < going_on["in_flight"] <= 6
    os.kill(running.pid, signal.SIGKILL)
    finish(running)
    dead = status(tmp_path)
    assert 0 < dead["in_doubt"] <= 6
    assert dead["running"] is None
    assert dead["at_most_usd"] - dead["spent_usd"] == pytest.approx(dead["in_doubt"] * USD)
    assert len({each["task"] for each in dead["in_doubt_attempts"]}) == dead["in_doubt"]
    said = called("status", FOLDER, cwd=tmp_path).out
    assert "was killed; run the job again to go on" in said
    assert f"{dead['in_doubt']} that began and of whose end nothing is known: at most" in said
    again = called("run", "otters.yaml", cwd=tmp_path, env=KEY)
    assert again.code == 0
    assert f"in doubt: {dead['in_doubt']} that a killed run sent or was about to send, at most" in again.err
    healed = status(tmp_path)
    assert (healed["made"], healed["left"], healed["in_doubt"]) == (40, 0, dead["in_doubt"])
    assert healed["faults"] == {"LOST": dead["in_doubt"]}
    assert healed["attempts"] >= len(slow_sandbox.requests())


def test_what_may_have_been_paid_is_not_asked_for_again_where_the_job_says_so(
    tmp_path: Path, slow_sandbox: Mark
) -> None:
    put(tmp_path, job_for(slow_sandbox.url, seeds="1..5", more="retry: {ambiguous: skip}\n"))
    running = start("run", "otters.yaml", "--concurrency", "4", cwd=tmp_path, env=KEY)
    wait_until(lambda: len(slow_sandbox.requests()) >= 4, "four requests")
    os.kill(running.pid, signal.SIGKILL)
    finish(running)
    sent = {(each["fields"]["prompt"], each["fields"]["seed"]) for each in slow_sandbox.requests()}
    in_doubt = status(tmp_path)["in_doubt"]
    for _ in range(2):
        assert batchgen("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 1
        found = status(tmp_path)
        assert (found["failed"], found["made"], found["left"]) == (in_doubt, 10 - in_doubt, 0)
    asked = [(each["fields"]["prompt"], each["fields"]["seed"]) for each in slow_sandbox.requests()]
    assert len(asked) == len(set(asked))
    assert sent <= set(asked)
    assert batchgen("retry", FOLDER, "--fault", "lost", cwd=tmp_path, env=KEY).code == 0
    assert made(tmp_path / FOLDER) == 10


def test_without_a_ledger_the_sidecars_tell_what_is_made(tmp_path: Path, sandbox: Mark) -> None:
    put(tmp_path, job_for(sandbox.url))
    assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    (tmp_path / FOLDER / "batchgen.sqlite").unlink()
    found = status(tmp_path)
    assert (found["made"], found["tasks"], found["spent_usd"]) == (4, None, None)
    assert "no ledger" in called("status", FOLDER, cwd=tmp_path).out
    assert not (tmp_path / FOLDER / "batchgen.sqlite").exists()


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_what_is_no_output_folder_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    ended = called("status", name, cwd=tmp_path)
    assert ended.code == 2
    assert (
        ended.err
        == f"batchgen: {name}: is no output folder; give the folder that a run printed, as output/quickstart\n"
    )
    assert not any((tmp_path / "empty").iterdir())
