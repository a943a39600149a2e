"""Whatever ids, variables, jobs and path templates are called: pictures stay inside, and none meets another."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from hostile_runs import JOB, job, quoted, run, served, tame, tree, unprintable
from in_process import called
from page_server import PageServer, png
from processes import assert_whole, pictures, sidecars
from raw_server import ok

from batchgen.manifest.paths import safe_name

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "../x",
    "../../../../etc/passwd",
    "/abs",
    "//host/share",
    "..",
    ".",
    " ",
    "~",
    "-rf",
    "$HOME/x",
    "$(id)",
    "C:\\x",
    "CON",
    "con.txt",
    "COM1",
    "lpt9.png",
    "nul ",
    ".hidden",
    "ends.",
    "a/b",
    "a\\b",
    "a\nb",
    "a\r\nb",
    "a\x1b[2Jb",
    "a\u202eb",
    "a\u2028b",
    "\ufeffx",
    "狐" * 100,
    "🦊" * 75,
    "x" * 100,
    "e\u0301",
    "fox.json",
    "fox.png",
    "fox.part",
    "fox.json.part",
    "job.yaml",
    "batchgen.sqlite",
    ".lock",
    "images",
]
"""A prompt's id, a variable's value and a job's name may be any of these: 300 bytes and 100 characters at most."""


def _outside(root: Path, folder: Path) -> dict[str, str]:
    return {path: shown for path, shown in tree(root, but=folder).items() if not path.startswith("state")}


def _prompts(ids: list[str]) -> str:
    return quoted([{"id": name, "prompt": f"a fox {name}"} for name in ids])


def _assert_inside(folder: Path) -> None:
    """Every picture is whole, with a plain place below `images/` and a name for any common file system."""
    assert len(pictures(folder)) == len(sidecars(folder)) == len(NAMES)
    assert [path for path in folder.rglob("*.part") if path.is_file()] == []
    for place in pictures(folder):
        area, *parts = place.split("/")
        assert area == "images"
        for part in parts:
            assert part not in {"", ".", ".."}
            assert len(part.encode()) < 200
            assert not unprintable(part)
            assert not set(part) & set('<>:"/\\|?*')
            assert unicodedata.is_normalized("NFC", part)
            assert not part.startswith((" ", "."))
            assert part.partition(".")[0].lower() not in {"con", "nul", "com1", "lpt9"}


