"""A run finds a folder as others left it: killed, with a ledger or without one, changed by hand, for another job."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from page_server import refusal
from processes import assert_whole, pictures, sidecars
from resume_stage import JOB, STARTED, TWO, Stage

from batchgen.model import Fault
from batchgen.store.database import LEDGER
from batchgen.store.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from page_server import PageServer

USD = Decimal("0.065")
"""A picture of sd3-large."""
SKIP = {**TWO, "retry": {"ambiguous": "skip"}}


@pytest.fixture
def stage(tmp_path: Path, page: PageServer) -> Stage:
    return Stage(tmp_path, page)


# Attempts of a killed run


def test_what_was_in_flight_is_in_doubt_and_asked_for_again(stage: Stage) -> None:
    stage.killed("a fox")
    started, *_, ended = stage.run()
    assert (started["in_doubt"], started["in_doubt_usd"], started["asked"]) == (1, float(USD), 2)
    assert sorted(stage.asked) == ["a fox", "an owl"]
    assert (ended["made"], ended["spent_usd"]) == (2, float(2 * USD))
    known = stage.known()
    assert (known.bill.attempts, known.bill.unsettled, known.bill.faults) == (3, 0, Counter({Fault.LOST: 1}))
    assert (known.sums, known.failed, known.in_doubt) == ((2 * USD, 3 * USD), [], ["a fox"])
    started, *_ = stage.run()
    assert (started["in_doubt"], started["asked"]) == (0, 0)  # said once
    assert_whole(stage.folder)


def test_an_attempt_that_was_lost_stands_in_the_sidecar_of_the_picture(stage: Stage) -> None:
    stage.killed("a fox")
    stage.run()
    attempts = {said["request"]["fields"]["prompt"]: said["attempts"] for said in sidecars(stage.folder).values()}
    told = [(each["number"], each["fault"], each["billing"]) for each in attempts["a fox"]]
    assert told == [(1, "LOST", "MAYBE"), (2, None, "YES")]
    assert attempts["a fox"][0]["started"] == STARTED
    assert [each["number"] for each in attempts["an owl"]] == [1]


def test_a_job_that_risks_no_second_payment_gives_up_what_was_in_flight(stage: Stage) -> None:
    stage.killed("a fox", job=SKIP)
    for _ in range(2):
        started, *_, ended = stage.run(code=1, job=SKIP)
        assert (started["given_up"], ended["ending"], ended["left"]) == (1, "incomplete", 0)
        assert stage.asked == ["an owl"]
        known = stage.known()
        assert (known.failed, known.in_doubt, known.bill.attempts) == (["a fox"], ["a fox"], 2)
    retried = stage.call("retry", str(stage.folder))
    assert retried.code == 0, retried.err
    assert stage.asked == ["an owl", "a fox"]
    assert stage.known().failed == []


def test_a_task_is_skipped_wherever_it_is_now_and_whatever_came_between(stage: Stage) -> None:
    stage.killed("a fox", job=SKIP)
    stage.call("run", JOB, "--only", "seed=1", "--max-cost", "0")  # which ends before anything is sent
    moved = {**SKIP, "prompts": ["a bear", *SKIP["prompts"]]}
    for _ in range(2):
        started, *_ = stage.run(code=1, job=moved)
        assert started["given_up"] == 1
        assert sorted(stage.asked) == ["a bear", "an owl"]
    assert stage.known().failed == ["a fox"]


def test_a_task_that_failed_free_of_charge_before_is_skipped_too(stage: Stage) -> None:
    once = {**TWO, "retry": {"ambiguous": "skip", "attempts": 1}}
    stage.page.script(refusal(500, "server_error", "try again"))
    stage.run("--only", "prompt=a fox", code=1, job=once)
    stage.killed("a fox", job=once)
    _, *_, ended = stage.run(code=1, job=once)
    assert ended["ending"] == "incomplete"
    assert sorted(stage.asked) == ["a fox", "an owl"]


def test_what_was_given_up_elsewhere_is_no_matter_to_a_part_that_is_made(stage: Stage) -> None:
    stage.killed("a fox", job=SKIP)
    _, *_, ended = stage.run("--only", "prompt=an owl", job=SKIP)
    assert (ended["ending"], ended["left"]) == ("complete", 0)
    stage.run(code=1, job=SKIP)


def test_a_picture_that_waits_for_its_place_is_not_paid_for_again(stage: Stage) -> None:
    stage.run()
    before = pictures(stage.folder)
    for place in sidecars(stage.folder):
        sidecar = stage.folder / place
        picture = sidecar.with_name(json.loads(sidecar.read_text())["picture"]["file"])
        picture.rename(picture.with_suffix(".part"))
        sidecar.rename(sidecar.with_suffix(".json.part"))
        picture.write_text("somebody's work")
    refused = stage.call("run", JOB)
    assert (refused.code, "has the place of task" in refused.err) == (2, True)
    started, *_ = stage.run("--replace")
    assert (started["adopted"], started["asked"], len(stage.asked)) == (2, 0, 2)
    assert pictures(stage.folder) == before
    assert_whole(stage.folder)


def test_a_pair_that_waits_for_its_sidecars_name_is_not_taken_apart(stage: Stage) -> None:
    stage.run()
    before = pictures(stage.folder)
    for place in list(sidecars(stage.folder)):
        sidecar = stage.folder / place
        sidecar.rename(sidecar.with_suffix(".json.part"))
        sidecar.write_text("{}")
    stage.killed_before_the_commit()
    assert stage.call("run", JOB).code == 2
    started, *_ = stage.run("--replace")
    assert (started["adopted"], started["asked"], started["in_doubt"], len(stage.asked)) == (2, 0, 0, 2)
    assert pictures(stage.folder) == before
    assert_whole(stage.folder)


def test_a_folder_in_a_pictures_place_is_moved_by_nobody(stage: Stage) -> None:
    stage.run("--limit", "1")
    before = set(pictures(stage.folder))
    stage.run()
    (picture,) = pictures(stage.folder).keys() - before
    for path in (stage.folder / picture, (stage.folder / picture).with_suffix(".json")):
        path.unlink()
    (stage.folder / picture).with_suffix(".part").mkdir()
    refused = stage.call("run", JOB, "--replace")
    assert (refused.code, "is no picture or sidecar; move it away yourself" in refused.err) == (5, True)
    assert len(stage.asked) == 2


def test_a_copied_sidecar_is_nobodys(stage: Stage) -> None:
    stage.run()
    before = stage.known()
    for place in list(sidecars(stage.folder)):
        sidecar = stage.folder / place
        sidecar.with_name(f"{sidecar.stem} (copy).json").write_bytes(sidecar.read_bytes())
    for _ in range(2):
        stage.run()
        assert stage.known() == before
        with closing(Ledger.open(stage.folder)) as ledger:
            assert len(list(ledger.pictures())) == 2


def test_a_picture_that_was_whole_is_neither_in_doubt_nor_given_up(stage: Stage) -> None:
    stage.run()
    stage.killed_before_the_commit()
    started, *_ = stage.run(job=SKIP)
    assert (started["made"], started["asked"], started["in_doubt"]) == (2, 0, 0)
    known = stage.known()
    assert (known.sums, known.bill.attempts) == ((2 * USD, 2 * USD), 2)
    assert (known.failed, known.in_doubt) == ([], [])


def test_what_was_in_flight_for_a_task_that_left_the_job_is_asked_for_no_more(stage: Stage) -> None:
    stage.killed("a fox", job=SKIP)
    started, *_ = stage.run(job={**SKIP, "prompts": ["a bear", "an owl"]})
    assert (started["in_doubt"], started["given_up"]) == (1, 0)
    assert sorted(stage.asked) == ["a bear", "an owl"]
    assert stage.known().in_doubt == ["another"]


def test_a_pair_in_parts_is_finished_without_a_request_and_said(stage: Stage) -> None:
    stage.run()
    before = pictures(stage.folder)
    for sidecar in stage.folder.glob("images/**/*.json"):
        picture = sidecar.with_name(json.loads(sidecar.read_text())["picture"]["file"])
        picture.rename(picture.with_suffix(".part"))
        sidecar.rename(sidecar.with_suffix(".json.part"))
    stage.killed_before_the_commit()
    started, *_ = stage.run()
    assert (started["adopted"], started["asked"], started["in_doubt"]) == (2, 0, 0)
    assert pictures(stage.folder) == before
    assert stage.known().sums == (2 * USD, 2 * USD)
    assert_whole(stage.folder)


# Failures


def test_failures_of_tasks_that_left_the_job_are_dropped(stage: Stage) -> None:
    stage.page.script(refusal(400, "bad_request", "no foxes"), refusal(400, "bad_request", "no owls"))
    stage.run(code=1)
    assert stage.known().failed == ["a fox", "an owl"]
    started, *_ = stage.run(code=1, job={**TWO, "prompts": ["a bear", "an owl"]})
    assert (started["given_up"], started["asked"]) == (1, 1)
    assert stage.asked[2:] == ["a bear"]
    assert stage.known().failed == ["an owl"]
    started, *_ = stage.run(code=1)
    assert started["given_up"] == 1  # the owl; of the fox nothing is known any more
    assert stage.asked[3:] == ["a fox"]


# Files that somebody removed


def test_a_picture_that_is_gone_is_made_again_and_said(stage: Stage) -> None:
    stage.run()
    before = pictures(stage.folder)
    for picture in before:
        (stage.folder / picture).unlink()
    started, *_, ended = stage.run()
    assert (started["missing"], started["asked"], ended["made"]) == (2, 2, 2)
    assert pictures(stage.folder).keys() == before.keys()
    assert len(stage.asked) == 4
    assert stage.known().bill.attempts == 4
    assert_whole(stage.folder)


def test_a_pair_that_is_gone_is_made_again_and_said(stage: Stage) -> None:
    """Nothing but the ledger remembers it."""
    stage.run()
    for place in [*pictures(stage.folder), *sidecars(stage.folder)]:
        (stage.folder / place).unlink()
    started, *_ = stage.run()
    assert (started["missing"], started["asked"]) == (2, 2)
    assert_whole(stage.folder)


def test_a_picture_without_its_sidecar_stays_until_it_is_told_to_go(stage: Stage) -> None:
    stage.run()
    before = pictures(stage.folder)
    (stage.folder / next(iter(sidecars(stage.folder)))).unlink()
    refused = stage.call("run", JOB)
    assert refused.code == 2
    assert "has the place of task" in refused.err
    assert "--replace" in refused.err
    assert len(stage.asked) == 2
    assert pictures(stage.folder) == before
    started, *_ = stage.run("--replace")
    assert (started["asked"], len(stage.asked)) == (1, 3)
    assert_whole(stage.folder)
    (aside,) = (path for path in (stage.folder / "replaced").rglob("*") if path.is_file())
    assert any(place.endswith(aside.name) for place in before)


# The ledger


def test_without_its_ledger_nothing_is_paid_for_again_and_all_attempts_are_back(stage: Stage) -> None:
    stage.killed("a fox")
    stage.run()
    before = stage.known()
    assert before.in_doubt == ["a fox"]
    for path in stage.folder.glob(f"{LEDGER}*"):
        path.unlink()
    started, *_ = stage.run()
    assert (started["made"], started["asked"]) == (2, 0)
    assert len(stage.asked) == 2
    assert stage.known() == before
    assert_whole(stage.folder)


def test_a_damaged_ledger_is_set_aside_and_said(stage: Stage) -> None:
    stage.run()
    before = stage.known()
    (stage.folder / LEDGER).write_bytes(b"no ledger" * 1000)
    started, *_ = stage.run()
    assert started["ledger_set_aside"] == f"{stage.folder}/{LEDGER}.damaged"
    assert (started["asked"], len(stage.asked)) == (0, 2)
    assert stage.known() == before
    again, *_ = stage.run()
    assert again["ledger_set_aside"] is None


@pytest.mark.parametrize("more", [{"retry": {"ambiguous": "skip"}}, {"limits": {"max_cost": 9}}], ids=["skip", "cap"])
def test_where_doubt_must_count_a_damaged_ledger_stops_the_run_once(stage: Stage, more: dict[str, object]) -> None:
    stage.killed("a fox", job={**TWO, **more})
    (stage.folder / LEDGER).write_bytes(b"no ledger" * 1000)
    refused = stage.call("run", JOB)
    assert (refused.code, "was damaged" in refused.err, stage.asked) == (2, True, [])
    stage.run(job={**TWO, **more})
    assert sorted(stage.asked) == ["a fox", "an owl"]


def test_a_newer_ledger_is_refused_before_anything_is_sent(stage: Stage) -> None:
    stage.killed()
    with closing(Ledger.open(stage.folder)) as ledger:
        ledger._db.execute("PRAGMA user_version = 99")
    ended = stage.call("run", JOB)
    assert ended.code == 5
    assert "newer batchgen (version 99" in ended.err
    assert stage.asked == []
