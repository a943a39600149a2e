"""`plan`: counts, prices, time, first tasks and what is made already; it sends nothing and changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from in_process import called
from processes import KEY, Mark, OutsideSandbox, batchgen, job_for

from batchgen.cli.explain import explained
from batchgen.errors import UsageError
from batchgen.job import load_job

DOCUMENTED = {"tasks", "duplicates", "skipped", "cost_usd", "seconds_at_limit", "new", "kept", "changed", "orphaned"}

JOB = """\
provider: {kind: gateway, url: URL, api_key_env: PICTURE_KEY}
vars: {animal: [fox, owl]}
prompts:
  - {id: wild, prompt: "a {{animal}}, wild"}
  - {id: sign, prompt: a sign, model: sd-core, style_preset: anime}
sweep: {ratios: [1:1, 16:9], seeds: 1..3}
"""


def plan(folder: Path, job: str, *options: str) -> dict[str, Any]:
    """What `plan --json` says of a job."""
    (folder / "otters.yaml").write_text(job)
    ended = called("plan", "otters.yaml", "--json", *options, cwd=folder)
    assert ended.code == 0, ended.err
    said: dict[str, Any] = json.loads(ended.out)
    return said


def said(folder: Path, job: str, *options: str) -> str:
    """What `plan` says of a job."""
    (folder / "otters.yaml").write_text(job)
    ended = called("plan", "otters.yaml", *options, cwd=folder)
    assert ended.code == 0, ended.err
    return ended.out


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """All that lies below a folder, and when it was last touched."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


def test_a_plan_tells_counts_prices_and_first_tasks(tmp_path: Path, sandbox: Mark) -> None:
    found = plan(tmp_path, JOB.replace("URL", sandbox.url))
    assert DOCUMENTED | {"first"} <= found.keys()
    assert (found["tasks"], found["duplicates"], found["skipped"]) == (18, 0, 0)
    assert found["cost_usd"] == {"low": 0.96, "expected": 0.96, "worst": 5.76}
    assert (found["new"], found["kept"], found["changed"], found["orphaned"]) == (18, 0, 0, 0)
    assert found["seconds_at_limit"] == 0
    assert found["prompts"] == [
        {"id": "wild", "tasks": 12, "axes": {"animal": 2, "aspect_ratio": 2, "seed": 3}},
        {"id": "sign", "tasks": 6, "axes": {"aspect_ratio": 2, "seed": 3}},
    ]
    assert [each["index"] for each in found["first"]] == list(range(10))
    first = found["first"][0]
    assert first.keys() >= {"index", "id", "path", "fields"}
    assert first["path"] == f"images/a-animal-wild/1-{first['id'][:12]}"
    assert first["fields"] == {"model": "sd3-large", "prompt": "a fox, wild", "seed": "1", "aspect_ratio": "1:1"}
    assert sandbox.requests() == []
    assert [path.name for path in tmp_path.iterdir()] == ["otters.yaml"]


