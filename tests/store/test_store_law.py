"""The law of the store, whatever runs do and wherever they are killed or their disk fails.

- What the ledger says was spent at most is never less, and what was surely spent never more, than what was paid.
- In doubt are at most as many attempts as were in flight; only their tasks are ever paid for twice.
- A task is made where its sidecar is there, and what was said to be made stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_folders import close_all, files, opened
from store_runs import IN_FLIGHT, TASKS, Outcome, Plan, Run, World

from batchgen.model import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.store.folder import OutputFolder, Recovered

pytestmark = pytest.mark.usefixtures("kept_here")


def sidecars(root: Path) -> set[str]:
    """The tasks of every sidecar whose picture is whole, read without the code that wrote them."""
    found = set()
    for path in root.glob("images/**/*.json"):
        said = json.loads(path.read_bytes())
        content = path.with_name(said["picture"]["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == said["picture"]["sha256"]
        found.add(said["task"]["id"])
    return found


def the_law_holds(folder: OutputFolder, recovered: Recovered, world: World) -> None:
    ledger, made = folder.ledger, set(recovered.contents.made)
    rows = [row for _, row in ledger._attempts("1")]
    bill, paid = ledger.bill(), sum(outcome.usd for _, outcome in world.asked)
    assert bill.spent <= paid <= bill.at_most
    assert Counter(name for name, _ in world.asked) <= Counter(row.task_id for row in rows)
    # What was in flight when a run died, or was not waited for when it ended.
    assert len(recovered.lost) <= IN_FLIGHT
    assert bill.unsettled == 0
    assert made == sidecars(folder.root) == {row.task_id for row in ledger.pictures()}
    assert len(files(folder.root)) == 2 * len(made)
    assert world.made <= made
    answers = Counter(name for name, outcome in world.asked if outcome is Outcome.MADE)
    excused = Counter(row.task_id for row in rows if row.attempt.fault in {Fault.LOST, Fault.DISK})
    assert answers <= Counter(TASKS.keys()) + excused
    assert all(sum(row.task_id == name and row.attempt.fault is None for row in rows) == 1 for name in made)


def lived(base: Path, plans: list[Plan]) -> Iterator[World]:
    """Run after run, each from what the one before left; the law is looked at before each and at the end."""
    world, path = World(), base / "0"
    for number, plan in enumerate([*plans, THE_LAST], start=1):
        folder = opened(path)
        recovered = folder.recover()
        the_law_holds(folder, recovered, world)
        due = sorted(TASKS.keys() - recovered.contents.made.keys())
        run = Run(folder, world, plan, base / str(number))
        asyncio.run(run.go(due))
        if run.left is not None:
            path, world = run.grave, run.left
        close_all()
        yield world
    folder = opened(path)
    recovered = folder.recover()
    the_law_holds(folder, recovered, world)
    assert recovered.contents.made.keys() == TASKS.keys()
    close_all()


THE_LAST = Plan(outcomes=((Outcome.MADE,),) * len(TASKS), turns=(0,), ends_at=0, killed=False)
PLANS = st.builds(
    Plan,
    outcomes=st.lists(
        st.lists(st.sampled_from(Outcome), min_size=1, max_size=3).map(tuple), min_size=1, max_size=len(TASKS)
    ).map(tuple),
    turns=st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple),
    ends_at=st.integers(0, 60),
    killed=st.booleans(),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=st.lists(PLANS, min_size=1, max_size=3))
def test_whatever_happens_nothing_is_lost_and_nothing_is_paid_for_unseen(quick_path: Path, plans: list[Plan]) -> None:
    with tempfile.TemporaryDirectory(dir=quick_path) as base:
        for _ in lived(Path(base), plans):
            pass


def test_the_law_is_tried_where_it_matters(quick_path: Path) -> None:
    """Killed at each step in turn: many a run dies, with pictures made, in doubt, and finished from their parts."""
    plan = Plan(outcomes=((Outcome.REFUSED, Outcome.MADE),) * 4, turns=(0, 1), ends_at=0, killed=True)
    deaths = made = 0
    for step in range(1, 41):
        with tempfile.TemporaryDirectory(dir=quick_path) as base:
            worlds = lived(Path(base), [replace(plan, ends_at=step)])
            world = next(worlds)
            deaths += world.deaths
            made += bool(world.made)
            assert len(list(worlds)) == 1
    assert deaths > 30
    assert 0 < made < deaths
