"""A run that is stopped for a while (SIGSTOP, Ctrl-Z) goes on: no answer is lost, and no burst follows."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from processes import (
    KEY,
    Mark,
    Running,
    assert_whole,
    finish,
    job_for,
    outside_sandbox,
    pictures,
    start,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STOPPED_S = 4.0
HASTY = ("run", "otters.yaml", "--concurrency", "4", "--set", "provider.timeout=2s")


def _suspend(process: Running) -> None:
    """Stop a process for much longer than its requests may take, and let it go on."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    process.send_signal(signal.SIGCONT)


def _asked(sandbox: Mark, number: int) -> Callable[[], bool]:
    """Whether so many requests came."""
    return lambda: len(sandbox.requests()) >= number


@pytest.mark.parametrize("stops", [1, 2])
def test_what_came_while_the_run_was_stopped_is_kept(tmp_path: Path, slow_sandbox: Mark, stops: int) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..4"))
    process = start(*HASTY, cwd=tmp_path, env=KEY)
    for number in range(1, stops + 1):
        wait_until(_asked(slow_sandbox, 4 * number), "requests in flight")
        _suspend(process)
    ended = finish(process)
    assert (ended.code, "again" in ended.err) == (0, False)
    asked = Counter(f"{each['fields']['prompt']} {each['fields']['seed']}" for each in slow_sandbox.requests())
    assert list(asked.values()) == [1] * 8
    assert len(pictures(tmp_path / "output/otters")) == 8
    assert_whole(tmp_path / "output/otters")


def test_what_was_sent_is_kept_when_a_run_is_stopped_while_it_ends(tmp_path: Path, slow_sandbox: Mark) -> None:
    (tmp_path / "otters.yaml").write_text(job_for(slow_sandbox.url, seeds="1..9"))
    process = start(*HASTY, cwd=tmp_path, env=KEY)
    wait_until(_asked(slow_sandbox, 4), "requests in flight")
    process.send_signal(signal.SIGINT)
    _suspend(process)
    assert finish(process).code == 130
    assert len(pictures(tmp_path / "output/otters")) == len(slow_sandbox.requests()) == 4
    assert_whole(tmp_path / "output/otters")


def test_no_burst_follows_a_stop(tmp_path: Path) -> None:
    with outside_sandbox("--limit", "5/2s", "--penalty", "30") as strict:
        (tmp_path / "otters.yaml").write_text(job_for(strict.url, seeds="1..10"))
        process = start("run", "otters.yaml", "--rate-limit", "5/2s", cwd=tmp_path, env=KEY)
        for number in (3, 12):  # in the middle of a window, and at its end
            wait_until(_asked(Mark(strict, 0), number), "some requests")
            _suspend(process)
        assert finish(process).code == 0
        assert [each["status"] for each in strict.log()] == [200] * 20
    assert_whole(tmp_path / "output/otters")
