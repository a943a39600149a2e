"""What is made is never asked for again, and what is not is asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processes import KEY, Mark, assert_whole, batchgen, job_for, pictures, sidecars

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, text: str) -> Path:
    path = folder / "otters.yaml"
    path.write_text(text)
    return path


def test_the_second_run_sends_nothing(tmp_path: Path, sandbox: Mark) -> None:
    job = _write(tmp_path, job_for(sandbox.url))
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    before = pictures(tmp_path / "output/otters")
    ended = batchgen("run", str(job), cwd=tmp_path)  # and needs no key
    assert ended.code == 0
    assert "all 4 pictures made already" in ended.err
    assert "nothing was sent" in ended.err
    assert len(sandbox.requests()) == 4
    assert pictures(tmp_path / "output/otters") == before


def test_a_limit_leaves_the_rest_for_later(tmp_path: Path, sandbox: Mark) -> None:
    job = _write(tmp_path, job_for(sandbox.url, seeds="1..5"))
    ended = batchgen("run", str(job), "--limit", "3", cwd=tmp_path, env=KEY)
    assert ended.code == 0
    assert "7 pictures left to make" in ended.err
    assert len(sandbox.requests()) == 3
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    assert len(sandbox.requests()) == 10
    assert len({str(each["fields"]) for each in sandbox.requests()}) == 10
    assert_whole(tmp_path / "output/otters")


def test_a_longer_job_asks_only_for_what_is_new(tmp_path: Path, sandbox: Mark) -> None:
    job = _write(tmp_path, job_for(sandbox.url))
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    before = pictures(tmp_path / "output/otters")
    _write(tmp_path, job_for(sandbox.url, prompts="['a fox', 'an owl', 'a bear']", seeds="0..2"))
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    assert len(sandbox.requests()) == 9
    after = pictures(tmp_path / "output/otters")
    assert len(after) == 9
    assert before.items() <= after.items()


def test_a_picture_that_was_deleted_is_made_again(tmp_path: Path, sandbox: Mark) -> None:
    job, folder = _write(tmp_path, job_for(sandbox.url)), tmp_path / "output/otters"
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    before = pictures(folder)
    gone = next(iter(before))
    (folder / gone).unlink()
    ended = batchgen("run", str(job), cwd=tmp_path, env=KEY)
    assert ended.code == 0
    assert "1 gone from the folder" in ended.err
    assert len(sandbox.requests()) == 5
    assert pictures(folder) == before
    assert_whole(folder)


def test_a_run_whose_sidecars_are_all_there_is_told_by_them(tmp_path: Path, sandbox: Mark) -> None:
    job, folder = _write(tmp_path, job_for(sandbox.url)), tmp_path / "output/otters"
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    asked = sorted(str(sorted(each["fields"].items())) for each in sandbox.requests())
    said = sorted(str(sorted(each["request"]["fields"].items())) for each in sidecars(folder).values())
    assert said == asked
    assert all(each["request"]["url"] == sandbox.url for each in sidecars(folder).values())
    assert {each["picture_sha256"] for each in sandbox.requests()} == set(pictures(folder).values())


def test_a_rehearsal_stays_apart_from_the_real_thing(tmp_path: Path, sandbox: Mark) -> None:
    job = _write(tmp_path, job_for(sandbox.url, prompts="[a fox]", seeds="7"))
    assert batchgen("run", str(job), cwd=tmp_path, env=KEY).code == 0
    ended = batchgen("run", str(job), "--provider", "sandbox", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "output/otters@sandbox\n")
    assert len(sandbox.requests()) == 1
    assert len(pictures(tmp_path / "output/otters@sandbox")) == 1
