"""What a job and this machine say of an account: the rules of its limiter, and where its processes meet."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchgen.account import FOR_EACH, OTHER_DESCRIPTORS, retry_bounds, rules, shared_log
from batchgen.engine.in_flight import MOST
from batchgen.engine.limiter import Rules
from batchgen.engine.policy import RetryBounds
from batchgen.job import load_job
from batchgen.model import RateLimit, Secret, Window

if TYPE_CHECKING:
    from batchgen.manifest.manifest import Manifest

URL, KEY = "https://pictures.example", Secret("canary-key-0123456789")


def job(folder: Path, provider: str = "", more: str = "") -> Manifest:
    """A job with these settings."""
    (folder / "job.yaml").write_text(f"provider: {{kind: gateway, {provider}}}\n{more}prompts: [a fox]\n")
    return load_job(folder / "job.yaml", run_id="1")


def limits(monkeypatch: pytest.MonkeyPatch, descriptors: int) -> None:
    """The system gives a process so many file descriptors."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (descriptors, descriptors))


def test_the_rules_are_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, 1024)
    assert rules(job(tmp_path, "rate_limit: 75/10s, concurrency: 9, margin: 300ms").settings) == Rules(
        windows=(Window(sends=75, seconds=10),), penalty_s=60, margin_s=0.3, concurrency=9, most_in_flight=320
    )
    assert rules(job(tmp_path, "rate_limit: unknown").settings) == Rules(unknown=True, penalty_s=60, most_in_flight=320)
    assert rules(job(tmp_path).settings).windows == (Window(sends=150, seconds=10),)


def test_what_the_run_is_told_goes_before_the_jobs_own(tmp_path: Path) -> None:
    settings = job(tmp_path, "rate_limit: 75/10s, concurrency: 9").settings
    told = rules(settings, RateLimit(windows=(Window(sends=2, seconds=1),)), 3)
    assert (told.windows, told.unknown, told.concurrency) == ((Window(sends=2, seconds=1),), False, 3)
    assert rules(settings, RateLimit(unknown=True)).unknown


@pytest.mark.parametrize(("descriptors", "most"), [(1024, 320), (256, 64), (67, 1), (64, 1), (8, 1)])
def test_file_descriptors_bound_what_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int
) -> None:
    settings = job(tmp_path).settings
    limits(monkeypatch, descriptors)
    assert (OTHER_DESCRIPTORS, FOR_EACH) == (64, 3)
    assert rules(settings).most_in_flight == most


def test_without_a_bound_on_file_descriptors_nothing_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = job(tmp_path).settings
    limits(monkeypatch, resource.RLIM_INFINITY)
    assert rules(settings).most_in_flight >= MOST


def test_how_often_a_task_is_tried_is_the_jobs(tmp_path: Path) -> None:
    assert retry_bounds(job(tmp_path).retry) == RetryBounds()
    retry = "retry: {attempts: 3, within: 2m, paid: 0, ambiguous: skip}\n"
    assert retry_bounds(job(tmp_path, more=retry).retry) == RetryBounds(
        attempts=3, within_s=120, paid=0, ambiguous=False
    )


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/fox"}, "/home/fox/.local/state/batchgen/limits"),
        ({"HOME": "/home/fox", "XDG_STATE_HOME": "/state"}, "/state/batchgen/limits"),
        ({"XDG_STATE_HOME": "/state"}, "/state/batchgen/limits"),
        ({"HOME": "/home/fox", "XDG_STATE_HOME": ""}, "/home/fox/.local/state/batchgen/limits"),
        ({"HOME": "/home/fox", "XDG_STATE_HOME": "state"}, "/home/fox/.local/state/batchgen/limits"),
    ],
)
def test_processes_meet_in_the_users_state_folder(environment: dict[str, str], folder: str) -> None:
    found = shared_log(environment, URL, KEY)
    assert found is not None
    assert found.parent == Path(folder)


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"XDG_STATE_HOME": "state"}, {"HOME": "home/fox"}])
def test_who_has_none_meets_nobody(environment: dict[str, str]) -> None:
    assert shared_log(environment, URL, KEY) is None
