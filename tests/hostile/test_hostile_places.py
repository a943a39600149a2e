"""Whatever lies in an output folder: nothing is written outside it, nothing there is lost, and nothing hangs."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hostile_runs import job, run, tree
from hostile_strangers import (
    LINKS,
    OTHERS,
    Stranger,
    a_file,
    a_folder,
    a_pipe,
    a_socket,
    ledger_of_others,
    second_name,
    second_name_of_a_ledger,
    to_a_file,
    to_a_folder,
    to_itself,
    to_nothing,
)
from page_server import Answer, PageServer, png
from processes import assert_whole, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from page_server import Request
    from processes import Ended

FIXED = "output: {path: 'fox/7.{ext}'}\n"
"""One task, whose files have these names."""
FINAL = ["images/fox/7.png", "images/fox/7.json", "images/fox/7.jpg", "filtered/fox/7.json"]
PARTS = ["images/fox/7.part", "images/fox/7.json.part"]
FOLDERS = ["images", "images/fox", "runs"]
OWN = ["batchgen.sqlite", "batchgen.sqlite-wal", "batchgen.sqlite-shm", "batchgen.sqlite-journal", ".lock"]
JOBS = ["job.yaml", "job.yaml.part"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What is none of a run's business."""
    folder = tmp_path / "outside"
    (folder / "trove").mkdir(parents=True)
    (folder / "precious").write_text("precious")
    (folder / "trove" / "gold").write_text("gold")
    ledger = sqlite3.connect(folder / "other.sqlite")
    ledger.execute("CREATE TABLE bookmarks (url TEXT)")
    ledger.close()
    return folder


def _around(root: Path, folder: Path) -> dict[str, str]:
    """All but the output folder and what processes on one account tell one another."""
    found = tree(root, but=folder)
    return {
        path: shown for path, shown in found.items() if path.split("/")[0] not in {"state", "output", "otters.yaml"}
    }


def _met(root: Path, place: str, stranger: Stranger, outside: Path, canary_page: PageServer) -> tuple[Ended, str, str]:
    """A run that meets a stranger at a place; what that was before and after. Outside nothing changes."""
    folder = root / "output/otters"
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    stranger(folder / place, outside)
    around, before = _around(root, folder), tree(folder)[place]
    ended = run(job(canary_page.url, more=FIXED), cwd=root)
    assert _around(root, folder) == around
    return ended, before, tree(folder).get(place, "gone")


def _refused(ended: Ended, place: str, canary_page: PageServer) -> None:
    """Nothing was sent, and one line says where, why and what to do."""
    assert ended.code in {2, 5}, ended.err
    assert canary_page.seen == []
    said = [line for line in ended.err.splitlines() if line.startswith("batchgen: ")]
    assert len(said) == 1, ended.err
    assert place.rpartition("/")[2] in said[0]
    assert "; " in said[0]


