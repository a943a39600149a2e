"""The judge of the crash tests is content with a good folder, and says so of every way in which one is broken."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from evidence import LEDGER, Snapshot
from judge import Case, Tally, judge
from stage import Job, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOB = Job(in_flight=2)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A folder whose first run died with requests on their way."""
    with staged(tmp_path_factory.mktemp("played"), JOB) as stage:
        stage.die_at("before:picture_checked:3")
        stage.complete()
        assert not stage.findings
        yield stage.case()


@pytest.fixture
def good(played: Case, tmp_path: Path) -> Case:
    """The same again, to be broken."""
    folder, log = tmp_path / "otters", tmp_path / "server.ndjson"
    shutil.copytree(played.folder, folder)
    shutil.copy(played.log, log)
    return replace(played, folder=folder, log=log)


def test_a_good_folder_is_good(good: Case) -> None:
    tally = judge(good)
    assert tally.findings == ()
    assert (tally.rounds, tally.deaths, tally.lost) == (1, 1, 0)
    assert 12 <= tally.requests == 12 + tally.repeated
    assert 1 <= tally.repeated <= tally.in_doubt <= JOB.in_flight


def test_tallies_add_up() -> None:
    one = Tally(rounds=1, deaths=2, requests=3, repeated=4, in_doubt=5, lost=6, findings=("so",))
    both = Tally(rounds=2, deaths=4, requests=6, repeated=8, in_doubt=10, lost=12, findings=("so", "so"))
    assert one + one == both


def _picture(case: Case) -> Path:
    return min(case.folder.glob("images/**/*.png"))


def _sidecar(case: Case) -> Path:
    return _picture(case).with_suffix(".json")


def _task(case: Case) -> str:
    return str(json.loads(_sidecar(case).read_text())["task"]["id"])


