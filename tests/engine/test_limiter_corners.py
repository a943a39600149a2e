"""Corners of the limiter and of what it stands on: late, lost and contradictory answers, odd numbers, odd settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from engine_samples import SUCCESS, attempt, failure
from test_outages import Stage, between

from batchgen.account import rules, shared_log
from batchgen.engine import shared
from batchgen.engine.breaker import Breaker, State
from batchgen.engine.limiter import Limiter, Permit, Rules
from batchgen.engine.policy import RetryBounds
from batchgen.engine.rate import WindowLog
from batchgen.engine.retry_budget import RetryBudget
from batchgen.engine.shared import SharedLog
from batchgen.job import load_job
from batchgen.model import Allowance, Attempt, Fault, RateLimit, Secret, Window
from batchgen.rehearsal.assumptions import Assumptions, assumptions
from batchgen.rehearsal.clock import in_virtual_time
from batchgen.rehearsal.rehearse import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchgen.engine.frontier import Work
    from batchgen.manifest.settings import ProviderSettings
    from batchgen.model import Outcome

OVERLOADED = failure(Fault.OVERLOADED)


async def outage(limiter: Limiter, late: int = 0) -> list[Permit]:
    """Ten failures; permits that were given before and have not left yet."""
    permits = [await limiter.turn() for _ in range(10 + late)]
    for permit in permits[:10]:
        permit.sent()
    await anyio.sleep(1)
    for permit in permits[:10]:
        permit.answered(OVERLOADED)
        permit.release()
    return permits[10:]


def test_a_429_to_the_probe_does_not_hang_the_run() -> None:
    async def main() -> bool:
        limiter = Limiter(Rules(), on_wait=lambda *_: None)
        await outage(limiter)
        probe = await limiter.turn()
        probe.sent()
        probe.answered(failure(Fault.THROTTLED, retry_after_s=1.0))
        probe.release()
        with anyio.move_on_after(10_000):
            await limiter.turn()
            return True
        return False

    assert in_virtual_time(main)


class NeverSends(Stage):
    """A server that refuses connections while it is down: no headers ever leave."""

    async def __call__(self, work: Work, on_sent: Callable[[], None]) -> tuple[Attempt, Outcome]:
        """See Tries."""
        if not self.is_down(anyio.current_time()):
            return await Stage.__call__(self, work, on_sent)
        await anyio.sleep(0.01)
        return attempt(len(work.attempts) + 1, self.failure), self.failure


def test_ten_minutes_of_refused_connections_lose_no_task() -> None:
    stage = NeverSends(500, between(10.0, 610.0), failure=failure(Fault.UNREACHABLE))
    stage.run()
    assert (len(stage.failed_), len(stage.made_)) == (0, 500)


def test_what_was_never_sent_does_not_let_a_second_probe_out() -> None:
    async def main() -> bool:
        limiter = Limiter(Rules(), on_wait=lambda *_: None)
        (late,) = await outage(limiter, late=1)
        probe = await limiter.turn()
        probe.sent()
        late.release()
        with anyio.move_on_after(60):
            await limiter.turn()
            return False
        return True

    assert in_virtual_time(main)


def test_what_was_allowed_before_and_leaves_late_is_not_taken_for_the_probe() -> None:
    async def main() -> float:
        limiter = Limiter(Rules(), on_wait=lambda *_: None, chance=lambda: 0.0)
        (late,) = await outage(limiter, late=1)
        probe = await limiter.turn()
        probe.sent()
        late.sent()
        late.answered(OVERLOADED)
        late.release()
        probe.answered(SUCCESS)
        probe.release()
        await limiter.turn()
        return anyio.current_time()

    assert in_virtual_time(main) == 6  # the probe's answer, not the pause after it


def test_failures_of_what_left_while_it_was_open_do_not_shorten_the_pause() -> None:
    breaker, now = Breaker(), 0.0
    for _ in range(10):
        breaker.answered(1.0, 0.0, failed=True, chance=0.0)
    for _ in range(4):
        now = 1.0 + now + breaker.wait_s(now)
        breaker.take()
        breaker.probed(now, failed=True, chance=0.0)
    assert breaker.state is State.OPEN
    before = breaker.wait_s(now + 1)
    for _ in range(10):
        breaker.answered(now + 1, now + 0.5, failed=True, chance=0.0)
    assert breaker.wait_s(now + 1) >= before


@pytest.mark.parametrize("takes_s", [(1.0, 2.0), (4.0, 8.0)])
def test_ten_seconds_up_and_ten_down_loses_no_task(takes_s: tuple[float, float]) -> None:
    stage = Stage(500, lambda now: now % 20 >= 10, takes_s=takes_s)
    stage.run()
    stage.assert_all_made()


def test_nor_takes_it_for_ever() -> None:
    stage = Stage(2000, lambda now: now % 20 >= 10)
    assert stage.run() < 4000  # at half of 10 a second: 400


@pytest.mark.parametrize("tasks", [2, 5, 20])
def test_an_hour_of_503_loses_no_task_of_a_small_job(tasks: int) -> None:
    stage = Stage(tasks, between(0.0, 3600.0))
    stage.run()
    stage.assert_all_made()


@pytest.mark.parametrize("firsts", [10, 20, 30, 100, 1000])
def test_ten_first_attempts_earn_a_whole_retry(firsts: int) -> None:
    budget = RetryBudget()
    while budget.spend():
        pass
    for _ in range(firsts):
        budget.earn()
    found = 0
    while budget.spend():
        found += 1
    assert found == firsts // 10


def test_what_leaves_after_more_than_five_minutes_still_counts_elsewhere(tmp_path: Path) -> None:
    window = Window(sends=1, seconds=10)
    sent = []

    async def main() -> None:
        both = [
            Limiter(Rules(windows=(window,)), on_wait=lambda *_: None, shared=SharedLog(tmp_path / "log"))
            for _ in range(2)
        ]
        slow = await both[0].turn()  # stopped, or connecting, for 315 s
        await anyio.sleep(1)
        permit = await both[1].turn()  # at 300: it is given up
        permit.sent()
        await anyio.sleep_until(315)
        slow.sent()
        sent.append(anyio.current_time())
        permit = await both[1].turn()
        permit.sent()
        sent.append(anyio.current_time())

    in_virtual_time(main)
    assert sent[1] - sent[0] >= 10


def test_times_that_are_yet_to_come_block_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_BOOT_ID", tmp_path / "there is none")
    before = SharedLog(tmp_path / "log")
    before.tell([], 1e6)
    before.sent(before.take(1e6), 1e6)
    before.cool_down(1e6 + 60)
    after, mirror = SharedLog(tmp_path / "log"), WindowLog(Window(sends=1, seconds=10))
    after.tell([mirror], 20.0)
    assert mirror.wait_s(20.0) <= 60
    assert after.cool_until(20.0) <= 20 + 3600


@pytest.mark.parametrize("place", [shared._COUNT, shared._COOL_UNTIL])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -5.0])
def test_numbers_that_are_none_are_begun_anew(tmp_path: Path, place: int, number: float) -> None:
    log = SharedLog(tmp_path / "log")
    log._numbers[place] = number

    async def main() -> float:
        limiter = Limiter(
            Rules(windows=(Window(sends=1, seconds=10),)), on_wait=lambda *_: None, shared=SharedLog(tmp_path / "log")
        )
        await limiter.turn()
        return anyio.current_time()

    assert in_virtual_time(main) <= 3600


@pytest.fixture
def plain(tmp_path: Path) -> ProviderSettings:
    (tmp_path / "job.yaml").write_text("prompts: [a fox]\n")
    return load_job(tmp_path / "job.yaml", run_id="1").settings


def test_a_misspelt_fault_is_hinted_at_by_its_name(plain: ProviderSettings) -> None:
    with pytest.raises(Exception, match=r"did you mean 'OVERLOADED'\?"):
        assumptions(plain, ["OVERLOAD=2%"])


def test_shares_of_all_answers_together_are_no_more_than_all(plain: ProviderSettings) -> None:
    assert len(assumptions(plain, ["OVERLOADED=55%", "TIMEOUT=34%", "FILTERED=11%"]).faults) == 3


def test_a_latency_is_told_least_first(plain: ProviderSettings) -> None:
    with pytest.raises(Exception, match="latency"):
        assumptions(plain, ["latency=8s..4s"])


def test_a_relative_state_folder_is_ignored_as_its_specification_says(tmp_path: Path) -> None:
    found = shared_log({"HOME": str(tmp_path), "XDG_STATE_HOME": "state"}, "https://x.example", Secret("k"))
    assert found is not None
    assert found.is_relative_to(tmp_path / ".local" / "state")


def test_no_limit_on_file_descriptors_is_not_one_request(
    plain: ProviderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchgen.account.resource.getrlimit", lambda _: (-1, -1))
    assert rules(plain).most_in_flight >= 256


def test_a_rehearsal_with_chance_in_it_is_the_same_each_time() -> None:
    model = Assumptions(limit=RateLimit(), penalty=60.0, faults={Fault.OVERLOADED: 0.1}).model
    assert rehearse(300, model, Rules(), RetryBounds()) == rehearse(300, model, Rules(), RetryBounds())


def test_failing_answers_do_not_speed_up_a_slow_start() -> None:
    async def main() -> int:
        limiter = Limiter(Rules(), on_wait=lambda *_: None)
        await outage(limiter)
        probe = await limiter.turn()
        probe.sent()
        probe.answered(SUCCESS)
        probe.release()
        for _ in range(4):
            permit = await limiter.turn()
            permit.sent()
            permit.answered(OVERLOADED)
            permit.release()
        return limiter._in_flight.bound(None)

    assert in_virtual_time(main) == 2


def test_headers_heed_what_was_allowed_and_has_not_left() -> None:
    async def main() -> float:
        limiter = Limiter(Rules(), on_wait=lambda *_: None)
        first = await limiter.turn()
        connecting = await limiter.turn()
        first.sent()
        first.answered(replace(failure(Fault.REFUSED), allowance=Allowance(remaining=1, reset_s=30.0)))
        first.release()
        connecting.sent()
        await limiter.turn()
        return anyio.current_time()

    assert in_virtual_time(main) == 30


def test_a_longer_retry_after_within_an_episode_is_kept() -> None:
    async def main() -> float:
        limiter = Limiter(Rules(), on_wait=lambda *_: None)
        both = [await limiter.turn() for _ in range(2)]
        for permit in both:
            permit.sent()
        for permit, asked_s in zip(both, (1.0, 60.0), strict=True):
            permit.answered(failure(Fault.THROTTLED, retry_after_s=asked_s))
            permit.release()
        await limiter.turn()
        return anyio.current_time()

    assert in_virtual_time(main) == 60
