"""Exit codes of runs that end otherwise than well, each by a real case; what is left goes on by the same command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from page_server import Answer, PageServer, png, refusal
from processes import (
    KEY,
    Mark,
    assert_whole,
    batchgen,
    events,
    finish,
    job_for,
    outside_sandbox,
    pictures,
    start,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

PAGE_KEY = {"PICTURE_KEY": "page-key"}


def test_a_task_that_fails_ends_with_1(tmp_path: Path) -> None:
    with PageServer() as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url))
        page.script(refusal(400, "bad_request", "prompt: too rude"))
        ended = batchgen("run", "otters.yaml", cwd=tmp_path, env=PAGE_KEY)
    assert ended.code == 1
    assert "INVALID: bad_request: prompt: too rude" in ended.err
    assert "made 3 pictures, 1 failed" in ended.err


def test_quiet_still_says_what_failed(tmp_path: Path) -> None:
    with PageServer() as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url))
        page.script(refusal(400, "bad_request", "prompt: too rude"))
        ended = batchgen("run", "otters.yaml", "-q", cwd=tmp_path, env=PAGE_KEY)
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "too rude" in ended.err


def test_a_picture_that_was_filtered_ends_with_1(tmp_path: Path) -> None:
    with PageServer() as page:
        (tmp_path / "otters.yaml").write_text(job_for(page.url, prompts="[a fox]", seeds="7"))
        page.script(Answer(200, {"Content-Type": "image/png", "finish-reason": "CONTENT_FILTERED"}, png(7)))
        ended = batchgen("run", "otters.yaml", cwd=tmp_path, env=PAGE_KEY)
    assert ended.code == 1
    assert "1 filtered by the server (see filtered/)" in ended.err
    assert [place.partition("/")[0] for place in pictures(tmp_path / "output/otters")] == ["filtered"]


def test_a_refused_key_ends_with_3_at_the_first_answer(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url, seeds="1..50"))
    ended = batchgen("run", "otters.yaml", "--concurrency", "1", cwd=tmp_path, env={"PICTURE_KEY": "wrong-key-4711"})
    assert ended.code == 3
    assert "stopped: the key was refused (UNAUTHORISED)" in ended.err
    assert "100 pictures left to make" in ended.err
    assert [each["status"] for each in sandbox.requests()] == [401]
    assert "wrong-key-4711" not in ended.err + ended.out
    assert batchgen("run", "otters.yaml", "--limit", "2", cwd=tmp_path, env=KEY).code == 0


def test_a_wrong_address_ends_with_3(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(sandbox.url + "s"))
    ended = batchgen("run", "otters.yaml", "--concurrency", "1", "--json", cwd=tmp_path, env=KEY)
    assert ended.code == 3
    assert events(ended.out)[-1]["ending"] == "provider"
    assert [each["status"] for each in sandbox.requests()] == [404]


def test_a_file_where_a_folder_should_be_ends_with_5(tmp_path: Path, slow_sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, prompts="[a fox]", seeds="1"))
    target = tmp_path / "output/otters"
    target.mkdir(parents=True)
    (target / "images").write_text("not a folder")
    ended = batchgen("run", "otters.yaml", cwd=tmp_path, env=KEY)
    assert ended.code == 5
    assert slow_sandbox.requests() == []


def test_faults_that_pass_end_with_0(tmp_path: Path) -> None:
    faults = ("--fail", "500=0.3", "--fail", "drop=0.2", "--seed", "3")
    with outside_sandbox("--limit", "none", *faults) as sandbox:
        (tmp_path / "otters.yaml").write_text(job_for(sandbox.url))
        ended = batchgen("run", "otters.yaml", "-v", cwd=tmp_path, env=KEY)
        assert ended.code == 0
        assert len(sandbox.log()) > 4
    assert "again in" in ended.err
    assert len(pictures(tmp_path / "output/otters")) == 4
    assert_whole(tmp_path / "output/otters")


def test_an_output_that_breaks_under_a_run_ends_with_5_and_goes_on_when_mended(
    tmp_path: Path, slow_sandbox: Mark
) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..10"))
    folder = tmp_path / "output/otters"
    process = start("run", "otters.yaml", "--concurrency", "2", cwd=tmp_path, env=KEY)
    wait_until((folder / "job.yaml").exists, "the folder was opened")
    (folder / "images").write_text("in the way of every picture")
    ended = finish(process)
    assert ended.code == 5
    assert f"{folder}/images: Not a directory; a file stands where a folder is needed: move it away" in ended.err
    assert "nothing was made, $0.13 by the price list" in ended.err
    assert "20 pictures left to make" in ended.err
    assert len(slow_sandbox.requests()) <= 4
    (folder / "images").unlink()
    assert batchgen("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    assert len(pictures(folder)) == 20
    assert len(slow_sandbox.requests()) == 20
    assert_whole(folder)
