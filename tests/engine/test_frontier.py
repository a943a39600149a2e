"""What is due, in which order, and nothing pulled before its time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from engine_samples import task
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.frontier import Frontier, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.model import Task


def _taken(frontier: Frontier, now: float) -> int:
    due_at = frontier.due_at()
    assert due_at is not None
    assert due_at <= now
    return frontier.take(now).task.index


def test_nothing_to_do() -> None:
    assert Frontier([]).due_at() is None


def test_new_tasks_come_in_their_order_and_one_at_a_time() -> None:
    pulled: list[int] = []

    def tasks() -> Iterator[Task]:
        for index in range(3):
            pulled.append(index)
            yield task(index)

    frontier = Frontier(tasks())
    assert pulled == []
    for index in range(3):
        assert _taken(frontier, 0.0) == index
        assert pulled == list(range(index + 1))
    assert frontier.due_at() is None


def test_what_was_put_back_and_is_due_goes_first() -> None:
    frontier = Frontier(task(index) for index in range(3))
    assert _taken(frontier, 0.0) == 0
    frontier.put_back(Work(task=task(0)), 5.0)
    assert _taken(frontier, 4.9) == 1
    assert frontier.due_at() == -inf
    assert _taken(frontier, 5.0) == 0
    assert _taken(frontier, 5.0) == 2


def test_what_is_not_due_is_told_with_its_time() -> None:
    frontier = Frontier([])
    frontier.put_back(Work(task=task(0)), 9.0)
    frontier.put_back(Work(task=task(1)), 5.0)
    assert frontier.due_at() == 5.0
    assert _taken(frontier, 5.0) == 1
    assert frontier.due_at() == 9.0


def test_what_is_parked_comes_when_nothing_new_is_left() -> None:
    frontier = Frontier(task(index) for index in range(2))
    frontier.park(Work(task=task(8)), 1.0)
    frontier.park(Work(task=task(9)), 7.0)
    frontier.put_back(Work(task=task(7)), 3.0)
    assert [_taken(frontier, 2.0), _taken(frontier, 2.0), _taken(frontier, 2.0)] == [0, 1, 8]
    assert frontier.due_at() == 3.0
    assert [_taken(frontier, 7.0), _taken(frontier, 7.0)] == [7, 9]
    assert frontier.due_at() is None


def test_what_was_tried_comes_back_with_it() -> None:
    frontier = Frontier([])
    work = Work(task=task(0), waited_s=3.0)
    frontier.put_back(work, 1.0)
    assert frontier.take(1.0) is work


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=50))
def test_due_times_are_kept_and_ties_go_by_order(puts: list[tuple[float, bool]]) -> None:
    frontier = Frontier([])
    times = [round(due_at) if tie else due_at for due_at, tie in puts]
    for index, due_at in enumerate(times):
        frontier.put_back(Work(task=task(index)), due_at)
    order = [_taken(frontier, 10.0) for _ in times]
    assert order == sorted(range(len(times)), key=lambda index: (times[index], index))
    assert frontier.due_at() is None
