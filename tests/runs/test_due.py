"""A job against a folder: kept by id wherever it stands, changed where a place is taken, and a part of what is due."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchgen.comparison import Indices, compare, compare_as_left
from batchgen.due import Part, count_due, tasks_due
from batchgen.errors import UsageError
from batchgen.job import read_job
from batchgen.manifest.paths import folded
from batchgen.manifest.survey import Survey, survey
from batchgen.model import Billing, Fault
from batchgen.store.contents import Contents
from batchgen.store.rows import FailureRow

if TYPE_CHECKING:
    from batchgen.manifest.manifest import Manifest

JOB = "prompts: [{id: fox, prompt: %s}, {id: owl, prompt: an owl}]\nsweep: {seeds: %s}\n%s"
BY_ID, BY_PLACE = "", 'output: {path: "{prompt_id}/{seed}.{ext}"}\n'


def a_job(text: str) -> tuple[Manifest, Survey]:
    manifest = read_job(text.encode(), "otters.yaml", Path(), run_id="1")
    return manifest, survey(manifest)


def job(fox: str = "a fox", seeds: str = "1..2", path: str = BY_ID) -> str:
    return JOB % (fox, seeds, path)


def folder_of(manifest: Manifest, *, but: frozenset[int] = frozenset(), gone: frozenset[int] = frozenset()) -> Contents:
    """A folder in which a job was made, but for some tasks; the pictures of others are gone."""
    tasks = [task for task in manifest if task.index not in but]
    return Contents(
        made={task.id: task.stem for task in tasks if task.index not in gone},
        indices={task.id: task.index for task in tasks},
        filtered=frozenset(),
        missing={task.id: task.stem for task in tasks if task.index in gone},
        taken={folded(task.stem): f"images/{task.stem}.json" for task in tasks},
        billed_usd=Decimal(0),
        blocked={},
    )


@dataclass(frozen=True, slots=True)
class Change:
    """A job that was made, the job as it is now, and how that stands."""

    name: str
    before: str
    after: str
    kept: set[int]
    changed: set[int] = field(default_factory=set)
    orphaned: int = 0


def in_ledger(manifest: Manifest) -> list[tuple[str, int]]:
    """Task and index of each picture that a job left when it was made to its end."""
    return [(task.id, task.index) for task in manifest]


MORE = (
    "prompts: [{id: bear, prompt: a bear}, {id: owl, prompt: an owl}, {id: fox, prompt: a fox}]\nsweep: {seeds: 0..3}\n"
)
CHANGES = [
    Change("the same", job(), job(), {0, 1, 2, 3}),
    Change("the same by place", job(path=BY_PLACE), job(path=BY_PLACE), {0, 1, 2, 3}),
    Change("a value more", job(), job(seeds="1..3"), {0, 1, 3, 4}),
    Change("a value less", job(), job(seeds="2"), {0, 1}, orphaned=2),
    Change("another order", job(), job(seeds="[2, 1]"), {0, 1, 2, 3}),
    Change("more, elsewhere", job(), MORE, {5, 6, 9, 10}),
    Change("other names", job(), job().replace("id: fox", "id: reynard"), {0, 1, 2, 3}),
    Change("another path", job(), job(path=BY_PLACE), {0, 1, 2, 3}),
    Change("another text", job(), job("a red fox"), {2, 3}, orphaned=2),
    Change("another text by place", job(path=BY_PLACE), job("a red fox", path=BY_PLACE), {2, 3}, {0, 1}),
    Change(
        "another model by place",
        job(path=BY_PLACE),
        f"{job(path=BY_PLACE)}defaults: {{model: sd-core}}",
        set(),
        {0, 1, 2, 3},
    ),
    Change(
        "names that change places",
        job(path=BY_PLACE),
        job(path=BY_PLACE).replace("id: fox", "id: x").replace("id: owl", "id: fox"),
        {0, 1, 2, 3},
    ),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_what_a_change_means(change: Change) -> None:
    contents = folder_of(a_job(change.before)[0])
    comparison = compare(*a_job(change.after), contents)
    assert set(comparison.kept) == change.kept
    assert set(comparison.changed) == change.changed
    assert comparison.orphaned == change.orphaned
    assert comparison.new == comparison.tasks - len(change.kept) - len(change.changed)
    now = {task.id: task.index for task in a_job(change.after)[0]}
    assert comparison.in_place == all(now.get(task.id) == task.index for task in a_job(change.before)[0])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_ledger_alone_tells_the_same(change: Change) -> None:
    before, after = a_job(change.before), a_job(change.after)
    failed = [FailureRow(before[0].task(3).id, 3, "owl", Fault.INVALID, Billing.NO, 400, "no")]
    made = [each for each in in_ledger(before[0]) if each[1] != 3]
    same = before[0].digest == after[0].digest
    assert same == (change.before == change.after)
    contents = replace(folder_of(before[0], but=frozenset({3})), failures=failed)
    contents = replace(contents, indices={**contents.indices, failed[0].task_id: 3})
    looked_at, told = compare(*after, contents), compare_as_left(*after, made, failed, same=same)
    if told is None:
        assert not after[0].prompts[0].path.tells_apart
        return
    assert (set(told.kept), len(told.kept), told.tasks) == (set(looked_at.kept), len(looked_at.kept), looked_at.tasks)
    assert (told.failed, told.given_up) == (looked_at.failed, looked_at.given_up)
    assert (told.orphaned, told.in_place) == (looked_at.orphaned, looked_at.in_place)
    assert (dict(told.changed), dict(told.missing)) == (dict(looked_at.changed), dict(looked_at.missing)) == ({}, {})


GATEWAY = "provider: {kind: gateway}\n"


@pytest.mark.parametrize(
    "more",
    [
        f"{GATEWAY}limits: {{max_images: 3}}\nretry: {{attempts: 2}}\nname: others\n",
        "provider: {kind: gateway, url: 'http://127.0.0.1:1/', rate_limit: 3/1s, concurrency: 2, timeout: 3s}",
        "provider: {kind: gateway, api_key_env: ANOTHER, prices: {sd3-large: {credits: 9}, date: 2025-09}}",
    ],
)
def test_what_changes_no_task_changes_no_digest(more: str) -> None:
    assert a_job(job(path=more))[0].digest == a_job(job(path=GATEWAY))[0].digest


@pytest.mark.parametrize(
    "more", ["seed_root: 1\n", "defaults: {model: sd-core}\n", "repeat: 2\n", "provider: sandbox\n", BY_PLACE]
)
def test_what_changes_a_task_or_its_place_changes_the_digest(more: str) -> None:
    assert a_job(job(path=more))[0].digest != a_job(job())[0].digest


def test_where_tasks_are_listed_twice_a_ledger_alone_tells_nothing() -> None:
    manifest, found = a_job("prompts: [a fox, a fox, an owl]")
    assert found.duplicates == 1
    assert compare_as_left(manifest, found, in_ledger(manifest), [], same=True) is None


@pytest.mark.parametrize("index", [-1, 0, 4])
def test_what_no_ledger_says_is_not_believed(index: int) -> None:
    manifest, found = a_job(job())
    made = [*in_ledger(manifest)[:3], (manifest.task(3).id, index)]
    assert compare_as_left(manifest, found, made, [], same=True) is None
    told = compare_as_left(manifest, found, made, [], same=False)
    assert told is not None
    assert (set(told.kept), told.in_place) == ({0, 1, 2, 3}, False)


def test_indices_are_a_set() -> None:
    indices = Indices(20)
    for index in (0, 7, 8, 19, 7):
        indices.add(index)
    assert (list(indices), len(indices)) == ([0, 7, 8, 19], 4)
    assert [index in indices for index in (-1, 8, 9, 19, 20, 39)] == [False, True, False, True, False, False]
    assert list(indices.leave_out(range(5, 20))) == [5, 6, *range(9, 19)]
    assert list(Indices(3, [2, 0])) == [0, 2]


def test_a_picture_that_is_gone_is_due_and_not_in_its_own_way() -> None:
    manifest, found = a_job(job(path=BY_PLACE))
    comparison = compare(manifest, found, folder_of(manifest, gone=frozenset({1, 2})))
    assert set(comparison.missing) == {1, 2}
    assert not comparison.changed
    assert list(tasks_due(manifest, found, comparison, Part())) == [1, 2]


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of a job of which the first task is made, and the tasks that are due of it."""

    name: str
    part: Part
    due: list[int]


