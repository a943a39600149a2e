"""What failed goes back by `retry`, what the provider refused for good only so; caps, and what stands in the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from in_process import called
from processes import KEY, Mark, assert_whole, events, job_for, outside_sandbox, pictures

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "output/otters"


def test_what_was_refused_is_asked_for_again_by_retry_alone(tmp_path: Path) -> None:
    with outside_sandbox("--limit", "none", "--refuse", "fox") as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
        assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 1
        assert len(sandbox.log()) == 4
        again = called("run", "otters.yaml", "--json", cwd=tmp_path, env=KEY)
        assert len(sandbox.log()) == 4
        assert again.code == 1  # not everything that the job asks for is made
        assert events(again.out)[0]["given_up"] == 2
        none = called("retry", FOLDER, "--fault", "INVALID", cwd=tmp_path, env=KEY)
        assert (none.code, len(sandbox.log())) == (0, 4)
        retried = called("retry", FOLDER, "--json", cwd=tmp_path, env=KEY)
        assert retried.code == 1
        asked = [each["fields"]["prompt"] for each in sandbox.log()[4:]]
        assert asked == ["a fox", "a fox"]
        assert [each["attempts"] for each in events(retried.out) if each["event"] == "task_failed"] == [2, 2]


def test_retry_asks_as_the_run_did(tmp_path: Path) -> None:
    """The job's data file and its overrides are those of the run, from wherever it is called."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/animals.txt").write_text("a fox\nan owl\n")
    (tmp_path / "elsewhere").mkdir()
    with outside_sandbox("--limit", "none", "--refuse", "fox") as sandbox:
        job = job_for("http://127.0.0.1:9/v1", prompts="[{file: animals.txt}]", seeds="1")
        (tmp_path / "jobs/otters.yaml").write_text(job)
        overrides = ("--set", f"provider.url={sandbox.url}")
        assert called("run", "jobs/otters.yaml", *overrides, cwd=tmp_path, env=KEY).code == 1
        (tmp_path / "jobs/otters.yaml").write_text("changed since")
        assert called("retry", str(tmp_path / FOLDER), cwd=tmp_path / "elsewhere", env=KEY).code == 1
        assert [each["fields"]["prompt"] for each in sandbox.log()[2:]] == ["a fox"]
    (tmp_path / "jobs/animals.txt").unlink()
    gone = called("retry", FOLDER, cwd=tmp_path, env=KEY)
    assert gone.code == 2
    assert "animals.txt does not exist" in gone.err


def test_tasks_that_failed_in_passing_are_tried_again_by_the_next_run(tmp_path: Path) -> None:
    more = "retry: {attempts: 1}\n"
    with outside_sandbox("--limit", "none", "--fail", "500=1") as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts="[a fox]", more=more))
        assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 1
    with outside_sandbox("--limit", "none") as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts="[a fox]", more=more))
        assert called("retry", FOLDER, "--set", "a=b", cwd=tmp_path, env=KEY).code == 2  # no such option
        assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    sidecar = next((tmp_path / FOLDER).glob("images/**/*.json"))
    attempts = json.loads(sidecar.read_text())["attempts"]
    assert [(each["number"], each["fault"], each["billing"]) for each in attempts] == [
        (1, "OVERLOADED", "NO"),
        (2, None, "YES"),
    ]
    found = json.loads(called("status", FOLDER, "--json", cwd=tmp_path).out)
    assert (found["failed"], found["attempts"]) == (0, 4)


def test_retry_needs_a_folder_of_a_run(tmp_path: Path) -> None:
    ended = called("retry", "nothing", cwd=tmp_path, env=KEY)
    assert (ended.code, ended.err) == (
        2, "batchgen: nothing: no run is on record there; give the folder that a run printed\n"
    )  # fmt: skip


