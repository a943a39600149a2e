"""Permission to send: in order, within the windows, never inside a cool-down, and said aloud when it takes long."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, failure
from hypothesis import given
from hypothesis import strategies as st

from batchgen.engine.limiter import Limiter, Rules
from batchgen.model import Fault, Window
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchgen.model import Outcome

TWO_IN_TEN = (Window(sends=2, seconds=10),)


@dataclass(slots=True)
class Scene:
    """A limiter, who sent at what time, and what it announced."""

    windows: Sequence[Window] = TWO_IN_TEN
    penalty_s: float = 60.0
    sent: list[tuple[str, float]] = field(default_factory=list)
    waits: list[tuple[float, str]] = field(default_factory=list)
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        """Make the limiter."""
        self.limiter = Limiter(
            Rules(windows=self.windows, penalty_s=self.penalty_s),
            on_wait=lambda wait_s, why: self.waits.append((round(wait_s, 2), why)),
        )

    async def send(self, name: str, *, at: float = 0.0, connect_s: float = 0.0) -> None:
        """Ask at this time, send as soon as it is allowed and connected."""
        await anyio.sleep_until(at)
        permit = await self.limiter.turn()
        await anyio.sleep(connect_s)
        permit.sent()
        self.sent.append((name, round(anyio.current_time(), 2)))
        permit.release()

    async def ask_in_vain(self, *, at: float, hold_s: float) -> None:
        """Get a permit and give it back unused."""
        await anyio.sleep_until(at)
        permit = await self.limiter.turn()
        await anyio.sleep(hold_s)
        permit.release()

    async def throttled(self, *, sent_at: float, answered_at: float, retry_after_s: float | None = None) -> None:
        """Send at one time and be answered 429 at another."""
        await anyio.sleep_until(sent_at)
        permit = await self.limiter.turn()
        permit.sent()
        self.sent.append(("throttled", round(anyio.current_time(), 2)))
        await anyio.sleep_until(answered_at)
        permit.answered(failure(Fault.THROTTLED, retry_after_s=retry_after_s))
        permit.release()


def test_the_allowance_at_once_and_the_next_as_the_oldest_leaves() -> None:
    scene = Scene()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name in "abcde":
                group.start_soon(scene.send, name)

    in_virtual_time(main)
    assert scene.sent == [("a", 0), ("b", 0), ("c", 10.25), ("d", 10.25), ("e", 20.5)]


def test_every_window_is_kept() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=2), Window(sends=2, seconds=10)))

    async def main() -> None:
        for name in "abc":
            await scene.send(name)

    in_virtual_time(main)
    assert scene.sent == [("a", 0), ("b", 2.05), ("c", 10.25)]


def test_no_window_is_no_wait() -> None:
    scene = Scene(windows=())

    async def main() -> None:
        for name in range(100):
            await scene.send(str(name))

    in_virtual_time(main)
    assert {at for _, at in scene.sent} == {0}


def test_whoever_asks_first_is_served_first() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=1),))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(partial(scene.send, str(number), at=0.01 * number))

    in_virtual_time(main)
    assert [name for name, _ in scene.sent] == list("012345")


def test_a_slot_counts_from_when_its_request_left() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=10),))

    async def main() -> None:
        await scene.send("slow", connect_s=5)
        await scene.send("next")

    in_virtual_time(main)
    assert scene.sent == [("slow", 5), ("next", 15.25)]


def test_what_was_not_sent_makes_room_at_once() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=10),))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(scene.ask_in_vain, at=0, hold_s=3))
            group.start_soon(partial(scene.send, "next", at=1))

    in_virtual_time(main)
    assert scene.sent == [("next", 3)]


def test_sent_twice_counts_once() -> None:
    limiter = Limiter(Rules(windows=TWO_IN_TEN), on_wait=lambda *_: None)

    async def main() -> float:
        for _ in range(2):
            permit = await limiter.turn()
            permit.sent()
            permit.sent()
            permit.release()
        await limiter.turn()
        return anyio.current_time()

    assert in_virtual_time(main) == pytest.approx(10.25)


@pytest.mark.parametrize(("retry_after_s", "free_at"), [(None, 61), (7.0, 8), (0.0, 1)])
def test_nobody_sends_inside_a_cool_down(retry_after_s: float | None, free_at: float) -> None:
    scene = Scene(windows=())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(scene.throttled, sent_at=0, answered_at=1, retry_after_s=retry_after_s))
            for at in (0.5, 1.5, 3, 7.9, 30):
                group.start_soon(partial(scene.send, f"{at}", at=at))

    in_virtual_time(main)
    assert [at for _, at in scene.sent if 1 < at < free_at] == []
    assert len(scene.sent) == 6


def test_answers_to_what_was_sent_before_belong_to_the_same_cool_down() -> None:
    scene = Scene(windows=())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for answered_at in (1, 2, 50, 59):
                group.start_soon(partial(scene.throttled, sent_at=0, answered_at=answered_at))
            group.start_soon(partial(scene.send, "next", at=5))

    in_virtual_time(main)
    assert scene.sent[-1] == ("next", 61)
    assert len(scene.waits) == 1


def test_an_answer_to_what_was_sent_after_begins_another() -> None:
    scene = Scene(windows=())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(scene.throttled, sent_at=0, answered_at=1))
            group.start_soon(partial(scene.throttled, sent_at=62, answered_at=63))
            group.start_soon(partial(scene.send, "next", at=64))

    in_virtual_time(main)
    assert scene.sent[-1] == ("next", 123)


@pytest.mark.parametrize(("chance", "probed_at"), [(0.0, [6, 16, 36]), (1.0, [4.75, 12.25, 27.25])])
def test_pauses_of_an_outage_vary_by_up_to_a_quarter(chance: float, probed_at: list[float]) -> None:
    limiter = Limiter(Rules(), on_wait=lambda *_: None, chance=lambda: chance)

    async def main() -> list[float]:
        permits = [await limiter.turn() for _ in range(10)]
        await anyio.sleep(1)
        for permit in permits:
            permit.sent()
            permit.answered(failure(Fault.OVERLOADED))
            permit.release()
        found = []
        for _ in range(3):
            probe = await limiter.turn()
            found.append(anyio.current_time())
            probe.sent()
            probe.answered(failure(Fault.OVERLOADED))
            probe.release()
        return found

    assert in_virtual_time(main) == pytest.approx(probed_at)


def test_an_answer_tells_how_long_its_outage_has_lasted() -> None:
    limiter = Limiter(Rules(), on_wait=lambda *_: None, chance=lambda: 0.0)

    async def answered(outcome: Outcome) -> float | None:
        permit = await limiter.turn()
        permit.sent()
        found = permit.answered(outcome)
        permit.release()
        return found

    async def main() -> list[float | None]:
        found = [await answered(failure(Fault.OVERLOADED)) for _ in range(12)]
        found.append(await answered(SUCCESS))
        await anyio.sleep(59)
        found.append(await answered(failure(Fault.OVERLOADED)))
        await anyio.sleep(1)
        found.append(await answered(failure(Fault.OVERLOADED)))
        return found

    assert in_virtual_time(main) == [*[None] * 9, 0, 5, 15, None, 0, None]


@pytest.mark.parametrize(("fault", "answered"), [(Fault.UNREACHABLE, False), (Fault.OVERLOADED, True)])
def test_a_server_that_fails_has_answered_and_one_that_is_not_there_has_not(fault: Fault, *, answered: bool) -> None:
    limiter = Limiter(Rules(), on_wait=lambda *_: None)

    async def main() -> bool:
        permit = await limiter.turn()
        permit.answered(failure(fault))
        permit.release()
        return limiter.has_answered

    assert in_virtual_time(main) is answered


def test_one_who_gives_up_waiting_leaves_its_place_to_the_next() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=10),))

    async def impatient() -> None:
        with anyio.move_on_after(5):
            await scene.send("impatient")

    async def main() -> None:
        await scene.send("first")
        async with anyio.create_task_group() as group:
            group.start_soon(impatient)
            group.start_soon(scene.send, "next")

    in_virtual_time(main)
    assert scene.sent == [("first", 0), ("next", 10.25)]


def test_a_long_wait_is_announced_once_with_its_reason() -> None:
    scene = Scene()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name in "abcd":
                group.start_soon(scene.send, name)

    in_virtual_time(main)
    assert scene.waits == [(10.25, "the limit of 2/10s is used up")]


def test_a_short_wait_is_not_worth_a_word() -> None:
    scene = Scene(windows=(Window(sends=1, seconds=0.5),))

    async def main() -> None:
        for name in "abc":
            await scene.send(name)

    in_virtual_time(main)
    assert scene.waits == []


def test_a_cool_down_is_announced_as_one() -> None:
    scene = Scene()

    async def main() -> None:
        await scene.throttled(sent_at=0, answered_at=1, retry_after_s=30)
        await scene.send("next")

    in_virtual_time(main)
    ((wait_s, why),) = scene.waits
    assert wait_s == 30
    assert "time-out" in why


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.booleans()), max_size=25), st.integers(1, 4))
def test_no_window_ever_holds_too_much(asks: list[tuple[float, float, bool]], most: int) -> None:
    scene = Scene(windows=(Window(sends=most, seconds=2),))

    async def one(at: float, hold_s: float, *, used: bool) -> None:
        if used:
            await scene.send("x", at=at, connect_s=hold_s)
        else:
            await scene.ask_in_vain(at=at, hold_s=hold_s)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for at, hold_s, used in asks:
                group.start_soon(partial(one, at, hold_s, used=used))

    in_virtual_time(main)
    assert len(scene.sent) == sum(used for _, _, used in asks)
    times = sorted(at for _, at in scene.sent)
    assert all(over - first >= 2.04 for first, over in zip(times, times[most:], strict=False))