TWICE = "prompts: [a fox, a fox, an owl]\nsweep: {seeds: 1..2}\n"
"""The tasks 2 and 3 are 0 and 1 again."""
PARTS = [
    Asked("all", Part(), [1, 4, 5]),
    Asked("a limit", Part(limit=2), [1, 4]),
    Asked("a limit beyond", Part(limit=9), [1, 4, 5]),
    Asked("a value", Part(only=["seed=1"]), [4]),
    Asked("a value and a limit", Part(only=["seeds=1..2"], limit=1), [1]),
    Asked("a value that none has", Part(only=["seed=7"]), []),
    Asked("either of two", Part(only=["seed=1", "seed=2"]), [1, 4, 5]),
    Asked("both of two", Part(only=["seed=1", "prompt=an owl"]), [4]),
    Asked("a sample of all", Part(sample=6), [1, 4, 5]),
    Asked("a sample of more", Part(sample=60), [1, 4, 5]),
    Asked("a sample with a value", Part(sample=60, only=["seed=2"]), [1, 5]),
    Asked("a sample with a limit", Part(sample=60, limit=1), [1]),
]


@pytest.mark.parametrize("asked", PARTS, ids=lambda asked: asked.name)
def test_a_part_asks_for_each_different_task_once(asked: Asked) -> None:
    manifest, found = a_job(TWICE)
    comparison = compare(manifest, found, folder_of(manifest, but=frozenset({1, 2, 3, 4, 5})))
    assert list(tasks_due(manifest, found, comparison, asked.part)) == asked.due
    assert count_due(manifest, found, comparison, asked.part) == len(asked.due)


@pytest.mark.parametrize("only", ["seed", "seeed=1", "seed=x", "=1", "seed=1..", "seed={random: 2"])
def test_an_only_that_asks_for_nothing_known_is_an_error(only: str) -> None:
    manifest, found = a_job(job())
    comparison = compare(manifest, found, folder_of(manifest))
    with pytest.raises(UsageError, match="--only") as said:
        tasks_due(manifest, found, comparison, Part(only=[only]))
    assert len(str(said.value).splitlines()) == 1