def _flip(case: Case) -> None:
    content = bytearray(_picture(case).read_bytes())
    content[len(content) // 2] ^= 1
    _picture(case).write_bytes(content)


def _cut(case: Case) -> None:
    _picture(case).write_bytes(_picture(case).read_bytes()[:-1])


def _drop(case: Case) -> None:
    _picture(case).unlink()


def _drop_sidecar(case: Case) -> None:
    _sidecar(case).unlink()


def _drop_both(case: Case) -> None:
    _sidecar(case).unlink()
    _picture(case).unlink()


def _tear_sidecar(case: Case) -> None:
    _sidecar(case).write_bytes(_sidecar(case).read_bytes()[:-30])


def _leave_part(case: Case) -> None:
    _picture(case).with_suffix(".part").write_bytes(b"half")


def _leave_job_part(case: Case) -> None:
    (case.folder / "job.yaml.part").write_bytes(b"half")


def _leave_probe(case: Case) -> None:
    (case.folder / ".probe").write_bytes(b"?")


def _rewritten(case: Case, content: bytes) -> None:
    """Another picture, and a sidecar that says so."""
    said = json.loads(_sidecar(case).read_text())
    said["picture"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _picture(case).write_bytes(content)
    _sidecar(case).write_text(json.dumps(said))


def _other_picture(case: Case) -> None:
    _rewritten(case, max(case.folder.glob("images/**/*.png")).read_bytes())


def _no_picture(case: Case) -> None:
    _rewritten(case, b"no picture at all")


def _second_sidecar(case: Case) -> None:
    for path in (_picture(case), _sidecar(case)):
        (case.folder / "filtered").mkdir(exist_ok=True)
        shutil.copy(path, case.folder / "filtered" / path.name)


def _strange_task(case: Case) -> None:
    said = json.loads(_sidecar(case).read_text())
    said["task"]["id"] = "nobodys"
    _sidecar(case).write_text(json.dumps(said))


def _sql(statement: str) -> Callable[[Case], None]:
    """A change of the ledger; `:task` is a task that is made."""

    def change(case: Case) -> None:
        with closing(sqlite3.connect(case.folder / LEDGER)) as database, database:
            assert database.execute(statement, {"task": _task(case)} if ":task" in statement else {}).rowcount

    return change


def _damage_ledger(case: Case) -> None:
    path = case.folder / LEDGER
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _drop_ledger(case: Case) -> None:
    for path in case.folder.glob(f"{LEDGER}*"):
        path.unlink()


def _entries(case: Case) -> list[dict[str, Any]]:
    return [json.loads(line) for line in case.log.read_text().splitlines()]


def _ask_again(case: Case, **changes: Any) -> None:
    """The server's log has one more request for a picture that was made."""
    seed, prompt = (json.loads(_sidecar(case).read_text())["request"]["fields"][name] for name in ("seed", "prompt"))
    entries = _entries(case)
    again = next(each for each in entries if (each["fields"]["seed"], each["fields"]["prompt"]) == (seed, prompt))
    with case.log.open("a") as log:
        log.write(json.dumps({**again, "number": len(entries) + 1, **changes}) + "\n")


def _ask_for_nobody(case: Case) -> None:
    _ask_again(case, fields={"prompt": "a whale"})


def _ask_and_break_off(case: Case) -> None:
    _ask_again(case, fields={})
    _ask_again(case, fields={})


def _bill_nothing(case: Case) -> None:
    case.log.write_text("".join(json.dumps({**entry, "billed": False}) + "\n" for entry in _entries(case)))


BREAKS: dict[str, tuple[Callable[[Case], None], str]] = {
    "a flipped byte": (_flip, "not those of its sidecar's sha256"),
    "a byte too few": (_cut, "its sidecar says"),
    "a picture gone": (_drop, "and it is not there"),
    "a sidecar gone": (_drop_sidecar, "a picture without a sidecar"),
    "a pair gone": (_drop_both, "was never made"),
    "a safe pair gone": (_drop_both, "is gone"),
    "a torn sidecar": (_tear_sidecar, "is no sidecar"),
    "a part": (_leave_part, "was left behind"),
    "a job's part": (_leave_job_part, "was left behind"),
    "a strange file": (_leave_probe, "nobody knows what this is"),
    "another picture": (_other_picture, "is not what an uninterrupted run makes"),
    "a changed sidecar": (_other_picture, "is not as it was"),
    "no picture": (_no_picture, "Pillow can't load it"),
    "a task twice": (_second_sidecar, "has 2 sidecars"),
    "a strange task": (_strange_task, "an uninterrupted run has no such task"),
    "an attempt missing": (_sql("DELETE FROM attempts WHERE task = :task"), "the ledger has 0 attempts"),
    "all attempts missing": (_sql("DELETE FROM attempts"), "requests in all, the ledger has 0 attempts"),
    "nobody made it": (_sql("UPDATE attempts SET fault = 'CUT_OFF'"), "0 attempts of the ledger claim"),
    "made by two": (
        _sql(
            "INSERT INTO attempts (run, task, idx, number, started, billing) "
            "SELECT run, task, idx, 9, started, 'YES' FROM attempts WHERE task = :task"
        ),
        "2 attempts of the ledger claim",
    ),
    "attempts that the sidecar lacks": (
        _sql(
            "INSERT INTO attempts (run, task, idx, number, started, billing, fault) "
            "SELECT run, task, idx, 2, started, 'NO', 'UNREACHABLE' FROM attempts WHERE task = :task"
        ),
        "in its sidecar",
    ),
    "a false status": (_sql("UPDATE attempts SET status = 418 WHERE task = :task"), "a 418 that the server never gave"),
    "a false bill": (_sql("UPDATE attempts SET billing = 'NO' WHERE task = :task"), "the ledger admits 0"),
    "a bill that nobody sent": (_bill_nothing, "surely were"),
    "sent too early": (_sql("UPDATE attempts SET started = '2999-01-01T00:00:00.000Z'"), "was sent before its attempt"),
    "not settled": (_sql("UPDATE attempts SET billing = NULL WHERE task = :task"), "was never settled"),
    "misnumbered": (_sql("UPDATE attempts SET number = 7"), "its attempts are numbered"),
    "in doubt without a death": (_sql("UPDATE runs SET ended = '2026-11-22T00:00:00.000Z'"), "ended in order and left"),
    "a run without an end": (_sql("UPDATE runs SET ended = NULL"), "runs have no end in the ledger"),
    "a picture not entered": (_sql("DELETE FROM pictures WHERE task = :task"), "is not in the ledger"),
    "a picture entered wrongly": (_sql("UPDATE pictures SET bytes = 1"), "the ledger says"),
    "a picture in the ledger only": (_sql("UPDATE pictures SET task = 'nobodys'"), "is in the ledger only"),
    "made and failed": (
        _sql(
            "INSERT INTO failures (task, idx, prompt_id, fault, billing, words) "
            "VALUES (:task, 1, 'a-fox', 'INVALID', 'NO', '')"
        ),
        "is made, and has failed",
    ),
    "a damaged ledger": (_damage_ledger, "the ledger"),
    "no ledger": (_drop_ledger, "there is no ledger"),
    "asked again": (_ask_again, "again, which was made already"),
    "asked more often than the ledger knows": (_ask_again, "the ledger has 1 attempts"),
    "asked for nobody": (_ask_for_nobody, "asks for no task of the job"),
    "broken off": (_ask_and_break_off, "requests in all, the ledger has"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_it_says_what_is_wrong(good: Case, what: str) -> None:
    break_it, words = BREAKS[what]
    break_it(good)
    found = judge(replace(good, said=())).findings
    assert [finding for finding in found if words in finding], found


def test_it_counts_what_was_lost(good: Case) -> None:
    _drop_both(good)
    assert judge(good).lost == 1


def test_what_was_said_to_be_made_is_there(good: Case) -> None:
    said = replace(good, said=list(good.reference), snapshots=())
    assert judge(said).findings == ()
    _drop_both(good)
    assert any("was said to be made, and is not there" in finding for finding in judge(said).findings)


def test_what_has_a_final_name_is_whole_at_any_death(good: Case) -> None:
    picture = min(pair.picture for pair in good.reference.values())
    half = replace(good.snapshots[0], pictures={picture: "0" * 64})
    alone = replace(good.snapshots[0], flaws=("its picture is not there",))
    found = judge(replace(good, snapshots=[half, alone])).findings
    assert found == (
        f"after death 1: {picture}: has its final name, and is not whole",
        "after death 2: its picture is not there",
    )


def test_more_in_doubt_than_in_flight(good: Case) -> None:
    found = judge(replace(good, in_flight=0)).findings
    assert any("and at most 0 were in flight" in finding for finding in found)


def test_a_lost_ledger_excuses_what_only_it_knew_and_no_more(good: Case) -> None:
    """Requests of tasks that were not made when it went; not those of tasks that were."""
    made = {task: pair.sidecar_sha256 for task, pair in good.reference.items()}
    _sql("DELETE FROM attempts WHERE fault = 'LOST'")(good)
    _sql("UPDATE attempts SET number = 1")(good)
    assert judge(good).findings
    asked = good.snapshots[0].asked
    assert judge(replace(good, ledger_gone=Snapshot(asked=asked, safe={}, pictures={}))).findings == ()
    assert judge(replace(good, ledger_gone=Snapshot(asked=asked, safe=made, pictures={}))).findings
