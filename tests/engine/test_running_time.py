"""A bound ends what takes too long while the process runs; the time in which it was stopped does not count."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from engine_samples import SUCCESS, ListSink, call
from raw_server import ok, raw_server
from wire_talk import AMPLE

from batchgen.engine.bounds import Bounds, PacedBody
from batchgen.engine.running_time import BEAT_S, CATCH_UP_S, RunningTime
from batchgen.engine.transport import open_transport
from batchgen.model import Failure, Fault
from batchgen.providers.conversation import Reply
from batchgen.rehearsal.clock import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR_S = 3600.0
ABOUT_S = 2 * BEAT_S
"""A bound may end so much later, and a stop counts as one beat."""


def _stop(seconds: float) -> None:
    """The clock goes on while this process does not: nothing of it ran, whatever was due meanwhile."""
    loop = cast("Any", asyncio.get_running_loop())
    loop._clock.slept_s += seconds


async def _stop_at(stops: Mapping[float, float]) -> None:
    """Stop for so many seconds each time the process ran for so long."""
    ran_s = 0.0
    for at_s, seconds in stops.items():
        await anyio.sleep(at_s - ran_s)
        _stop(seconds)
        ran_s = at_s


def _ends_after(bound_s: float, stops: Mapping[float, float], needs_s: float = inf) -> tuple[float, bool]:
    """When a block ended by the clock, and whether the bound ended it."""

    async def main() -> tuple[float, bool]:
        with RunningTime() as running:
            async with anyio.create_task_group() as group:
                group.start_soon(_stop_at, stops)
                ended = True
                with running.move_on_after(bound_s):
                    await anyio.sleep(needs_s)
                    ended = False
                group.cancel_scope.cancel()
            return anyio.current_time(), ended

    return in_virtual_time(main)


@pytest.mark.parametrize("bound_s", [0.3, 1.0, 30.0, 181.1])
def test_a_bound_ends_a_block_at_its_time(bound_s: float) -> None:
    at_s, ended = _ends_after(bound_s, {})
    assert ended
    assert bound_s <= at_s <= bound_s + BEAT_S


def test_what_ends_in_time_is_left_alone() -> None:
    assert _ends_after(10, {}, needs_s=9.9) == (9.9, False)


def test_a_stop_does_not_count() -> None:
    at_s, ended = _ends_after(10, {2.0: HOUR_S})
    assert ended
    assert at_s == pytest.approx(HOUR_S + 10, abs=ABOUT_S)


def test_several_stops_do_not_count() -> None:
    at_s, ended = _ends_after(20, {2.0: HOUR_S, 2.1: 5.0, 9.0: 60.0})
    assert ended
    assert at_s == pytest.approx(HOUR_S + 5 + 60 + 20, abs=3 * ABOUT_S)


def test_a_stop_shortly_before_the_bound_leaves_time_to_read_what_came() -> None:
    at_s, ended = _ends_after(10, {9.95: HOUR_S})
    assert ended
    assert at_s >= HOUR_S + 9.95 + CATCH_UP_S - BEAT_S


def test_a_machine_that_stops_all_the_time_still_keeps_its_bounds() -> None:
    ends_s = 10 + CATCH_UP_S
    stops = {number * BEAT_S: 2.0 for number in range(1, 1000)}
    at_s, ended = _ends_after(10, stops)
    assert ended
    assert at_s <= (2.0 + BEAT_S) * (ends_s / BEAT_S + 2)


def test_what_keeps_the_machine_busy_for_less_than_a_second_counts() -> None:
    at_s, ended = _ends_after(10, {number * BEAT_S: 0.5 for number in range(1, 100)})
    assert ended
    assert 10 <= at_s <= 11


def test_time_runs_with_the_process() -> None:
    async def main() -> list[float]:
        with RunningTime() as running:
            seen = []
            for stop_s in (0.0, HOUR_S, 0.0, 0.4):
                await anyio.sleep(0.6)
                _stop(stop_s)
                seen.append(running.seconds)
            return seen

    assert in_virtual_time(main) == pytest.approx([0.6, 1.45, 2.05, 3.05], abs=BEAT_S)


def test_a_scope_is_cancelled_after_its_time() -> None:
    async def main() -> float:
        with RunningTime() as running:
            async with anyio.create_task_group() as group:
                running.cancel_after(30, group.cancel_scope)
                group.start_soon(_stop_at, {5.0: HOUR_S})
                group.start_soon(anyio.sleep, inf)
        return anyio.current_time()

    assert in_virtual_time(main) == pytest.approx(HOUR_S + 30, abs=ABOUT_S)


def test_a_stop_is_no_slow_server() -> None:
    class Coming:
        chunks = iter([b"x" * 100_000, b"y" * 100_000, b""])

        async def readchunk(self) -> tuple[bytes, bool]:
            await anyio.sleep(10)
            return next(self.chunks), False

        def is_eof(self) -> bool:
            return False

        at_eof = is_eof

    async def main() -> int:
        with RunningTime() as running:
            async with anyio.create_task_group() as group:
                group.start_soon(_stop_at, {5.0: HOUR_S, 15.0: HOUR_S})
                with running.move_on_after(inf) as deadline:
                    body, size_bytes = PacedBody(Coming(), Bounds(total_s=inf), running, deadline), 0
                    while chunk := await body.read():
                        size_bytes += len(chunk)
            return size_bytes

    assert in_virtual_time(main) == 200_000


# Over sockets: the loop's clock jumps in the middle of an answer, so that everything due meanwhile fires at once

GOOD = ok(b"good")


@pytest.mark.parametrize("came", [b"", GOOD[:30], GOOD[:-2]], ids=["nothing", "half the head", "half the body"])
async def test_an_answer_that_came_after_a_stop_is_read(came: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop_and_say_the_rest(writer: asyncio.StreamWriter) -> None:
        await anyio.sleep(0.05)
        _jump(monkeypatch)
        await anyio.sleep(0.05)
        writer.write(GOOD[len(came) :])
        await writer.drain()

    async with raw_server(came, stop_and_say_the_rest) as server, open_transport(AMPLE) as transport:
        found = await transport.exchange(call(server.url), ListSink(), lambda: None)
    assert isinstance(found, Reply)
    assert found.picture == SUCCESS.picture


async def test_an_answer_that_never_comes_ends_after_a_stop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(writer: asyncio.StreamWriter) -> None:
        _jump(monkeypatch)
        await writer.wait_closed()

    monkeypatch.setattr("batchgen.engine.running_time.CATCH_UP_S", 0.5)
    async with raw_server(b"", stop) as server, open_transport(Bounds(total_s=0.5)) as transport:
        found = await transport.exchange(call(server.url), ListSink(), lambda: None)
    assert isinstance(found, Failure)
    assert found.fault is Fault.TIMEOUT


def _jump(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + HOUR_S)
