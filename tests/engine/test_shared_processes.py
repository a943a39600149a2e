"""Real processes on one account: the union of what they send keeps its rule, and one that is killed blocks nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchgen.engine.rate import WindowLog
from batchgen.engine.shared import LONGEST_UNSENT_S, SharedLog
from batchgen.model import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import json, sys, time
import anyio
from batchgen.engine.limiter import Limiter, Rules
from batchgen.engine.shared import SharedLog
from batchgen.model import Window
from pathlib import Path

what, path, sends, per_s, count = sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:])


async def send(limiter, connect_s, sent):
    permit = await limiter.turn()
    await anyio.sleep(connect_s)
    permit.sent()
    sent.append(permit.sent_at)
    await anyio.sleep(0.02)
    permit.release()


async def send_all():
    rules, sent = Rules(windows=(Window(sends=int(sends), seconds=per_s),)), []
    limiter = Limiter(rules, on_wait=lambda *_: None, shared=SharedLog(path))
    print("ready", flush=True)
    sys.stdin.readline()
    async with anyio.create_task_group() as group:
        for number in range(int(count)):
            group.start_soon(send, limiter, number % 3 * 0.01, sent)
    print(json.dumps(sent), flush=True)


if what == "send":
    anyio.run(send_all)
else:
    log = SharedLog(path)
    with log.locked():
        log.tell([], time.monotonic())
        if what == "unsent":
            log.take(allowed_at := time.monotonic())
        else:
            print("locked", flush=True)
            time.sleep(1000)
    print(allowed_at, flush=True)
    time.sleep(1000)
"""

Child = subprocess.Popen[str]


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Those that are still there in the end are killed."""
    started: list[Child] = []
    yield started
    for child in started:
        with child:
            child.kill()


def start(children: list[Child], what: str, path: Path, window: Window, count: int = 0) -> Child:
    """One more process on the account."""
    child = subprocess.Popen(  # noqa: S603 - a program of this file
        [sys.executable, "-c", PROGRAM, what, str(path), str(window.sends), str(window.seconds), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    children.append(child)
    return child


def line(child: Child) -> str:
    """The next line that it says."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def go(child: Child) -> None:
    """Let it begin."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def kill(child: Child) -> None:
    """As kill -9 does."""
    child.kill()
    child.wait()


def assert_kept(window: Window, sent: list[float]) -> None:
    """No stretch as long as the window holds more than it may."""
    sent.sort()
    gaps = [over - first for first, over in zip(sent, sent[window.sends :], strict=False)]
    assert min(gaps) >= window.seconds


def test_two_processes_together_keep_the_rule(tmp_path: Path, children: list[Child]) -> None:
    window = Window(sends=20, seconds=0.5)
    both = [start(children, "send", tmp_path / "log", window, count=50) for _ in range(2)]
    assert [line(child) for child in both] == ["ready", "ready"]
    for child in both:
        go(child)
    sent: list[list[float]] = [json.loads(line(child)) for child in both]
    assert [len(each) for each in sent] == [50, 50]
    assert_kept(window, sent[0] + sent[1])


def test_one_after_the_other_keeps_the_rule_too(tmp_path: Path, children: list[Child]) -> None:
    window = Window(sends=10, seconds=1)
    sent: list[float] = []
    for _ in range(3):
        child = start(children, "send", tmp_path / "log", window, count=9)
        assert line(child) == "ready"
        go(child)
        sent += json.loads(line(child))
        kill(child)
    assert_kept(window, sent)


def test_a_lock_dies_with_its_process(tmp_path: Path, children: list[Child]) -> None:
    window, log = Window(sends=1, seconds=10), SharedLog(tmp_path / "log")
    child = start(children, "lock", tmp_path / "log", window)
    assert line(child) == "locked"
    with log.locked() as alone:
        assert not alone
    kill(child)
    with log.locked() as alone:
        assert alone


def test_a_send_that_its_process_did_not_live_to_make_is_held_for_a_minute(
    tmp_path: Path, children: list[Child]
) -> None:
    window, path = Window(sends=1, seconds=10), tmp_path / "log"
    child = start(children, "unsent", path, window)
    allowed_at = float(line(child))
    kill(child)
    for log in (SharedLog(path), SharedLog(path)):
        mirror = WindowLog(window)
        log.tell([mirror], allowed_at + LONGEST_UNSENT_S - 1)
        assert mirror.wait_s(allowed_at + LONGEST_UNSENT_S - 1) > 0
        log.tell([mirror], allowed_at + LONGEST_UNSENT_S)
        assert mirror.wait_s(allowed_at + LONGEST_UNSENT_S) == 0


def test_what_a_dead_process_sent_still_fills_the_window(tmp_path: Path, children: list[Child]) -> None:
    window, path = Window(sends=5, seconds=3600), tmp_path / "log"
    child = start(children, "send", path, window, count=5)
    assert line(child) == "ready"
    go(child)
    sent: list[float] = json.loads(line(child))
    kill(child)
    mirror = WindowLog(window)
    SharedLog(path).tell([mirror], max(sent))
    assert mirror.wait_s(max(sent)) == pytest.approx(min(sent) + 3690 - max(sent))