@pytest.mark.parametrize(
    "path", ["{prompt_id}/{id:12}.{ext}", "{prompt_id}-{id}.{ext}", "{prompt_id}/{prompt_id}/{seed}-{id:12}.{ext}"]
)
def test_ids_of_prompts_lead_nowhere_else(tmp_path: Path, canary_page: PageServer, path: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    cwd, folder = tmp_path / "a" / "b", tmp_path / "a" / "b" / "output" / "otters"
    before = _outside(tmp_path, folder)
    ended = run(job(canary_page.url, prompts=_prompts(NAMES), more=f"output: {{path: '{path}'}}\n"), cwd=cwd)
    assert ended.code == 0, ended.err
    added = _outside(tmp_path, folder).keys() - before.keys()
    assert {place for place in added if "/state" not in place} == {f"a/b/{JOB}", "a/b/output"}
    _assert_inside(folder)
    assert {each["task"]["prompt_id"] for each in sidecars(folder).values()} == set(NAMES)


def test_values_of_variables_lead_nowhere_else(tmp_path: Path, canary_page: PageServer) -> None:
    (tmp_path / "in").mkdir()
    text = job(
        canary_page.url,
        prompts="['a fox {{name}}']",
        more=f"vars: {{name: {quoted(NAMES)}}}\noutput: {{path: '{{vars.name}}/{{vars.name}}-{{id}}.{{ext}}'}}\n",
    )
    folder = tmp_path / "in/output/otters"
    ended = run(text, cwd=tmp_path / "in")
    assert ended.code == 0, ended.err
    _assert_inside(folder)
    assert {path.name for path in (tmp_path / "in").iterdir()} == {JOB, "output"}
    assert {path.name for path in (tmp_path / "in/output").iterdir()} == {"otters"}


@pytest.mark.parametrize("name", NAMES)
def test_a_job_s_name_is_one_folder_below_output(tmp_path: Path, canary_page: PageServer, name: str) -> None:
    (tmp_path / "in").mkdir()
    ended = run(job(canary_page.url, more=f"name: {quoted(name)}\n"), cwd=tmp_path / "in")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "in").iterdir()} == {JOB, "output"}
    [folder] = (tmp_path / "in/output").iterdir()
    assert folder.is_dir()
    assert folder.name == safe_name(name)
    assert len(pictures(folder)) == 1
    assert_whole(folder)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../x/{id}.{ext}", "a path stays below the output folder"),
        ("/abs/{id}.{ext}", "a path stays below the output folder"),
        ("a/../../{id}.{ext}", "a path stays below the output folder"),
        ("~/../{id}.{ext}", "a path stays below the output folder"),
        ("a\\..\\{id}.{ext}", "a stray brace, backslash or control"),
        ("a\x1b[2J{id}.{ext}", "a stray brace, backslash or control"),
        ("/".join(["{vars.x}"] * 40) + "/{id}.{ext}", "41 parts between slashes; accepted: at most 16"),
    ],
)
def test_a_template_that_leads_elsewhere_is_refused_at_its_line(tmp_path: Path, path: str, said: str) -> None:
    more = f"vars: {{x: [{'x' * 120}]}}\noutput: {{path: {quoted(path)}}}\n"
    with served(ok(png(7))) as server:
        ended = run(job(server.url, prompts="['a fox {{x}}']", more=more), cwd=tmp_path)
    assert (ended.code, server.connections) == (2, 0)
    assert ended.err.startswith(f"{JOB}:6:16: output.path: {said}")
    assert [path.name for path in tmp_path.iterdir()] == [JOB]


@pytest.mark.parametrize("part", ["x" * 300, "狐" * 200, "{vars.x}{vars.x}{vars.x}"])
def test_a_long_part_is_shortened_and_the_longest_path_of_all_can_be_written(
    tmp_path: Path, canary_page: PageServer, part: str
) -> None:
    more = f"vars: {{x: [{'x' * 120}]}}\noutput: {{path: '{'/'.join([part] * 15)}/{{id}}{part}.{{ext}}'}}\n"
    ended = run(job(canary_page.url, prompts="['a fox {{x}}']", more=more), cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert len(pictures(tmp_path / "output/otters")) == 1
    assert_whole(tmp_path / "output/otters")


def test_an_output_folder_too_deep_for_its_pictures_is_found_before_paying(tmp_path: Path) -> None:
    deep = "/".join(["x" * 200] * 15)
    with served(ok(png(7))) as server:
        ended = run(job(server.url), "--output", deep, cwd=tmp_path)
    assert (ended.code, server.connections) == (5, 0)
    [line] = ended.err.splitlines()
    assert line.startswith("batchgen: ")
    assert "is too long a path for pictures below it; choose a folder with a shorter path with --output" in line


def test_an_output_folder_longer_than_any_path_is_one_line(tmp_path: Path) -> None:
    with served(ok(png(7))) as server:
        ended = run(job(server.url), "--output", "/".join(["x" * 200] * 30), cwd=tmp_path)
    assert (ended.code, server.connections) == (5, 0)
    [line] = ended.err.splitlines()
    assert "; choose a folder with a shorter path with --output" in line


def test_plan_shows_the_same_places_as_a_run_and_writes_nothing(tmp_path: Path, canary_page: PageServer) -> None:
    text = job(canary_page.url, prompts=_prompts(NAMES), more="output: {path: '{prompt_id}/{id}.{ext}'}\n")
    (tmp_path / JOB).write_text(text)
    planned = tame(called("plan", JOB, "--first", "100", cwd=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [JOB]
    assert run(text, cwd=tmp_path).code == 0
    for place in pictures(tmp_path / "output/otters"):
        assert place.removesuffix(".png") in planned.out
