"""stdout is data, stderr is messages; --json is the event stream; what is asked to be quiet is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from processes import (
    KEY,
    Mark,
    assert_whole,
    batchgen,
    events,
    finish,
    job_for,
    made,
    outside_sandbox,
    pictures,
    start,
    wait_until,
)

from batchgen import __version__

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("run", "plan", "validate", "models", "sandbox")
ESCAPE = "\x1b"


@pytest.fixture
def job(tmp_path: Path, sandbox: Mark) -> Path:
    """Four pictures of the shared sandbox, the job named otters."""
    path = tmp_path / "otters.yaml"
    path.write_text(job_for(sandbox.url))
    return path


def test_the_version(tmp_path: Path) -> None:
    ended = batchgen("--version", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, f"batchgen {__version__}\n", "")


@pytest.mark.parametrize(("command", "option"), [*((command, "-h") for command in COMMANDS), ("run", "--help")])
def test_each_command_has_help_that_begins_with_an_example(tmp_path: Path, command: str, option: str) -> None:
    ended = batchgen(command, option, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    usage, _, text = ended.out.partition("\n\n")
    assert usage.startswith(f"Usage: batchgen {command}")
    assert f"batchgen {command}" in " ".join(text.splitlines()[:4])


def test_no_command_at_all_shows_the_commands(tmp_path: Path) -> None:
    ended = batchgen(cwd=tmp_path)
    assert ended.code in {0, 2}
    assert all(command in ended.out + ended.err for command in COMMANDS)


def test_stdout_is_the_folder_and_stderr_all_else(tmp_path: Path, job: Path) -> None:
    ended = batchgen("run", str(job), cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (0, "output/otters\n")
    assert "4 pictures to make on gateway" in ended.err
    assert "made 4 pictures" in ended.err
    assert ESCAPE not in ended.err
    assert_whole(tmp_path / "output/otters")


def test_a_reader_who_pauses_holds_nothing_up(tmp_path: Path) -> None:
    """A pipe takes 64 KiB, some 250 events: with more than that unread, pictures still come and are kept."""
    with outside_sandbox("--limit", "none", "--size", "small") as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, prompts="[a fox]", seeds="1..600"))
        process = start("run", "otters.yaml", "--json", cwd=tmp_path, env=KEY)
        wait_until(lambda: made(tmp_path / "output/otters") == 600, "all was made")
        ended = finish(process)
    assert ended.code == 0
    assert len([event for event in events(ended.out) if event["event"] == "task_made"]) == 600


def test_another_folder(tmp_path: Path, job: Path) -> None:
    ended = batchgen("run", str(job), "--output", "here/and there", cwd=tmp_path, env=KEY)
    assert (ended.code, ended.out) == (0, "here/and there\n")
    assert len(pictures(tmp_path / "here/and there")) == 4


def test_another_folder_by_the_environment(tmp_path: Path, job: Path) -> None:
    ended = batchgen("run", str(job), cwd=tmp_path, env={"BATCHGEN_OUTPUT": "there", **KEY})
    assert (ended.code, ended.out) == (0, "there\n")


def test_json_lines_are_the_event_stream(tmp_path: Path, job: Path, sandbox: Mark) -> None:
    ended = batchgen("run", str(job), "--json", cwd=tmp_path, env=KEY)
    assert (ended.code, ended.err) == (0, "")
    first, *between, last = events(ended.out)
    assert (first["event"], first["asked"], first["url"]) == ("run_started", 4, sandbox.url)
    assert {each["event"] for each in between} == {"task_made"}
    assert {each["picture"] for each in between} == set(pictures(tmp_path / "output/otters"))
    assert (last["event"], last["ending"], last["made"], last["left"]) == ("run_ended", "complete", 4, 0)
    assert all(each["at"].endswith("Z") for each in (first, *between, last))


def test_quiet_says_nothing_when_all_is_well(tmp_path: Path, job: Path) -> None:
    ended = batchgen("run", str(job), "-q", cwd=tmp_path, env=KEY)
    assert (ended.code, ended.err) == (0, "")
    assert len(pictures(tmp_path / "output/otters")) == 4


def test_verbose_names_every_picture(tmp_path: Path, job: Path) -> None:
    ended = batchgen("run", str(job), "-v", cwd=tmp_path, env=KEY)
    assert all(f"made: {place}" in ended.err for place in pictures(tmp_path / "output/otters"))


def test_plan_counts_and_lists_and_sends_nothing(tmp_path: Path, job: Path, sandbox: Mark) -> None:
    ended = batchgen("plan", str(job), cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("otters: 4 pictures\n")
    assert "$0.26 low and expected" in ended.out
    planned = json.loads(batchgen("plan", str(job), "--json", cwd=tmp_path).out)
    assert batchgen("run", str(job), "-q", cwd=tmp_path, env=KEY).code == 0
    made = {place.removesuffix(".png") for place in pictures(tmp_path / "output/otters")}
    assert {each["path"] for each in planned["first"]} == made
    asked = [each["fields"] for each in sandbox.requests()]
    assert sorted(map(str, asked)) == sorted(str(each["fields"]) for each in planned["first"])


def test_plan_and_validate_touch_neither_network_nor_disk(tmp_path: Path, job: Path, sandbox: Mark) -> None:
    assert batchgen("plan", str(job), cwd=tmp_path).code == 0
    assert batchgen("validate", str(job), cwd=tmp_path).code == 0
    assert sandbox.requests() == []
    assert list(tmp_path.iterdir()) == [job]


def test_models_are_listed_with_their_prices(tmp_path: Path) -> None:
    text, as_json = batchgen("models", cwd=tmp_path), batchgen("models", "--json", cwd=tmp_path)
    assert (text.code, as_json.code) == (0, 0)
    for row in json.loads(as_json.out):
        assert row["model"] in text.out
        assert f"{row['usd']:.3f}" in text.out


def test_a_reader_that_leaves_early_is_no_trouble(tmp_path: Path, job: Path) -> None:
    process = start("plan", str(job), "--first", "4", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
    process.stderr.close()


def test_a_run_whose_reader_leaves_keeps_what_it_paid_for(tmp_path: Path, slow_sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..12"))
    process = start("run", "otters.yaml", "--json", "--concurrency", "3", cwd=tmp_path, env=KEY)
    assert process.stdout is not None
    assert "run_started" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(60) == 130
    process.stderr.close()
    folder = tmp_path / "output/otters"
    assert_whole(folder)
    assert len(pictures(folder)) == len(slow_sandbox.requests()) < 24


def test_every_way_to_start_it_is_the_same(tmp_path: Path) -> None:
    script = [str(_beside_python("batchgen")), "--version"]
    ended = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert ended.stdout == batchgen("--version", cwd=tmp_path).out


def _beside_python(name: str) -> str:
    return str(sys.executable).rpartition("/")[0] + "/" + name


def test_no_colour_is_no_colour(tmp_path: Path, job: Path) -> None:
    ended = finish(start("run", str(job), "-v", cwd=tmp_path, env={"NO_COLOR": "1", **KEY}))
    assert ESCAPE not in ended.err + ended.out
