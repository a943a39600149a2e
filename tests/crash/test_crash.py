"""Killed at any instant, a job ends as an uninterrupted run would: some rounds of each kind, of `make test-crash`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import power
import pytest
from damaged_ledgers import ledger_rounds
from random_kills import random_rounds
from rounds import recovery_rounds, step_rounds
from system_calls import system_call_rounds

if TYPE_CHECKING:
    from pathlib import Path

    from rounds import Round

SEED = 1
ALL = {
    each.name: each
    for each in (
        *step_rounds(),
        *recovery_rounds(),
        *random_rounds(SEED),
        *ledger_rounds(),
        *system_call_rounds(),
        *power.power_rounds(SEED),
    )
}
HERE = (
    "after:replace:1",
    "after:ledger_commit:2",
    "before:ledger_commit:3",
    "after:headers_leave:6",
    "after:answer_begins:6",
    "after:write_new:8",
    "after:put:4",
    "after:rename_new:1",
    "before:bytes_come:9 (big)",
    "after:rename_new:2, the run alone",
    "before:answer:5, its keeper alone",
    "after:rename_new:1, its keeper alone (big)",
    "before:rename_new:1 after:rename_new:1 before:rename_new:1 after:commit:1",
    "removed, after:answer_begins:6",
    "zeroed, before:rename_new:6",
    "pictures: write 1 is ENOSPC",
    "ledger: fsync 3 is EIO",
)


def _play(each: Round, base: Path) -> None:
    if why := each.lacking():
        # Not every user who calls `make test` has strace, or may cut the power of a disk (root, loop devices). Kills at
        # the same steps are in rounds that need nothing, and `make test-crash` names what it lacks.
        pytest.skip(why)
    tally = each.go(base)
    assert tally.findings == ()
    assert tally.lost == 0


@pytest.mark.parametrize("name", HERE)
def test_round(tmp_path: Path, name: str) -> None:
    _play(ALL[name], tmp_path)


@pytest.mark.parametrize("number", [1, 6])
def test_random_kills(tmp_path: Path, number: int) -> None:
    _play(list(random_rounds(SEED))[number], tmp_path)


def test_power_cut(tmp_path: Path) -> None:
    _play(ALL["after:headers_leave:7, power cut"], tmp_path)


@pytest.mark.parametrize("step", ["fsync", "sync"])
def test_a_power_cut_finds_what_is_not_made_durable(tmp_path: Path, step: str) -> None:
    """Without fsync, or with the ledger's own syncing off, what was said to be so is not so after a cut."""
    if why := power.lacking():
        # Only root may cut a disk's power here. That fsync comes where it must is shown without it by
        # tests/store/test_store_order.py.
        pytest.skip(why)
    tally = power.cuts(power.SMALL, [0.5], "--without", step)(tmp_path)
    words = "was said to be made" if step == "fsync" else "requests, the ledger has"
    assert any(words in finding for finding in tally.findings), tally
