"""What a job costs and how long the limit makes it take, by arithmetic; an unknown price is never a number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from batchgen.comparison import Comparison, Indices
from batchgen.due import Part
from batchgen.job import read_job
from batchgen.manifest.survey import survey
from batchgen.model import Window
from batchgen.pricing import Price, models_due, price, seconds_at_limit

DOCUMENTED = Window(sends=150, seconds=10)
MINUTE = Window(sends=600, seconds=60)


@pytest.mark.parametrize(
    ("tasks", "windows", "seconds"),
    [
        (0, [DOCUMENTED], 0),
        (1, [DOCUMENTED], 0),
        (150, [DOCUMENTED], 0),
        (151, [DOCUMENTED], 10),
        (300, [DOCUMENTED], 10),
        (450, [DOCUMENTED], 20),
        (451, [DOCUMENTED], 30),
        (600, [DOCUMENTED, MINUTE], 30),
        (1201, [DOCUMENTED, MINUTE], 120),
        (10_000_000, [DOCUMENTED], 666_660),
        (2, [Window(sends=1, seconds=0.5)], 0.5),
        (1_000_000, [], 0),
    ],
)
def test_the_time_at_the_limit(tasks: int, windows: list[Window], seconds: float) -> None:
    assert seconds_at_limit(tasks, windows) == seconds


@dataclass(frozen=True, slots=True)
class Case:
    """A job, and low, expected and worst of it."""

    name: str
    job: str
    low: str | None
    worst: str | None
    unknown: dict[str, int]


TWO = "prompts: [{prompt: a fox}, {prompt: an owl, model: sd-core}]\n"
ADDED = "provider: {models: {sd9: {like: sd3-large}}%s}\ndefaults: {model: sd9}\n"
CASES = [
    Case("by the list", TWO, "0.095", "0.570", {}),
    Case("fewer tries", TWO + "retry: {attempts: 2}\n", "0.095", "0.190", {}),
    Case("one try", TWO + "retry: {attempts: 1}\n", "0.095", "0.095", {}),
    Case("a cap below the worst", TWO + "limits: {max_cost: 0.2}\n", "0.095", "0.2", {}),
    Case("a cap above the worst", TWO + "limits: {max_cost: 9}\n", "0.095", "0.570", {}),
    Case("an unknown price", ADDED % "" + TWO + "sweep: {seeds: 1..3}\n", None, None, {"sd9": 3}),
    Case("an unknown price with a cap", ADDED % "" + TWO + "limits: {max_cost: 9}\n", None, None, {"sd9": 1}),
    Case("a model that no task has", (ADDED % "").replace("model: sd9", "seed: 1") + TWO, "0.095", "0.570", {}),
    Case("in credits", ADDED % ", prices: {sd9: {credits: 1}, date: 2025-08}" + TWO, "0.04", "0.24", {}),
    Case("in dollars", ADDED % ", prices: {sd9: {usd: 0.5}, date: 2025-08}" + TWO, "0.53", "3.18", {}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_price_of_a_job(case: Case) -> None:
    manifest = read_job(case.job.encode(), "otters.yaml", Path(), run_id="1")
    found = price(manifest, survey(manifest).models, Decimal(0))
    low, worst = (None if text is None else Decimal(text) for text in (case.low, case.worst))
    assert found == Price(low=low, expected=low, worst=worst, unknown=case.unknown)


def test_what_is_kept_costs_nothing_again() -> None:
    manifest = read_job((ADDED % "" + TWO).encode(), "otters.yaml", Path(), run_id="1")
    found = survey(manifest)
    for kept, left in (((0,), {"sd-core": 1}), ((0, 1), {})):
        comparison = Comparison(tasks=2, kept=Indices(2, kept), missing={}, changed={}, orphaned=0)
        assert models_due(manifest, found, comparison, Part()) == left
    assert price(manifest, {"sd-core": 1}, Decimal(0)).expected == Decimal("0.03")
    assert price(manifest, {}, Decimal(0)).expected == 0


def test_a_part_is_priced_by_itself() -> None:
    manifest = read_job((ADDED % "" + TWO).encode(), "otters.yaml", Path(), run_id="1")
    found = survey(manifest)
    comparison = Comparison(tasks=2, kept=Indices(2), missing={}, changed={}, orphaned=0)
    assert models_due(manifest, found, comparison, Part(limit=1)) == {"sd9": 1}
    assert models_due(manifest, found, comparison, Part(only=("model=sd-core",))) == {"sd-core": 1}


def test_a_cap_bounds_every_price_by_what_it_leaves() -> None:
    job = "prompts: [a]\nsweep: {seeds: 1..20}\nlimits: {max_cost: 0.2}\n"
    manifest = read_job(job.encode(), "otters.yaml", Path(), run_id="1")
    found = price(manifest, {"sd3-large": 17}, Decimal("0.195"))
    left = Decimal("0.005")
    assert found == Price(low=left, expected=left, worst=left, unknown={}, capped=True)
