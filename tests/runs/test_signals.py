"""The first signal begins the end of a run, the second is the end; afterwards each signal is what it was."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from batchgen import signals
from batchgen.events import Ending
from batchgen.signals import ENDINGS, ONE_ORDER_S, heard_signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from batchgen.signals import HeardSignals

SIGNALS = tuple(ENDINGS)


@dataclass(slots=True)
class Watched:
    """A run that waits for ever for what it has sent."""

    drain: anyio.Event
    stopped: list[tuple[Ending, str]] = field(default_factory=list)
    ended: bool = False

    def stop(self, ending: Ending, why: str, what_now: str) -> None:
        """See Tally."""
        assert "again ends it now" in what_now
        self.stopped.append((ending, why))


@asynccontextmanager
async def _watched(early: signal.Signals | None = None) -> AsyncIterator[Watched]:
    with heard_signals() as heard:
        run = Watched(heard.drain)
        if early is not None:
            signal.raise_signal(early)
        async with anyio.create_task_group() as around:
            around.start_soon(_wait, heard, run)
            yield run
            around.cancel_scope.cancel()


async def _wait(heard: HeardSignals, run: Watched) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(heard.watch, group.cancel_scope, cast("Any", run))
        await anyio.sleep(inf)
    run.ended = True


@contextmanager
def _handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


async def _send(number: signal.Signals) -> None:
    signal.raise_signal(number)
    await anyio.sleep(0.05)


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_drains_and_says_why(number: signal.Signals) -> None:
    async with _watched() as run:
        await _send(number)
        assert (run.drain.is_set(), run.ended) == (True, False)
    assert [ending for ending, _ in run.stopped] == [
        Ending.INTERRUPTED if number == signal.SIGINT else Ending.TERMINATED
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", SIGNALS)
async def test_the_second_ends_it(first: signal.Signals, number: signal.Signals) -> None:
    async with _watched() as run:
        await _send(first)
        await _send(number)
        assert not run.ended  # still one order
        await anyio.sleep(ONE_ORDER_S)
        await _send(number)
        assert run.ended
    assert len(run.stopped) == 1


async def test_a_hangup_hastens_nothing() -> None:
    async with _watched() as run:
        for _ in range(3):
            await _send(signal.SIGHUP)
            await anyio.sleep(ONE_ORDER_S)
        assert not run.ended


async def test_the_first_is_the_first_though_the_run_drains_already() -> None:
    async with _watched() as run:
        run.drain.set()
        await _send(signal.SIGTERM)
        assert (run.ended, len(run.stopped)) == (False, 1)


async def test_what_comes_before_the_run_is_watched_is_not_lost() -> None:
    async with _watched(early=signal.SIGTERM) as run:
        await anyio.sleep(0.05)
        assert (run.drain.is_set(), run.ended) == (True, False)


async def test_what_comes_when_the_run_is_watched_no_longer_ends_nothing() -> None:
    with heard_signals():
        for number in SIGNALS:
            await _send(number)


async def test_the_grace_time_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "GRACE_S", 0.3)
    async with _watched() as run:
        await _send(signal.SIGINT)
        assert not run.ended
        await anyio.sleep(1)
        assert run.ended


async def test_afterwards_each_signal_is_what_it_was() -> None:
    seen = list[int]()
    for number in SIGNALS:
        with _handled(number, lambda number, _: seen.append(number)):
            async with _watched():
                pass
            await _send(number)
    assert seen == list(SIGNALS)


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    """SIGHUP under nohup, SIGINT of what a script put into the background."""
    with _handled(number, signal.SIG_IGN):
        async with _watched() as run:
            await _send(number)
            assert signal.getsignal(number) is signal.SIG_IGN
        assert signal.getsignal(number) is signal.SIG_IGN
    assert run.stopped == []
