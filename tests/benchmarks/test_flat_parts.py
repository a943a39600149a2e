"""The pieces of the benchmark `flat`: a folder that looks as runs left it, a probe of the event loop, arithmetic."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from batchgen import __version__
from batchgen.comparison import compare
from batchgen.due import Part, tasks_due
from batchgen.executors.worker import costs_of
from batchgen.job import load_job
from batchgen.manifest.survey import survey
from batchgen.model import Picture, Success
from batchgen.report.status import status_of
from batchgen.store.folder import contents_of
from batchgen.store.sidecar import sidecar
from benchmarks import flat_folder
from benchmarks.file_server import TINY
from benchmarks.flat_folder import fill
from benchmarks.flat_growth import growth_mb, ms_a_picture
from benchmarks.flat_loop import EVERY_S, Probe, probed
from benchmarks.throughput_clients import job_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which 2,990 of 3,000 are made, in three batches and with four files for the one picture."""
    monkeypatch.setattr(flat_folder, "_AT_ONCE", 1_000)
    monkeypatch.setattr(flat_folder, "_MOST_NAMES", 900)
    (tmp_path / "job.yaml").write_text(json.dumps(job_of("http://127.0.0.1:9/", "1..3000")))
    fill(tmp_path / "job.yaml", tmp_path / "output", 2_990)
    return tmp_path / "output"


def test_a_filled_folder_is_one_in_which_its_tasks_are_made(filled: Path) -> None:
    manifest = load_job(filled / "job.yaml", run_id="bench")
    found, contents = survey(manifest), contents_of(filled)
    assert not contents.unknown
    assert not contents.gone
    assert not contents.missing
    comparison = compare(manifest, found, contents)
    assert not comparison.changed
    assert list(tasks_due(manifest, found, comparison, Part())) == list(range(2_990, 3_000))


def test_the_ledger_of_a_filled_folder_tells_the_same(filled: Path) -> None:
    status = status_of(filled)
    assert (status.tasks, status.made, status.left, status.attempts) == (3_000, 2_990, 10, 2_990)
    assert (list(status.in_doubt), list(status.failures)) == ([], [])


def test_sidecars_and_pictures_of_a_filled_folder_are_as_a_run_writes_them(filled: Path) -> None:
    manifest = load_job(filled / "job.yaml", run_id="bench")
    content = TINY.content()
    digest = hashlib.sha256(content).hexdigest()
    picture = Picture(format="png", width=6, height=6, size_bytes=len(content), sha256=digest)
    for index in (0, 1_000, 2_989):
        task = manifest.task(index)
        path = filled / "images" / f"{task.stem}.png"
        assert path.read_bytes() == content
        assert path.with_suffix(".json").read_bytes() == sidecar(
            task,
            provider="gateway",
            url="http://127.0.0.1:9/",
            version=__version__,
            success=Success(picture=picture, status=200, content_type="image/png"),
            picture_file=path.name,
            attempts=[flat_folder.ATTEMPT],
            cost=costs_of(manifest.settings.provider)[task.fields["model"]],
            made=flat_folder.AT,
        ).naming(digest)


@dataclass
class Loop:
    """An event loop whose clock is told."""

    now_s: float = 100.0
    waiting: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)

    def time(self) -> float:
        """See asyncio."""
        return self.now_s

    def call_later(self, delay_s: float, function: Callable[..., None], *arguments: Any) -> None:
        """See asyncio."""
        self.waiting.append((self.now_s + delay_s, function, arguments))

    def pass_with(self, late_s: float) -> None:
        """What waits is called so much later than it asked for."""
        due, function, arguments = self.waiting.pop()
        self.now_s = due + late_s
        function(*arguments)


def test_the_probe_tells_the_longest_pause_and_when_it_ended() -> None:
    loop, probe = Loop(), Probe()
    probe.watch(cast("asyncio.AbstractEventLoop", loop), lambda: loop.now_s)
    for late_s in (0.0, 0.020, 0.070, 0.010):
        loop.pass_with(late_s)
    assert probe.pause_s == pytest.approx(0.070)
    assert probe.at_s == pytest.approx(3 * EVERY_S + 0.020 + 0.070)
    assert probe.looks == 5


def test_the_probe_watches_the_loop_that_a_program_runs_in(tmp_path: Path) -> None:
    async def work(number: int) -> int:
        await anyio.sleep(4 * EVERY_S)
        sum(range(300_000))
        await anyio.sleep(4 * EVERY_S)
        return number + 1

    assert probed(anyio.run, tmp_path / "seen")(work, 6) == 7
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["looks"] > 1
    assert seen["work_s"] > 0


def test_growth_is_told_from_the_first_tenth_and_the_last() -> None:
    answered = [float(second) for second in range(100, 201)]
    memory = [(90.0, 20.0), (101.0, 60.0), (105.0, 62.0), (109.0, 61.0), (150.0, 400.0), (195.0, 66.5), (199.0, 64.5)]
    assert growth_mb([*memory, (210.0, 900.0)], answered) == pytest.approx(4.5)
    with pytest.raises(ValueError, match="too short"):
        growth_mb([(90.0, 20.0), (150.0, 60.0)], answered)


def test_the_time_of_a_picture_leaves_out_the_first_ones() -> None:
    assert ms_a_picture([0.0, 5.0, 5.1, 5.2, 5.3], skipped=1) == pytest.approx(100)
    assert ms_a_picture([1.0, 2.0, 3.0]) == pytest.approx(1000)
