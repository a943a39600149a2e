"""A change wakes all who wait for one, and none who comes later."""

from __future__ import annotations

import anyio
import pytest

from batchgen.engine.signal import Signal
from batchgen.rehearsal.clock import in_virtual_time


def woken(signal: Signal, fires: list[float], waits: list[tuple[float, float]]) -> list[float]:
    """When each who begins to wait at a time, for so long at most, wakes."""
    found = [0.0] * len(waits)

    async def fire(at: float) -> None:
        await anyio.sleep(at)
        signal.fire()

    async def wait(number: int, at: float, most_s: float) -> None:
        await anyio.sleep(at)
        await signal.wait(most_s)
        found[number] = anyio.current_time()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for at in fires:
                group.start_soon(fire, at)
            for number, (at, most_s) in enumerate(waits):
                group.start_soon(wait, number, at, most_s)

    in_virtual_time(main)
    return found


def test_a_change_wakes_all_who_wait() -> None:
    assert woken(Signal(), [5], [(0, 100), (1, 100), (4, 100)]) == [5, 5, 5]


def test_whoever_comes_after_a_change_waits_for_the_next() -> None:
    assert woken(Signal(), [5, 9], [(0, 100), (6, 100)]) == [5, 9]


def test_a_change_that_nobody_waits_for_is_not_kept() -> None:
    assert woken(Signal(), [1, 2, 3], [(4, 10)]) == [14]


def test_nobody_waits_longer_than_asked() -> None:
    assert woken(Signal(), [50], [(0, 3), (0, 100), (10, 3)]) == [3, 50, 13]


def test_one_who_gives_up_leaves_the_others_waiting() -> None:
    signal = Signal()

    async def main() -> float:
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(1):
                await signal.wait()
            group.start_soon(signal.wait)
            await anyio.sleep(6)
            signal.fire()
        return anyio.current_time()

    assert in_virtual_time(main) == 7


def test_who_waits_without_end_is_found_out() -> None:
    with pytest.raises(AssertionError, match="nothing is due"):
        in_virtual_time(Signal().wait)
