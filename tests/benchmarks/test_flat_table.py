"""The verdicts of the benchmark `flat`, and that nothing is left out of its tables in silence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import file_server, flat
from benchmarks.file_server import MB_20, TINY
from benchmarks.flat import Extent
from benchmarks.flat_runs import Failed, Made
from benchmarks.measure import Run
from benchmarks.places import Place
from benchmarks.watched import Watched, turns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EXTENT = Extent(1_000, 100, 10, (10, 100), 10, 2)


def made(pictures: int, ms: float, *, first_s: float = 0.5, peak_mb: float = 60.0, pause_s: float = 0.01) -> Made:
    """A run whose memory grows by 4 MiB in all, beginning a second before its first answer."""
    answered = [101.0 + number * ms / 1000 for number in range(pictures)]
    memory = tuple((at, 50.0 + 4.0 * number / pictures) for number, at in enumerate(answered))
    watched = Watched(began=100.0, wall_s=9.0, cpu_s=3.0, peak_mb=peak_mb, memory=memory, fault=None)
    return Made(watched=watched, first_s=first_s, answered=answered, pause_s=pause_s, work_s=pause_s / 2)


@dataclass
class Machine:
    """Runs that are told beforehand: a picture takes longer in `trees` of some sizes."""

    ms_by_tree: dict[str, float] = field(default_factory=dict)
    first_s: float = 0.5
    fails_with: str = ""
    trees: list[tuple[str, int]] = field(default_factory=list)
    jobs: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, arguments: Sequence[str], _folder: Path) -> Run:
        """Do as `measure.run`."""
        if self.fails_with and "--help" in arguments:
            raise RuntimeError(self.fails_with)
        return Run(0.1, 40.0, "")

    def fill(self, _folder: Path, output: Path, tasks: int, *_seeds: str) -> None:
        """Do as `flat_runs.fill`."""
        output.mkdir()
        self.trees.append((output.name, tasks))

    def make(self, _folder: Path, output: Path, pictures: int, *seeds: str, picture: Any = TINY) -> Made:
        """Do as `flat_runs.make`."""
        if self.fails_with and picture is MB_20:
            raise Failed(self.fails_with)
        self.jobs.append(seeds)
        return made(pictures, self.ms_by_tree.get(output.name, 1.0), first_s=self.first_s)


@pytest.fixture(autouse=True)
def _all_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(file_server, "found", lambda program: program)
    place = Place(tmp_path, in_memory=Place(tmp_path, in_memory=True).absent() is None)
    monkeypatch.setattr(flat, "MEMORY", place)


def on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name in ("run", "fill", "make"):
        monkeypatch.setattr(flat, name, getattr(machine, name))
    return machine


def test_a_machine_on_which_nothing_grows_keeps_every_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = on(Machine(), monkeypatch)
    assert flat._show(EXTENT)
    said = capsys.readouterr().out
    assert "| NO |" not in said
    assert said.count("| peak memory | 60.00 MB | 60.00 to 60.00 | at most 120 MB | yes |") == 5
    assert "| memory in its last tenth, more than in its first | 3.56 MB |" in said
    assert "| longest pause of its event loop (at work for at most 5 ms) | 10.00 ms |" in said
    assert "| batchgen status | 0.10 s |" in said
    assert machine.trees == [("output", 990), ("tree-10", 10), ("tree-100", 100), ("tree-10", 10), ("tree-100", 100)]
    assert machine.jobs[-1] == ("1001..1020", "1..1000")


def test_a_picture_that_takes_longer_in_a_larger_tree_misses_its_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on(Machine({"tree-10": 1.0, "tree-100": 1.05, "output": 1.2}), monkeypatch)
    assert not flat._show(EXTENT)
    said = capsys.readouterr().out
    assert "(1.05 ms) where 100 are made / where 10 are | 1.05 x | 1.05 to 1.05 | at most 1.10 x | yes |" in said
    assert "(1.20 ms) where 1,000 are made / where 10 are | 1.20 x | 1.20 to 1.20 | at most 1.10 x | NO |" in said


def test_each_start_has_its_own_bound(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    on(Machine(first_s=6.0), monkeypatch)
    assert not flat._show(EXTENT)
    rows = [line for line in capsys.readouterr().out.splitlines() if "first request" in line]
    assert [row.rpartition("at most ")[2] for row in rows] == ["1.00 s | NO |", "5.00 s | NO |", "20.00 s | yes |"]


def test_a_run_that_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on(Machine(fails_with="ended with 5: no room"), monkeypatch)
    assert not flat._show(EXTENT)
    said = capsys.readouterr().out
    assert "Start (whole processes): failed: ended with 5: no room" in said
    assert "10 pictures of 20 MB, 64 in flight: failed: ended with 5: no room" in said
    assert "| batchgen status |" in said


def test_without_nginx_or_room_the_part_is_skipped_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flat._show(replace(EXTENT, tasks=10**12))
    assert "Flat: skipped: " in (said := capsys.readouterr().out)
    assert "MiB free, and" in said
    monkeypatch.setattr(file_server, "found", lambda _program: None)
    assert flat._show(EXTENT)
    assert "Flat: skipped: nginx is not here (apt install nginx-light)" in capsys.readouterr().out


def test_no_round_begins_late_but_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(turns(3, within_s=1000)) == [0, 1, 2]
    assert not capsys.readouterr().out
    assert list(turns(3, within_s=-1)) == [0]
    assert "(1 of 3 rounds: -1 s were over)" in capsys.readouterr().out