@pytest.mark.parametrize("place", FINAL)
@pytest.mark.parametrize("stranger", [*LINKS, *OTHERS, second_name, a_folder, a_file])
def test_a_stranger_at_a_final_name_keeps_it(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    ended, before, after = _met(tmp_path, place, stranger, outside, canary_page)
    _refused(ended, place, canary_page)
    assert after == before


@pytest.mark.parametrize("place", [*FOLDERS, *OWN])
@pytest.mark.parametrize("stranger", [*LINKS, *OTHERS])
def test_a_stranger_in_the_place_of_what_is_batchgen_s_own(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    ended, before, after = _met(tmp_path, place, stranger, outside, canary_page)
    _refused(ended, place, canary_page)
    assert after == before


@pytest.mark.parametrize("place", [*FOLDERS[:2], *OWN])
def test_a_folder_or_file_in_the_place_of_the_other(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str
) -> None:
    stranger = a_file if place in FOLDERS else a_folder
    ended, before, after = _met(tmp_path, place, stranger, outside, canary_page)
    _refused(ended, place, canary_page)
    assert after == before


@pytest.mark.parametrize("place", ["batchgen.sqlite", ".lock"])
@pytest.mark.parametrize("stranger", [a_file, ledger_of_others, second_name, second_name_of_a_ledger])
def test_a_foreign_file_by_the_name_of_the_ledger_or_the_lock_is_not_written_to(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    ended, _, _ = _met(tmp_path, place, stranger, outside, canary_page)
    contents: dict[Stranger, bytes] = {a_file: b"mine, and of no program", second_name: b"precious"}
    content = contents.get(stranger, (outside / "other.sqlite").read_bytes())
    folder = tmp_path / "output/otters"
    found = [path for path in folder.iterdir() if path.is_file() and path.read_bytes() == content]
    assert found, "it is nowhere any more"
    if ended.code:
        _refused(ended, place, canary_page)
    else:
        assert_whole(folder)


@pytest.mark.parametrize("place", [*PARTS, *JOBS])
@pytest.mark.parametrize("stranger", [*LINKS, *OTHERS, a_folder])
def test_a_stranger_at_the_name_of_a_part_or_in_the_place_of_the_job(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    ended, before, after = _met(tmp_path, place, stranger, outside, canary_page)
    _refused(ended, place, canary_page)
    assert after == before


@pytest.mark.parametrize("place", PARTS)
@pytest.mark.parametrize("stranger", [a_file, second_name])
def test_a_file_at_the_name_of_a_part_is_a_killed_run_s(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    ended, _, after = _met(tmp_path, place, stranger, outside, canary_page)
    assert (ended.code, after) == (0, "gone")
    assert_whole(tmp_path / "output/otters")


@pytest.mark.parametrize("stranger", [a_file, second_name])
def test_a_job_of_one_s_own_that_lies_in_the_output_folder_is_not_lost(
    tmp_path: Path, outside: Path, canary_page: PageServer, stranger: Stranger
) -> None:
    ended, _, _ = _met(tmp_path, "job.yaml", stranger, outside, canary_page)
    mine = b"precious" if stranger is second_name else b"mine, and of no program"
    folder = tmp_path / "output/otters"
    kept = [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == mine]
    assert kept, "it is nowhere any more"
    if ended.code:
        _refused(ended, "job.yaml", canary_page)


@pytest.mark.parametrize("stranger", [to_a_file, to_nothing, to_itself, a_pipe, a_socket, a_file])
def test_an_output_folder_that_is_none(
    tmp_path: Path, outside: Path, canary_page: PageServer, stranger: Stranger
) -> None:
    (tmp_path / "output").mkdir()
    folder = tmp_path / "output/otters"
    stranger(folder, outside)
    before = tree(tmp_path)
    ended = run(job(canary_page.url, more=FIXED), cwd=tmp_path)
    assert {path: shown for path, shown in tree(tmp_path).items() if path != "otters.yaml"} == before
    _refused(ended, "otters", canary_page)


def test_an_output_folder_that_is_a_link_is_the_user_s_word(
    tmp_path: Path, outside: Path, canary_page: PageServer
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output/otters").symlink_to(outside / "trove")
    before = tree(outside, but=outside / "trove")
    ended = run(job(canary_page.url, more=FIXED), cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert set(pictures(outside / "trove")) == {"images/fox/7.png"}
    assert_whole(outside / "trove")
    assert (outside / "trove/gold").read_text() == "gold"
    assert tree(outside, but=outside / "trove") == before


@pytest.mark.parametrize(
    "place", ["images", "images/fox", "images/fox/7.png", "images/fox/7.json", "images/fox/7.part"]
)
@pytest.mark.parametrize("stranger", [to_a_folder, to_nothing, to_a_file, a_pipe, a_file])
def test_a_stranger_that_comes_while_its_picture_is_made(
    tmp_path: Path, outside: Path, canary_page: PageServer, place: str, stranger: Stranger
) -> None:
    folder = tmp_path / "output/otters"
    answer = canary_page.answer

    def answer_and_swap(request: Request) -> Answer:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        stranger(folder / place, outside)
        return answer(request)

    canary_page.answer = answer_and_swap  # type: ignore[method-assign]
    around = _around(tmp_path, folder)
    ended = run(job(canary_page.url, more=FIXED), cwd=tmp_path)
    assert _around(tmp_path, folder) == around
    assert ended.code == 5, ended.err
    assert "(DISK)" in ended.err
    shown = tree(folder)
    (folder / "other").mkdir()
    stranger(folder / "other" / "same", outside)
    assert shown[place] == tree(folder / "other")["same"].replace("-> same", f"-> {place.rpartition('/')[2]}")
    assert [path for path in shown if ".part" in path and path != place] == []


def test_what_a_picture_is_named_by_its_bytes_does_not_replace_what_is_there(
    tmp_path: Path, outside: Path, canary_page: PageServer
) -> None:
    """The answer's format decides the name, so what lies there under any of its names keeps the place."""
    canary_page.script(Answer(200, {"Content-Type": "image/png"}, png(7)))
    ended, before, after = _met(tmp_path, "images/fox/7.webp", a_file, outside, canary_page)
    _refused(ended, "images/fox/7.webp", canary_page)
    assert after == before
