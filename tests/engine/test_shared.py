"""The file in which processes on one account write what they send: private, never damaged for long, and true."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.engine import shared
from batchgen.engine.rate import WindowLog
from batchgen.engine.shared import LONGEST_COOL_S, LONGEST_UNSENT_S, SharedLog, shared_path
from batchgen.model import Secret, Window

URL, KEY = "https://pictures.example/v1/make", "canary-key-0123456789"
TWO_IN_TEN = Window(sends=2, seconds=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an account's file goes."""
    return shared_path(tmp_path / "state", URL, Secret(KEY))


def free_at(log: SharedLog, now: float, window: Window = TWO_IN_TEN) -> float:
    """When a newcomer may send."""
    mirror = WindowLog(window)
    log.tell([mirror], now)
    return now + mirror.wait_s(now)


def used(path: Path, *times: float) -> SharedLog:
    """A log with sends at these times."""
    log = SharedLog(path)
    for at in times:
        log.tell([], at)
        log.sent(log.take(at), at)
    return log


# The file.


def test_only_its_owner_reads_it_and_its_name_tells_nothing(path: Path) -> None:
    used(path, 1.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for hidden in (KEY, URL, "pictures", "example"):
        assert hidden not in str(path.name)
        assert hidden.encode() not in path.read_bytes()


def test_each_account_has_its_own() -> None:
    state = Path("state")
    accounts = [(URL, KEY), (URL, KEY + "x"), (URL + "x", KEY)]
    assert len({shared_path(state, url, Secret(key)) for url, key in accounts}) == 3
    assert shared_path(state, URL, Secret(KEY)) == shared_path(state, URL, Secret(KEY))


DAMAGED = {
    "empty": b"",
    "short": b"abc",
    "zeroed": b"\0" * 40,
    "not a number": b"\xff" * 500_000,
    "anything": Random(7).randbytes(70_000),  # noqa: S311 - no secret
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    log = SharedLog(path)
    assert (log.rate_per_s, log.cool_until(100.0)) == (None, 0)
    assert free_at(log, 100.0) == 100
    used(path, 100.0, 101.0)
    assert free_at(log, 102.0) == 110.25


def test_a_file_that_was_cut_holds_nobody_back(path: Path) -> None:
    used(path, *[100.0] * 50)
    os.truncate(path, 48 + 8 * 2)
    assert free_at(SharedLog(path), 101.0) == 110.25


@pytest.mark.parametrize("there", ["folder", "link", "no folder"])
def test_a_file_that_can_not_be_opened_is_an_error_of_the_system(path: Path, there: str) -> None:
    if there == "no folder":
        path.parent.parent.write_text("a file where the folder would be")
    else:
        path.parent.mkdir(parents=True)
        path.mkdir() if there == "folder" else path.symlink_to("elsewhere")
    with pytest.raises(OSError, match=r"directory|symbolic|exists"):
        SharedLog(path)
    assert not (path.parent / "elsewhere").exists()


def test_so_is_a_folder_that_takes_no_files() -> None:
    # Of /sys this is true for root too, who writes below a folder of mode 0500.
    with pytest.raises(OSError, match=r"not permitted|denied|Read-only"):
        SharedLog(Path("/sys/batchgen/limits/account"))


def test_after_another_boot_sends_are_forgotten_and_the_rate_is_not(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot_id = tmp_path / "boot_id"
    monkeypatch.setattr(shared, "_BOOT_ID", boot_id)
    boot_id.write_text("one")
    log = used(path, 1000.0, 1000.0)
    log.cool_down(4000.0)
    log.remember(7.5)
    again = SharedLog(path)
    assert (free_at(again, 1001.0), again.cool_until(1001.0), again.rate_per_s) == (1010.25, 4000, 7.5)
    boot_id.write_text("two")
    after = SharedLog(path)
    assert (free_at(after, 20.0), after.cool_until(20.0), after.rate_per_s) == (20, 0, 7.5)


# What was sent.


def test_every_window_of_the_other_counts(path: Path) -> None:
    used(path, 1.0, 2.0, 3.0)
    log, windows = SharedLog(path), (TWO_IN_TEN, Window(sends=3, seconds=60))
    mirrors = [WindowLog(window) for window in windows]
    log.tell(mirrors, 20.0)
    assert [mirror.wait_s(20.0) for mirror in mirrors] == [0, 42.5]


def test_what_was_allowed_to_a_killed_process_and_never_left_blocks_for_five_minutes_at_most(path: Path) -> None:
    dead, log, mirror = SharedLog(path), SharedLog(path), WindowLog(Window(sends=1, seconds=10))
    dead.tell([], 100.0)
    dead.take(100.0)
    log.tell([mirror], 100.0 + LONGEST_UNSENT_S - 0.1)
    assert (mirror.wait_s(399.9), log.awaits_others) == (float("inf"), True)
    log.tell([mirror], 100.0 + LONGEST_UNSENT_S)
    assert (mirror.wait_s(400.0), log.awaits_others) == (0, False)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1.5), st.sampled_from("ttsg")), max_size=30),
    st.integers(1, 4),
)
def test_however_they_share_no_window_holds_too_much(moments: list[tuple[int, float, str]], most: int) -> None:
    window = Window(sends=most, seconds=2)
    with TemporaryDirectory() as folder:
        logs = [SharedLog(Path(folder) / "log") for _ in range(3)]
        mirrors = [WindowLog(window) for _ in logs]
        unsent: list[list[int]] = [[], [], []]
        now, sent = 1.0, []
        for who, later_s, what in moments:
            now += later_s
            log, mirror, mine = logs[who], mirrors[who], unsent[who]
            if what == "t":
                log.tell([mirror], now)
                if mirror.wait_s(now) == 0:
                    mirror.take()
                    mine.append(log.take(now))
            elif mine and what == "s":
                mirror.sent(now)
                log.sent(mine.pop(0), now)
                sent.append(now)
            elif mine:
                mirror.give_back()
                log.give_back(mine.pop(0))
    assert all(over - first >= 2 for first, over in zip(sent, sent[most:], strict=False))


