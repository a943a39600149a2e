"""The verdicts of the benchmark of throughput, and that nothing is left out of its tables in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from benchmarks import file_server, throughput
from benchmarks.file_server import TINY
from benchmarks.places import Place
from benchmarks.throughput import Bound, Group
from benchmarks.throughput_clients import BARE, BATCHGEN, CURL
from benchmarks.trials import Trial, Work

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.throughput_clients import Client


@dataclass
class Stage:
    """Trials that are told beforehand, and in which order they were asked for."""

    told: dict[Client, list[Trial | str]]
    asked: list[Client] = field(default_factory=list)

    def tried(self, client: Client, _work: Work) -> Trial | str:
        """Do as `trials.tried`."""
        self.asked.append(client)
        return self.told[client].pop(0)


def trial(served_s: float, cpu_s: float = 1.0) -> Trial:
    return Trial(pictures=1_000, served_s=served_s, wall_s=served_s + 1, cpu_s=cpu_s)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(TINY, 1_000, Place(tmp_path, in_memory=Place(tmp_path, in_memory=True).absent() is None))


@pytest.fixture(autouse=True)
def _all_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_server, "found", lambda program: program)
    for client in (BARE, CURL):
        monkeypatch.setattr(type(client), "absent", lambda _self: None)


def on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(throughput, "tried", stage.tried)
    return stage


def test_clients_take_turns_and_a_ratio_is_of_one_round(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 2, 3 and 0.5 times as fast: the ratio of the medians would be 1.
    stage = on(
        Stage({BARE: [trial(2.0), trial(6.0), trial(1.0)], BATCHGEN: [trial(1.0), trial(2.0), trial(2.0)]}), monkeypatch
    )
    assert throughput.show([Group(work, (BARE, BATCHGEN), (Bound(BARE, 1.8),))], rounds=3)
    assert stage.asked == [BARE, BATCHGEN] * 3
    said = capsys.readouterr().out
    assert f"| {BATCHGEN.words} | 500 | 500 to 1,000 | 2.00 | 1,000 | 3.00 |" in said
    assert "| 2.00 x | 0.50 to 3.00 | at least 1.80 x | yes |" in said


def test_a_ratio_below_its_bound_is_not_met(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on(Stage({BARE: [trial(1.7)], BATCHGEN: [trial(1.0)]}), monkeypatch)
    assert not throughput.show([Group(work, (BARE, BATCHGEN), (Bound(BARE, 1.8),))], rounds=1)
    assert "| 1.70 x | 1.70 to 1.70 | at least 1.80 x | NO |" in capsys.readouterr().out


def test_a_bound_may_be_of_cpu_seconds() -> None:
    bound = Bound(CURL, 3.0, a_cpu_second=True)
    assert bound.ratios([trial(9.0, cpu_s=1.0)], [trial(1.0, cpu_s=4.0)]) == (4.0,)


def test_a_client_that_fails_is_named_and_not_run_again(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = on(
        Stage({BARE: [trial(1.0)] * 2, CURL: ["did not end within 120 s"], BATCHGEN: [trial(1.0)] * 2}), monkeypatch
    )
    assert throughput.show([Group(work, (BARE, CURL, BATCHGEN), (Bound(CURL, 0.5),))], rounds=2)
    assert stage.asked.count(CURL) == 1
    said = capsys.readouterr().out
    assert "| curl --parallel | failed: did not end within 120 s | | | | |" in said
    assert "| curl --parallel failed: did not end within 120 s | | |  |" in said


def test_batchgen_that_fails_misses_its_bounds(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = "kept 999 and was served 1,000 of 1,000 pictures"
    on(Stage({BARE: [trial(1.0)], BATCHGEN: [fault]}), monkeypatch)
    assert not throughput.show([Group(work, (BARE, BATCHGEN), (Bound(BARE, 0.1),))], rounds=1)
    assert f"{BATCHGEN.words} failed: {fault} | | | NO |" in capsys.readouterr().out


def test_a_client_that_is_not_here_is_skipped_by_its_name(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(CURL), "absent", lambda _self: "curl is not here (apt install curl)")
    on(Stage({BATCHGEN: [trial(1.0)]}), monkeypatch)
    assert throughput.show([Group(work, (CURL, BATCHGEN), (Bound(CURL, 0.5),))], rounds=1)
    said = capsys.readouterr().out
    assert said.count("curl --parallel | skipped: curl is not here (apt install curl)") == 1
    assert said.count("curl --parallel skipped: curl is not here (apt install curl)") == 1


def test_without_nginx_or_room_the_part_or_the_group_is_skipped_by_its_name(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = Work(TINY, 1, Place(work.place.folder / "missing", in_memory=False))
    assert throughput.show([Group(elsewhere, (BATCHGEN,), ())], rounds=1)
    assert "missing is not there, or can't be written to" in capsys.readouterr().out
    monkeypatch.setattr(file_server, "found", lambda _program: None)
    assert throughput.show([], rounds=1)
    assert "Throughput: skipped: nginx is not here (apt install nginx-light)" in capsys.readouterr().out
