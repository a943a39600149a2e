"""A part of a job is made now and the rest stays to do; nothing is ever paid for twice, however a job changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from in_process import called
from processes import KEY, Mark, assert_whole, batchgen, events, job_for, pictures, sidecars

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Ended


def run(folder: Path, job: str, *options: str) -> Ended:
    """`batchgen run` in this process."""
    (folder / "otters.yaml").write_text(job)
    return called("run", "otters.yaml", *options, cwd=folder, env=KEY)


def run_apart(folder: Path, job: str, *options: str) -> Ended:
    """`batchgen run` as a process."""
    (folder / "otters.yaml").write_text(job)
    return batchgen("run", "otters.yaml", *options, cwd=folder, env=KEY)


def asked(sandbox: Mark) -> list[str]:
    """Every form that was sent, in an order of its own."""
    return sorted(str(sorted(each["fields"].items())) for each in sandbox.requests())


def values(sandbox: Mark, name: str) -> list[Any]:
    """What a field was in every form."""
    return sorted(each["fields"].get(name) for each in sandbox.requests())


def test_a_sample_is_made_and_then_the_rest(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url, prompts="['a {{animal}}']", seeds="1..4", more="vars: {animal: [fox, owl]}\n")
    ended = run_apart(tmp_path, job, "--sample", "4")
    assert ended.code == 0
    assert "4 pictures to make on gateway for about $0.26, 4 left for later" in ended.err
    assert values(sandbox, "seed") == ["1", "2", "3", "4"]
    assert set(values(sandbox, "prompt")) == {"a fox", "a owl"}
    assert run(tmp_path, job, "--sample", "4").code == 0
    assert len(sandbox.requests()) == 4
    assert run_apart(tmp_path, job).code == 0
    assert len(asked(sandbox)) == len(set(asked(sandbox))) == 8
    assert_whole(tmp_path / "output/otters")


def test_parts_that_overlap_are_made_once(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url, seeds="1..6")
    for options, made in [
        (("--only", "seed=1..3", "--only", "prompt=a fox"), 3),
        (("--only", "seeds=[2, 4]"), 3),
        (("--only", "seed=1", "--only", "seed=2"), 1),
        (("--only", "seed=1..5", "--limit", "2"), 2),
        (("--only", "prompt_id=nobody"), 0),
        ((), 3),
    ]:
        before = len(sandbox.requests())
        ended = run(tmp_path, job, *options)
        assert ended.code == 0, ended.err
        assert len(sandbox.requests()) - before == made, options
    assert len(asked(sandbox)) == len(set(asked(sandbox))) == 12
    assert len(pictures(tmp_path / "output/otters")) == 12


def test_a_part_that_nothing_belongs_to_is_not_called_made(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url)
    ended = run(tmp_path, job, "--only", "seed=77")
    assert ended.code == 0
    assert "nothing to make of what is asked for; 0 of 4 pictures made already" in ended.err
    assert "4 pictures left to make" in ended.err
    assert sandbox.requests() == []


def test_equal_tasks_of_a_sample_are_made_once(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url, prompts="['a fox', 'a fox', 'an owl']")
    assert run(tmp_path, job, "--limit", "1").code == 0
    ended = run(tmp_path, job, "--sample", "6", "--json")
    assert ended.code == 0
    assert events(ended.out)[0]["asked"] == 3
    assert len(asked(sandbox)) == len(set(asked(sandbox))) == 4


@pytest.mark.parametrize(
    ("only", "cause"),
    [
        ("seed", "--only seed: not a field=value"),
        ("sed=1", "--only sed=1: not a field=value; did you mean 'seed'?"),
        (
            "aspect_ratio=4:3",
            "--only aspect_ratio=4:3: '4:3' is not a value of aspect_ratio; did you mean '4:5'? accepted: 16:9",
        ),
    ],
)
def test_a_part_that_can_not_be_is_said(tmp_path: Path, sandbox: Mark, only: str, cause: str) -> None:
    ended = run(tmp_path, job_for(sandbox.url), "--only", only)
    assert ended.code == 2
    assert cause in ended.err
    assert len(ended.err.splitlines()) == 1
    assert sandbox.requests() == []


def test_a_value_of_the_job_is_set(tmp_path: Path, sandbox: Mark) -> None:
    overrides = ("--set", "sweep.seeds=[7]", "--set", "defaults.output_format=jpeg", "--set", "prompts.1=a bear")
    assert run_apart(tmp_path, job_for(sandbox.url), *overrides).code == 0
    assert values(sandbox, "seed") == ["7", "7"]
    assert values(sandbox, "output_format") == ["jpeg", "jpeg"]
    assert values(sandbox, "prompt") == ["a bear", "a fox"]
    folder = tmp_path / "output/otters"
    assert {path.rpartition(".")[2] for path in pictures(folder)} == {"jpg"}
    assert_whole(folder)


NAMED = "[{id: fox, prompt: a fox}, {id: owl, prompt: an owl}]"
BY_PLACE = 'output: {path: "{prompt_id}/{seed}.{ext}"}\n'


def test_what_is_renamed_reordered_or_extended_is_not_paid_for_again(tmp_path: Path, sandbox: Mark) -> None:
    assert run(tmp_path, job_for(sandbox.url, prompts=NAMED)).code == 0
    before = sidecars(tmp_path / "output/otters")
    renamed = job_for(sandbox.url, prompts="[{id: bubo, prompt: an owl}, {id: reynard, prompt: a fox}]", seeds="[2, 1]")
    assert run(tmp_path, renamed).code == 0
    assert len(sandbox.requests()) == 4
    elsewhere = f"name: otters\nseed_root: 9\n{renamed}{BY_PLACE}presets: {{film: {{seed: 3}}}}\n"
    assert run(tmp_path, elsewhere).code == 0
    assert len(sandbox.requests()) == 4
    longer = job_for(sandbox.url, prompts=f"[a bear, {NAMED[1:-1]}]", seeds="0..2", more=BY_PLACE)
    assert run(tmp_path, longer).code == 0
    assert len(asked(sandbox)) == len(set(asked(sandbox))) == 9
    after = sidecars(tmp_path / "output/otters")
    assert before.items() <= after.items()
    assert_whole(tmp_path / "output/otters")


@pytest.mark.parametrize("options", [(), ("--only", "prompt_id=fox", "--limit", "1")])
def test_a_place_that_is_taken_is_an_error_before_anything_is_sent(
    tmp_path: Path, sandbox: Mark, options: tuple[str, ...]
) -> None:
    job = job_for(sandbox.url, prompts=NAMED, more=BY_PLACE)
    folder = tmp_path / "output/otters"
    assert run(tmp_path, job, "--only", "prompt_id=fox").code == 0
    before = pictures(folder)
    ended = run_apart(tmp_path, job.replace("a fox", "a red fox"), *options)
    assert ended.code == 2
    assert "images/fox/1." in ended.err
    assert f"has the place of task 0, but is not its picture ({1 if options else 2} such)" in ended.err
    assert "move it away, have it moved to replaced/ with --replace, or give another folder with --output" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert len(sandbox.requests()) == 2
    assert pictures(folder) == before
    assert (folder / "job.yaml").read_text() == job
    assert run(tmp_path, job).code == 0
    assert len(sandbox.requests()) == 4


def test_a_picture_that_is_gone_is_made_again_where_it_was(tmp_path: Path, sandbox: Mark) -> None:
    job = job_for(sandbox.url, prompts=NAMED, more=BY_PLACE)
    folder = tmp_path / "output/otters"
    assert run(tmp_path, job).code == 0
    before = pictures(folder)
    (folder / "images/fox/2.png").unlink()
    ended = run(tmp_path, job)
    assert ended.code == 0
    assert (
        "1 picture to make on gateway for about $0.065, 3 made already; 1 gone from the folder, made again" in ended.err
    )
    assert len(sandbox.requests()) == 5
    assert pictures(folder) == before
    assert_whole(folder)
