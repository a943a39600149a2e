"""One account in several hands: together they keep its rule, and whoever comes later knows what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, failure

from batchgen.engine import shared
from batchgen.engine.limiter import LOOK_AGAIN_S, Limiter, Rules
from batchgen.engine.shared import SharedLog
from batchgen.model import Fault, Window
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from pathlib import Path

ONE_IN_TEN, TWO_IN_TEN = (Window(sends=sends, seconds=10) for sends in (1, 2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an account."""
    return tmp_path / "state" / "limits" / "account"


def one(path: Path, window: Window = TWO_IN_TEN) -> Limiter:
    """The limiter of one of several processes."""
    return Limiter(Rules(windows=(window,)), on_wait=lambda *_: None, shared=SharedLog(path))


async def send(limiter: Limiter, sent: list[float], at: float = 0.0) -> None:
    """Ask at this time and send as soon as it is allowed."""
    await anyio.sleep_until(at)
    permit = await limiter.turn()
    permit.sent()
    sent.append(round(anyio.current_time(), 2))
    permit.release()


def test_a_restart_does_not_begin_with_a_full_window(path: Path) -> None:
    sent: list[float] = []

    async def main() -> None:
        first = one(path)
        await send(first, sent, at=3)
        await send(first, sent, at=4)
        again = one(path)
        for _ in range(3):
            await send(again, sent, at=5)

    in_virtual_time(main)
    assert sent == [3, 4, 13.25, 14.25, 23.5]


def test_two_at_once_take_turns_under_one_rule(path: Path) -> None:
    sent: list[float] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for limiter in (one(path), one(path)):
                for _ in range(4):
                    group.start_soon(send, limiter, sent)

    in_virtual_time(main)
    assert sent == [0, 0, 10.25, 10.25, 20.5, 20.5, 30.75, 30.75]


@pytest.mark.parametrize(("leaves", "free_at"), [(False, 30), (True, 40.25)], ids=["given back", "sent"])
def test_what_is_about_to_leave_elsewhere_counts(path: Path, free_at: float, *, leaves: bool) -> None:
    sent: list[float] = []

    async def main() -> None:
        permit = await one(path, ONE_IN_TEN).turn()
        async with anyio.create_task_group() as group:
            group.start_soon(send, one(path, ONE_IN_TEN), sent, 1.0)
            await anyio.sleep(30)
            assert sent == []
            permit.sent() if leaves else permit.release()

    in_virtual_time(main)
    assert free_at <= sent[0] <= free_at + LOOK_AGAIN_S


def test_a_ring_that_is_full_goes_on_from_its_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "RING", 8)
    sent: list[float] = []

    async def main() -> None:
        limiters = one(path), one(path)
        for number in range(31):
            await send(limiters[number % 2], sent)
        await send(one(path), sent)

    in_virtual_time(main)
    assert sent == [10.25 * (number // 2) for number in range(32)]


def test_nobody_sends_inside_a_cool_down_that_another_process_met(path: Path) -> None:
    sent: list[float] = []

    async def main() -> None:
        window = Window(sends=100, seconds=10)
        unlucky, other = one(path, window), one(path, window)
        async with anyio.create_task_group() as group:
            for at in (0.5, 1, 1.5, 5, 30, 70):
                group.start_soon(send, other, sent, at)
            permit = await unlucky.turn()
            permit.sent()
            await anyio.sleep(1)
            permit.answered(failure(Fault.THROTTLED))
            permit.release()
            await anyio.sleep(20)
            group.start_soon(send, one(path, window), sent, 21.0)

    in_virtual_time(main)
    assert [at for at in sent if 1 < at < 61] == []
    assert sorted(sent) == [0.5, 1, 61, 61, 61, 61, 70]


def test_who_finds_another_deciding_looks_again_soon(path: Path) -> None:
    sent: list[float] = []
    limiter, other = one(path), SharedLog(path)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            with other.locked():
                group.start_soon(send, limiter, sent)
                await anyio.sleep(5)
                assert sent == []

    in_virtual_time(main)
    assert sent == [5]


def test_what_was_learned_one_night_is_where_the_next_begins(tmp_path: Path) -> None:
    rules = Rules(unknown=True)

    async def night(refuse_at: int, sends: int) -> float:
        """Send at the limiter's pace, one request being refused; how long the sends took."""
        limiter = Limiter(rules, on_wait=lambda *_: None, shared=SharedLog(tmp_path / "log"))
        began = anyio.current_time()
        for number in range(sends):
            permit = await limiter.turn()
            permit.sent()
            permit.answered(failure(Fault.THROTTLED, retry_after_s=1.0) if number == refuse_at else SUCCESS)
            permit.release()
        return anyio.current_time() - began

    async def main() -> tuple[float | None, float]:
        assert SharedLog(tmp_path / "log").rate_per_s is None
        await night(refuse_at=60, sends=61)
        learned = SharedLog(tmp_path / "log").rate_per_s
        await anyio.sleep(86_400)
        return learned, await night(refuse_at=-1, sends=40)

    learned, seconds = in_virtual_time(main)
    assert learned is not None
    assert learned > 10  # the pace without memory
    assert seconds == pytest.approx(40 / learned, rel=0.15)