def test_a_shorter_cool_down_does_not_end_a_longer_one(path: Path) -> None:
    log = SharedLog(path)
    log.cool_down(100.0)
    SharedLog(path).cool_down(50.0)
    assert log.cool_until(1.0) == 100


def test_what_left_elsewhere_just_after_the_clock_was_read_counts(path: Path) -> None:
    other, log, mirror = SharedLog(path), SharedLog(path), WindowLog(Window(sends=1, seconds=10))
    other.tell([], 100.0)
    other.sent(other.take(100.0), 100.001)
    log.tell([mirror], 100.0)
    assert mirror.wait_s(100.0) > 10


def test_a_cool_down_beyond_all_measure_is_none(path: Path) -> None:
    log = SharedLog(path)
    log.cool_down(10_000.0)
    assert LONGEST_COOL_S == 3600
    assert [log.cool_until(now) for now in (0.0, 6399.0, 6400.0, 9999.0)] == [0, 6399, 10_000, 10_000]


def test_what_leaves_so_late_that_it_was_given_up_counts_from_then(path: Path) -> None:
    slow, log, mirror = SharedLog(path), SharedLog(path), WindowLog(Window(sends=1, seconds=10))
    slow.tell([], 100.0)
    place = slow.take(100.0)
    log.tell([mirror], 410.0)
    assert mirror.wait_s(410.0) == 0
    slow.sent(place, 415.0)
    log.tell([mirror], 416.0)
    assert 416 + mirror.wait_s(416.0) >= 425


def test_one_decides_at_a_time(path: Path) -> None:
    mine, other = SharedLog(path), SharedLog(path)
    with mine.locked() as alone, other.locked() as also:
        assert (alone, also) == (True, False)
    with other.locked() as alone:
        assert alone
