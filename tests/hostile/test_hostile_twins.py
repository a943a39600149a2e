"""No two pictures meet: not on a file system that tells fewer names apart, nor in the files of their making."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hostile_runs import job, quoted, run, served, tree
from hypothesis import given
from hypothesis import strategies as st
from page_server import png
from processes import assert_whole, pictures
from raw_server import ok

from batchgen.manifest.paths import safe_name
from batchgen.store.names import IMAGES, PICTURES, spot

if TYPE_CHECKING:
    from pathlib import Path

    from page_server import PageServer


def _prompts(ids: list[str]) -> str:
    return quoted([{"id": name, "prompt": f"a fox {name}"} for name in ids])


TWINS = [
    ("Fox", "fOX"),
    ("é", "e\u0301"),
    ("straße", "STRASSE"),
    ("a/b", "a:b"),
    ("a\u202eb", "ab"),
    ("x.", "x"),
    ("CON", "_con"),
]


@pytest.mark.parametrize("twins", TWINS, ids=ascii)
def test_twins_on_some_file_system_are_refused_before_paying(tmp_path: Path, twins: tuple[str, str]) -> None:
    with served(ok(png(7))) as server:
        text = job(server.url, prompts=_prompts([*twins]), more="output: {path: '{prompt_id}.{ext}'}\n")
        ended = run(text, cwd=tmp_path)
    assert (ended.code, server.connections) == (2, 0)
    assert "output.path: tasks 0 and 1 both go to " in ended.err


@pytest.mark.parametrize("twins", TWINS, ids=ascii)
def test_twins_on_some_file_system_each_keep_their_picture_where_ids_tell_them_apart(
    tmp_path: Path, canary_page: PageServer, twins: tuple[str, str]
) -> None:
    text = job(canary_page.url, prompts=_prompts([*twins]), more="output: {path: '{prompt_id}-{id}.{ext}'}\n")
    assert run(text, cwd=tmp_path).code == 0
    folder = tmp_path / "output/otters"
    assert len({place.casefold() for place in pictures(folder)}) == 2
    assert_whole(folder)


ENDS = ["", ".json", ".part", ".json.part", ".png", ".jpg", ".webp", ".JSON", "_"]
BEGINNINGS = ["fox", "fox.json", "x"]


@given(st.lists(st.tuples(st.sampled_from(BEGINNINGS), st.sampled_from(ENDS)).map("".join), min_size=2, unique=True))
def test_no_two_pictures_share_a_file_on_their_way(names: list[str]) -> None:
    """`fox.json.part` would be the sidecar of `fox` on its way, and the picture of `fox.json`."""
    stems = {safe_name(name).casefold(): safe_name(name) for name in names}
    for one, other in combinations(stems.values(), 2):
        assert not _files(one) & _files(other), (one, other)


def _files(stem: str) -> set[str]:
    place = spot(IMAGES, stem)
    finals = {place.name + extension for extension in PICTURES}
    return {name.casefold() for name in (place.picture_part, place.sidecar, place.sidecar_part, *finals)}


def test_a_prompt_called_json_and_its_twin_are_both_made_and_finished_after_a_crash(
    tmp_path: Path, canary_page: PageServer
) -> None:
    ids = ["fox", "fox.json", "fox.part", "fox.json.json"]
    text = job(canary_page.url, prompts=_prompts(ids), more="output: {path: '{prompt_id}.{ext}'}\n")
    folder = tmp_path / "output/otters"
    assert run(text, cwd=tmp_path).code == 0
    whole = tree(folder / "images")
    for path in list((folder / "images").iterdir()):  # as a run leaves them that is killed before the first rename
        end = ".json.part" if path.suffix == ".json" else ".part"
        path.rename(path.with_name(path.name[: -len(path.suffix)] + end))
    (folder / "batchgen.sqlite").unlink()
    assert run(text, cwd=tmp_path).code == 0
    assert len(canary_page.seen) == len(ids)
    assert tree(folder / "images") == whole
