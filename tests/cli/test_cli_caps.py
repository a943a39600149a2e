"""Caps on pictures and cost are hard by the count of the side that bills; retries keep within the job's bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from in_process import called
from processes import KEY, Mark, assert_whole, batchgen, events, job_for, outside_sandbox, pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from processes import Ended

USD = 0.065
"""A picture of sd3-large."""


def run(folder: Path, job: str, *options: str) -> Ended:
    """`batchgen run --json` in this process."""
    (folder / "otters.yaml").write_text(job)
    return called("run", "otters.yaml", "--json", *options, cwd=folder, env=KEY)


def billed(requests: Sequence[dict[str, Any]]) -> tuple[int, float]:
    """How many pictures were billed, and their price in US dollars."""
    return sum(each["billed"] for each in requests), round(sum(each["billed_credits"] for each in requests) / 100, 6)


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap, what it lets through of twelve pictures, and what is said."""

    name: str
    limits: str
    made: int
    why: str


CAPS = [
    Cap("pictures", "{max_images: 5}", 5, "max_images of 5 is reached"),
    Cap("cost", "{max_cost: 0.50}", 7, "max_cost of $0.50 would be passed ($0.455 spent at most)"),
    Cap("exactly the cost", "{max_cost: 0.52}", 8, "max_cost of $0.52 would be passed ($0.520 spent at most)"),
    Cap("both", "{max_cost: 0.50, max_images: 3}", 3, "max_images of 3 is reached"),
    Cap("less than one", "{max_cost: 0.06}", 0, "max_cost of $0.06 would be passed ($0.000 spent at most)"),
]


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: cap.name)
def test_a_cap_ends_a_run_and_a_higher_one_lets_it_go_on(tmp_path: Path, sandbox: Mark, cap: Cap) -> None:
    job, folder = job_for(sandbox.url, seeds="1..6"), tmp_path / "output/otters"
    ended = run(tmp_path, f"{job}limits: {cap.limits}\n", "--concurrency", "10")
    last = events(ended.out)[-1]
    assert ended.code == 4
    assert (last["ending"], last["why"], last["made"], last["left"]) == ("cap", cap.why, cap.made, 12 - cap.made)
    assert billed(sandbox.requests()) == (cap.made, round(cap.made * USD, 6))
    assert run(tmp_path, f"{job}limits: {cap.limits}\n").code == 4  # for the life of the folder
    assert len(sandbox.requests()) == cap.made
    (tmp_path / "otters.yaml").write_text(f"{job}limits: {{max_images: 12, max_cost: 0.78}}\n")
    assert batchgen("run", "otters.yaml", cwd=tmp_path, env=KEY).code == 0
    assert billed(sandbox.requests()) == (12, 0.78)
    assert len(pictures(folder)) == 12
    assert_whole(folder)


@pytest.mark.parametrize("limits", ["{max_images: 9}", "{max_cost: 0.60}"])
def test_a_cap_holds_under_faults(tmp_path: Path, limits: str) -> None:
    faults = ("--fail", "500=0.2", "--fail", "cut=0.2", "--fail", "drop=0.1", "--seed", "5", "--latency", "0.05")
    with outside_sandbox("--limit", "none", *faults) as sandbox:
        job = job_for(sandbox.url, seeds="1..10")
        (tmp_path / "otters.yaml").write_text(f"{job}limits: {limits}\n")
        ended = batchgen("run", "otters.yaml", "--json", "--concurrency", "10", cwd=tmp_path, env=KEY)
        requests = sandbox.log()
    images, usd = billed(requests)
    assert ended.code == 4
    assert events(ended.out)[-1]["at_most_usd"] == pytest.approx(usd)
    assert {each["fault"] for each in requests} >= {"500", "cut"}
    assert (images, usd) == (9, round(9 * USD, 6))
    assert_whole(tmp_path / "output/otters")


def test_a_cap_that_is_not_reached_changes_nothing(tmp_path: Path, sandbox: Mark) -> None:
    ended = run(tmp_path, job_for(sandbox.url, more="limits: {max_images: 4, max_cost: 0.26}\n"), "--concurrency", "10")
    assert ended.code == 0
    assert billed(sandbox.requests()) == (4, 0.26)


UNKNOWN = "defaults: {model: sd9}\nprompts: [a fox]\nsweep: {seeds: 1..2}\nlimits: {max_cost: 5}\n"


def test_a_cost_that_can_not_be_known_can_not_be_capped(tmp_path: Path) -> None:
    (tmp_path / "otters.yaml").write_text(
        f"provider: {{kind: sandbox, models: {{sd9: {{like: sd3-large}}}}}}\n{UNKNOWN}"
    )
    ended = called("run", "otters.yaml", cwd=tmp_path)
    assert ended.code == 2
    assert "otters.yaml: limits.max_cost can't be kept: the price of sd9 is not known; give it under" in ended.err
    assert not pictures(tmp_path / "output/otters")
    priced = ("--set", "provider.prices={sd9: {usd: 2}, date: 2025-08}")
    assert called("run", "otters.yaml", *priced, cwd=tmp_path).code == 0


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on retries, what goes wrong with every request, and how often each of two tasks is asked for."""

    name: str
    retry: str
    fault: str
    asked: int
    words: str


BOUNDS = [
    Bound("one attempt", "{attempts: 1}", "500=1", 1, "OVERLOADED"),
    Bound("two attempts", "{attempts: 2}", "500=1", 2, "OVERLOADED"),
    Bound("no time", "{within: 0.2s}", "500=1", 1, "OVERLOADED"),
    Bound("nothing paid for again", "{paid: 0}", "cut=1", 1, "CUT_OFF"),
    Bound("paid for once more", "{paid: 1}", "cut=1", 2, "CUT_OFF"),
    Bound("nothing ambiguous again", "{ambiguous: skip}", "drop=1", 1, "UNREACHABLE"),
    Bound("the ambiguous again", "{ambiguous: retry, attempts: 2}", "drop=1", 2, "UNREACHABLE"),
    Bound("no bill is not ambiguous", "{ambiguous: skip, paid: 0, attempts: 2}", "500=1", 2, "OVERLOADED"),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.name)
def test_a_retry_keeps_within_the_bounds_of_the_job(tmp_path: Path, bound: Bound) -> None:
    with outside_sandbox("--limit", "none", "--fail", bound.fault) as sandbox:
        ended = run(tmp_path, job_for(sandbox.url, prompts="[a fox]", more=f"retry: {bound.retry}\n"))
        seeds = [each["fields"]["seed"] for each in sandbox.log()]
    failed = [each for each in events(ended.out) if each["event"] == "task_failed"]
    assert ended.code == 1
    assert sorted(seeds) == sorted(["1", "2"] * bound.asked)
    assert [(each["attempts"], each["fault"]) for each in failed] == [(bound.asked, bound.words)] * 2