@pytest.mark.parametrize("option", [("--max-images", "3"), ("--max-cost", "0.20")])
def test_a_cap_on_the_command_line_is_hard_and_lets_itself_be_raised(
    tmp_path: Path, sandbox: Mark, option: tuple[str, str]
) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, seeds="1..4"))
    capped = called("run", "otters.yaml", "--json", *option, cwd=tmp_path, env=KEY)
    assert (capped.code, events(capped.out)[-1]["made"], len(sandbox.requests())) == (4, 3, 3)
    assert called("run", "otters.yaml", *option, cwd=tmp_path, env=KEY).code == 4
    assert len(sandbox.requests()) == 3
    assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    assert len(sandbox.requests()) == 8


def test_a_picture_that_was_paid_for_in_vain_counts_against_the_cap_of_later_runs_too(tmp_path: Path) -> None:
    more = "retry: {paid: 0}\n"
    with outside_sandbox("--limit", "none", "--fail", "cut=1") as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts="[a fox]", more=more))
        assert called("run", "otters.yaml", "--max-images", "3", cwd=tmp_path, env=KEY).code == 1
        again = called("run", "otters.yaml", "--max-images", "3", cwd=tmp_path, env=KEY)
        assert (again.code, "batchgen retry output/otters" in again.err) == (1, True)  # not paid for once more unasked
        assert len(sandbox.log()) == 2
        assert called("retry", "output/otters", "--max-images", "3", cwd=tmp_path, env=KEY).code == 4
        assert sum(each["billed"] for each in sandbox.log()) == len(sandbox.log()) == 3


def test_a_cap_that_is_no_number_is_said_at_the_flag(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    ended = called("run", "otters.yaml", "--max-cost", "much", cwd=tmp_path, env=KEY)
    assert ended.code == 2
    assert "limits.max_cost" in ended.err
    assert sandbox.requests() == []


CHANGED = "output: {{path: '{{prompt_id}}-{{seed}}.{{ext}}'}}\nprompts: [{{id: it, prompt: {}}}]\n"


def _job(url: str, prompt: str) -> str:
    provider = f"{{kind: gateway, url: '{url}', api_key_env: PICTURE_KEY, rate_limit: none}}"
    return f"provider: {provider}\nsweep: {{seeds: 1..2}}\n{CHANGED.format(prompt)}"


def test_a_changed_picture_is_replaced_when_told_to_and_nothing_is_lost(tmp_path: Path, sandbox: Mark) -> None:
    folder = tmp_path / FOLDER
    (tmp_path / "otters.yaml").write_text(_job(sandbox.url, "a fox"))
    assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    old = set(pictures(folder).values())
    (tmp_path / "otters.yaml").write_text(_job(sandbox.url, "an owl"))
    refused = called("run", "otters.yaml", cwd=tmp_path, env=KEY)
    assert refused.code == 2
    assert "(2 such)" in refused.err
    assert "--replace" in refused.err
    assert len(sandbox.requests()) == 2
    assert called("run", "otters.yaml", "--replace", cwd=tmp_path, env=KEY).code == 0
    assert not old & set(pictures(folder).values())
    aside = [path for path in folder.glob("replaced/*/images/*") if path.suffix in {".png", ".json"}]
    assert len(aside) == 4
    assert_whole(folder)
    assert called("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    assert len(sandbox.requests()) == 4


def test_replace_moves_no_folder_or_link(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(_job(sandbox.url, "a fox"))
    place = tmp_path / FOLDER / "images/it-1.png"
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "otters.yaml")
    ended = called("run", "otters.yaml", "--replace", cwd=tmp_path, env=KEY)
    assert ended.code == 5
    assert "it-1.png: is no picture or sidecar; move it away yourself" in ended.err
    assert place.is_symlink()
    assert sandbox.requests() == []


def test_a_fresh_folder_makes_everything_anew(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
    first = called("run", "otters.yaml", cwd=tmp_path, env=KEY)
    fresh = called("run", "otters.yaml", "--fresh", cwd=tmp_path, env=KEY)
    assert len(sandbox.requests()) == 8
    assert fresh.out.strip() != first.out.strip()
    assert fresh.out.startswith(f"{FOLDER}-20")
    same = [sorted(pictures(tmp_path / each.out.strip()).values()) for each in (first, fresh)]
    assert same[0] == same[1]