def test_a_plan_for_people_says_the_same(tmp_path: Path, sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(JOB.replace("URL", sandbox.url))
    ended = batchgen("plan", "otters.yaml", "--first", "2", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    text = ended.out
    assert "otters: 18 pictures\n" in text
    assert "output  output/otters: all new\n" in text
    assert "$0.96 low and expected, $5.76 at worst (prices of 2025-08)" in text
    assert "wild        12  = 2 animal x 2 aspect_ratio x 3 seed\n" in text
    assert "sign         6  = 2 aspect_ratio x 3 seed\n" in text
    assert text.count("images/") == 2
    assert "… and 16 more" in text
    assert sandbox.requests() == []


def test_the_time_at_the_limit_is_told(tmp_path: Path) -> None:
    job = "prompts: [a fox]\nsweep: {seeds: 1..450}\n"
    assert plan(tmp_path, job)["seconds_at_limit"] == 20
    assert "at least 20 s at the limit of 150/10s" in said(tmp_path, job)
    assert "no limit is set" in said(tmp_path, job, "--set", "provider.rate_limit=none")


def test_an_unknown_price_is_no_number(tmp_path: Path) -> None:
    job = (
        "provider: {models: {sd9: {like: sd3-large}}}\nprompts: [a fox]\nsweep: {models: [sd9, sd-core], seeds: 1..4}\n"
    )
    found = plan(tmp_path, job)
    assert found["cost_usd"] == {"low": None, "expected": None, "worst": None}
    assert found["unknown_prices"] == {"sd9": 4}
    text = said(tmp_path, job)
    assert "price   unknown: no price for 4 of sd9; give one under provider.prices" in text
    assert "$" not in text


def test_duplicates_and_what_no_model_takes_are_counted(tmp_path: Path) -> None:
    job = (
        "skip_invalid: true\nprompts: ['a fox', {id: again, prompt: a fox}]\n"
        "sweep: {models: [sd3-large, sd-core], styles: [null, anime], seeds: 1..2}\n"
    )
    found = plan(tmp_path, job)
    assert (found["tasks"], found["duplicates"], found["skipped"], found["new"]) == (6, 6, 4, 6)
    assert found["cost_usd"]["low"] == pytest.approx(2 * 0.065 + 4 * 0.03)
    text = said(tmp_path, job)
    assert "6 pictures (6 listed again and made once; 4 left out, which no model takes)" in text


def test_a_data_file_is_counted_by_its_rows(tmp_path: Path) -> None:
    (tmp_path / "alike.csv").write_text("thing\ncup\njug\n")
    (tmp_path / "others.csv").write_text("thing,seed\npot,\npan,9\n")
    job = "prompts: [{file: alike.csv, prompt: 'a {{thing}}'}, {file: others.csv, prompt: 'a {{thing}}'}]\n"
    job += "sweep: {seeds: 1..3}\n"
    assert [(each["tasks"], each["axes"]) for each in plan(tmp_path, job)["prompts"]] == [
        (6, {"rows": 2, "seed": 3}),
        (4, {"rows": 2}),
    ]
    text = said(tmp_path, job)
    assert "alike.csv          6  = 2 rows x 3 seed\n" in text
    assert "others.csv         4  in 2 rows with different axes\n" in text


@pytest.mark.parametrize("count", [0, 1, 7])
def test_as_many_first_tasks_as_asked_for(tmp_path: Path, count: int) -> None:
    found = plan(tmp_path, "prompts: [a fox]\nsweep: {seeds: 1..5}\n", "--first", str(count))
    assert [each["fields"]["seed"] for each in found["first"]] == ["1", "2", "3", "4", "5"][:count]


SWEEP = """\
prompts: [a fox, an owl]
sweep: {models: [sd-core], styles: [anime, origami, cinematic], ratios: [1:1, 16:9], seeds: 1..5}
"""


def test_a_sample_shows_every_value(tmp_path: Path) -> None:
    shown = plan(tmp_path, SWEEP, "--sample", "10")["first"]
    values = {name: {each["fields"][name] for each in shown} for name in shown[0]["fields"]}
    assert len(shown) == 10
    assert values["prompt"] == {"a fox", "an owl"}
    assert values["style_preset"] == {"anime", "origami", "cinematic"}
    assert values["aspect_ratio"] == {"1:1", "16:9"}
    assert values["seed"] == {"1", "2", "3", "4", "5"}


def test_a_part_of_a_job_is_listed_alone(tmp_path: Path) -> None:
    only = ("--only", "seed=2..3", "--only", "style_preset=anime", "--only", "prompt=a fox")
    found = plan(tmp_path, SWEEP, *only)
    assert (found["tasks"], found["asked"]) == (60, 4)
    assert {(each["fields"]["seed"], each["fields"]["style_preset"]) for each in found["first"]} == {
        ("2", "anime"),
        ("3", "anime"),
    }
    text = said(tmp_path, SWEEP, *only, "--first", "3")
    assert "part    4 of the 60 to make are asked for" in text
    assert "… and 1 more" in text


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (("--only", "seeed=1"), "--only seeed=1: not a field=value; did you mean 'seed'?"),
        (("--only", "seed=x"), "--only seed=x: 'x' is not a value of seed"),
        (("--explain", "60"), "--explain 60: no such task; the job has 60, counted from 0"),
        (("--set", "sweeep.seeds=1"), "unknown key 'sweeep'; did you mean 'sweep'?"),
        (("--set", "sweep.styles.7=anime"), "--set sweep.styles.7: no such entry; the list has 3"),
        (("--sample", "0"), "0 is not in the range x>=1"),
        (("--first", "-1"), "-1 is not in the range x>=0"),
    ],
)
def test_what_can_not_be_planned_is_said(tmp_path: Path, options: tuple[str, str], cause: str) -> None:
    (tmp_path / "otters.yaml").write_text(SWEEP)
    ended = called("plan", "otters.yaml", *options, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert cause in ended.err


# Against an output that is there.

BASE = "prompts: [{id: fox, prompt: a fox}, {id: owl, prompt: an owl}]\nsweep: {seeds: 1..2}\n"
BY_PLACE = 'output: {path: "{prompt_id}/{seed}.{ext}"}\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: OutsideSandbox) -> Path:
    """An output folder with the four pictures of a job whose paths do not hold an id."""
    folder = tmp_path_factory.mktemp("made")
    job = job_for(shared_sandbox.url, prompts="[{id: fox, prompt: a fox}, {id: owl, prompt: an owl}]", more=BY_PLACE)
    (folder / "otters.yaml").write_text(job)
    assert batchgen("run", "otters.yaml", cwd=folder, env=KEY).code == 0
    return folder / "output/otters"


@dataclass(frozen=True, slots=True)
class Change:
    """A job as it is now, how it stands to what is made, and the cost of the rest."""

    name: str
    job: str
    new: int = 0
    kept: int = 4
    changed: int = 0
    orphaned: int = 0
    usd: float = 0.0
    said: str = ""


CHANGES = [
    Change("the same", BASE + BY_PLACE, said="0 new, 4 kept\n  price   nothing to make"),
    Change("a value more", BASE.replace("1..2", "1..3") + BY_PLACE, new=2, usd=0.13, said="2 new, 4 kept\n"),
    Change("a prompt more", BASE.replace("[{", "[a bear, {", 1) + BY_PLACE, new=2, usd=0.13),
    Change("another order", BASE.replace("1..2", "[2, 1]") + BY_PLACE),
    Change("another name", BASE.replace("id: fox", "id: reynard") + BY_PLACE),
    Change("another path", BASE),
    Change("a preset of the same", f"presets: {{x: {{seed: 1}}}}\n{BASE}{BY_PLACE}"),
    Change(
        "another text",
        BASE.replace("a fox", "a red fox") + BY_PLACE,
        0,
        2,
        2,
        0,
        0.13,
        "2 changed, whose places are taken",
    ),
    Change("another model", f"defaults: {{model: sd-core}}\n{BASE}{BY_PLACE}", kept=0, changed=4, usd=0.12),
    Change(
        "another text, by id", BASE.replace("a fox", "a red fox"), 2, 2, 0, 2, 0.13, "2 orphaned: of tasks that the job"
    ),
    Change("a value less", BASE.replace("1..2", "2") + BY_PLACE, kept=2, orphaned=2),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_plan_against_what_is_made(tmp_path: Path, made: Path, sandbox: Mark, change: Change) -> None:
    before = everything(made)
    found = plan(tmp_path, change.job, "--output", str(made))
    counts = {name: found[name] for name in ("new", "kept", "changed", "orphaned")}
    assert counts == {name: getattr(change, name) for name in counts}
    assert found["cost_usd"]["expected"] == found["cost_usd"]["low"] == pytest.approx(change.usd)
    assert len(found["first"]) == change.new + change.changed
    if change.said:
        assert change.said in said(tmp_path, change.job, "--output", str(made))
    assert everything(made) == before
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("job", "options", "code"),
    [
        (BASE, ("--output", "MADE"), 0),
        (BASE, (), 10),
        (BASE.replace("1..2", "1..3"), ("--output", "MADE"), 10),
        (BASE.replace("1..2", "1..3"), ("--output", "MADE", "--json"), 10),
        (BASE.replace("1..2", "1..3"), ("--output", "MADE", "--only", "seed=1..2"), 0),
        (BASE.replace("1..2", "1..3"), ("--output", "MADE", "--only", "seed=3"), 10),
        ("prompts: 7\n", (), 2),
    ],
)
def test_the_detailed_exit_code(tmp_path: Path, made: Path, job: str, options: tuple[str, ...], code: int) -> None:
    (tmp_path / "otters.yaml").write_text(job)
    given = [str(made) if option == "MADE" else option for option in options]
    assert called("plan", "otters.yaml", "--detailed-exitcode", *given, cwd=tmp_path).code == code


# Where each value comes from.

SOURCES = """\
defaults: {output_format: jpeg, negative_prompt: blurry}
presets:
  film: {model: sd-core, style_preset: analog-film}
vars:
  animal: [fox, owl]
  light: golden
sweep:
  aspect_ratio: [16:9, 1:1]
  seed:
    - 1
    - 2
  include:
    - {aspect_ratio: 21:9, seed: 99}
prompts:
  - a {{animal}} in {{light}} light
  - id: portrait
    prompt: portrait
    preset: film
    output_format: png
    sweep: {seed: [7, 8]}
  - file: things.csv
    prompt: a {{thing}}
  - id: pairs
    prompt: a pair
    zip:
      - output_format: [jpeg, png]
        negative_prompt:
          - people
          - cars
tasks:
  - {prompt: a lighthouse, model: sd-core, seed: 5}
"""

EXPLAINED = [
    # the task, a field or variable, its value, the origin, the place
    (0, "model", "sd3-large", "built-in", ""),
    (0, "prompt", "a fox in golden light", "prompt", "otters.yaml:15"),
    (0, "animal", "fox", "vars", "otters.yaml:5"),
    (0, "light", "golden", "vars", "otters.yaml:6"),
    (0, "seed", "1", "sweep", "otters.yaml:10"),
    (1, "seed", "2", "sweep", "otters.yaml:11"),
    (0, "aspect_ratio", "16:9", "sweep", "otters.yaml:8"),
    (0, "output_format", "jpeg", "defaults", "--set"),
    (0, "negative_prompt", "blurry", "defaults", "otters.yaml:1"),
    (8, "aspect_ratio", "21:9", "include", "otters.yaml:13"),
    (8, "seed", "99", "include", "otters.yaml:13"),
    (10, "model", "sd-core", "preset film", "otters.yaml:3"),
    (10, "style_preset", "analog-film", "preset film", "otters.yaml:3"),
    (10, "output_format", "png", "prompt", "otters.yaml:19"),
    (10, "seed", "7", "prompt's sweep", "otters.yaml:20"),
    (15, "thing", "cup", "things.csv:2", "things.csv:2"),
    (15, "seed", "1", "sweep", "otters.yaml:10"),
    (20, "thing", "jug", "things.csv:3", "things.csv:3"),
    (20, "seed", "9", "things.csv:3", "things.csv:3"),
    (23, "output_format", "jpeg", "zip", "otters.yaml:26"),
    (23, "negative_prompt", "people", "zip", "otters.yaml:28"),
    (29, "negative_prompt", "cars", "zip", "otters.yaml:29"),
    (-1, "prompt", "a lighthouse", "prompt", "otters.yaml:31"),
    (-1, "seed", "5", "prompt", "otters.yaml:31"),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with a value from everywhere."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "things.csv").write_text("thing,seed\ncup,\njug,9\n")
    (folder / "otters.yaml").write_text(SOURCES)
    return folder


@pytest.mark.parametrize("row", EXPLAINED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_value_is_explained(
    sources: Path, monkeypatch: pytest.MonkeyPatch, row: tuple[int, str, str, str, str]
) -> None:
    index, name, value, origin, where = row
    monkeypatch.chdir(sources)
    manifest = load_job(Path("otters.yaml"), run_id="1", overrides=["defaults.output_format=jpeg"])
    lines = explained(manifest, index % len(manifest))
    rows = [line.split(maxsplit=1) for line in lines[3:]]
    assert [rest.split() for field, rest in rows if field == name] == [
        [*value.split(), *origin.split(), *where.split()]
    ]


def test_an_explanation_names_the_task(sources: Path) -> None:
    ended = called("plan", "otters.yaml", "--explain", "12", cwd=sources)
    found = json.loads(called("plan", "otters.yaml", "--json", "--first", "13", cwd=sources).out)["first"][12]
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [f"task 12: {found['id']}", f"  {found['path']}"]


def test_a_task_that_is_not_there_is_not_explained(sources: Path) -> None:
    manifest = load_job(sources / "otters.yaml", run_id="1")
    explained(manifest, len(manifest) - 1)
    with pytest.raises(UsageError, match="no such task"):
        explained(manifest, len(manifest))
