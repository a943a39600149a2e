"""`init` writes a first job that is right and runs; `schema` prints what stands in batchgen.schema.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import called
from jsonschema import Draft7Validator
from processes import assert_whole, batchgen, pictures

from batchgen.manifest.reading.reader import read

ROOT = Path(__file__).parents[2]
SCHEMA = "batchgen.schema.json"
MODELINE = "# yaml-language-server: $schema="


def test_the_schema_at_the_root_is_the_one_that_is_printed(tmp_path: Path) -> None:
    ended = batchgen("schema", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert (ROOT / SCHEMA).read_text() == ended.out, "run `python -m batchgen schema > batchgen.schema.json`"
    Draft7Validator.check_schema(json.loads(ended.out))
    assert not list(tmp_path.iterdir())


def test_a_first_job_is_right_and_runs(tmp_path: Path) -> None:
    ended = called("init", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "job.yaml\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [SCHEMA, "job.yaml"]
    assert (tmp_path / "job.yaml").read_text().startswith(f"{MODELINE}{SCHEMA}\n")
    assert (tmp_path / SCHEMA).read_text() == (ROOT / SCHEMA).read_text()
    assert called("validate", "job.yaml", cwd=tmp_path).out == "job.yaml: right, 16 tasks\n"
    ended = batchgen("run", "job.yaml", "--provider", "sandbox", "--limit", "2", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "output/job@sandbox\n")
    assert len(pictures(tmp_path / "output/job@sandbox")) == 2
    assert_whole(tmp_path / "output/job@sandbox")


def test_a_first_job_fits_the_schema(tmp_path: Path) -> None:
    assert called("init", cwd=tmp_path).code == 0
    job = read((tmp_path / "job.yaml").read_bytes(), "job.yaml", {}).values
    schema = json.loads((tmp_path / SCHEMA).read_text())
    assert not list(Draft7Validator(schema).iter_errors(job))


@pytest.mark.parametrize("name", ["jobs/animals.yaml", "a b/my {job} $x.yaml", "é/ünï.yaml"])
def test_a_first_job_goes_where_it_is_wanted(tmp_path: Path, name: str) -> None:
    ended = called("init", name, cwd=tmp_path)
    assert (ended.code, ended.out) == (0, f"{name}\n")
    assert (tmp_path / name).with_name(SCHEMA).is_file()
    assert called("validate", name, cwd=tmp_path).code == 0


@pytest.mark.parametrize("name", ["job.yaml", "jobs", "job.yaml/inner.yaml"])
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "job.yaml").write_text("mine")
    (tmp_path / "jobs").mkdir()
    ended = called("init", name, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    taken = name.removesuffix("/inner.yaml")
    assert ended.err == f"batchgen: {taken}: is there already; give another name, or remove it\n"
    assert (tmp_path / "job.yaml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.yaml", "jobs"]


def test_a_schema_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / SCHEMA).write_text("{}")
    assert called("init", cwd=tmp_path).code == 0
    assert (tmp_path / SCHEMA).read_text() == "{}"


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert called("init", cwd=tmp_path).code == 2
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_leads_its_editor_to_the_schema(job: Path) -> None:
    first = job.read_text().splitlines()[0]
    assert first.startswith(MODELINE)
    assert (job.parent / first.removeprefix(MODELINE)).resolve() == ROOT / SCHEMA
    values = read(job.read_bytes(), job.name, {}).values
    schema = json.loads((ROOT / SCHEMA).read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(values)] == []
