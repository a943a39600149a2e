"""What a trial of the benchmark of throughput measures, on real processes."""

from __future__ import annotations

import io
import json
import os
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from batchgen.job import load_job
from benchmarks import file_server, trials
from benchmarks.file_server import KB_10, KB_264, MB_20, FileServer, Noise
from benchmarks.places import Place
from benchmarks.throughput_clients import BATCHGEN, IN_FLIGHT, MADE, job_of
from benchmarks.trials import Trial, Work, tried
from benchmarks.watched import watch


@dataclass(frozen=True)
class Shell:
    """A client that is a line of shell; $0 is the server's address."""

    line: str
    words: str = "sh"

    def absent(self) -> str | None:
        """See Client."""
        return None

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:  # noqa: ARG002 - the protocol's
        """See Client."""
        (folder / MADE).mkdir()
        return ["sh", "-c", f"cd {folder / MADE} && {self.line}", url]


@pytest.fixture
def twenty(tmp_path: Path) -> Work:
    if why := file_server.absent():
        # nginx is a peer's server and no part of batchgen: without it the benchmark skips the part by name, and so does
        # this; what is told of a trial is looked at without it in test_throughput_table.py.
        pytest.skip(why)
    return Work(KB_10, 20, Place(tmp_path, in_memory=True))


@pytest.mark.parametrize(("picture", "size_bytes"), [(KB_10, 10_240), (KB_264, 264 * 1024), (MB_20, 20_000_000)])
def test_pictures_are_of_the_size_they_are_named_for_and_can_not_be_packed(picture: Noise, size_bytes: int) -> None:
    content = picture.content()
    assert len(content) == pytest.approx(size_bytes, rel=0.03)
    assert len(zlib.compress(content, 1)) > 0.99 * len(content)
    with Image.open(io.BytesIO(content)) as image:
        image.verify()  # every chunk's CRC


def test_the_servers_log_tells_of_the_first_arrival_and_of_each_answer(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("200 1700000002.500 2.250\n200 1700000001.000 0.500\n400 1700000003.000 0.001\n")
    server = FileServer("http://127.0.0.1:9/", log)
    assert server.first_arrival() == pytest.approx(1700000000.25)
    assert server.answered() == [1700000001.0, 1700000002.5]


def test_the_job_of_batchgen_asks_for_every_picture_without_a_limit(tmp_path: Path) -> None:
    command = BATCHGEN.command("http://127.0.0.1:9/", 5_000, tmp_path)
    manifest = load_job(tmp_path / "job.yaml", run_id="bench")
    assert len(manifest) == 5_000
    assert manifest.settings.url == "http://127.0.0.1:9/"
    assert not manifest.settings.rate_limit.windows
    assert command[-2:] == ["--concurrency", str(IN_FLIGHT)]


def test_a_trial_of_batchgen_counts_pictures_that_lie_there_whole(twenty: Work) -> None:
    found = tried(BATCHGEN, twenty)
    assert isinstance(found, Trial)
    assert found.pictures == 20
    assert found.served_s < found.wall_s
    assert found.a_second > 20 / found.wall_s
    assert found.a_cpu_second == 20 / found.cpu_s
    assert list(twenty.place.folder.iterdir()) == []


def test_pictures_that_were_served_and_not_kept_whole_are_no_trial(twenty: Work) -> None:
    cut = "for n in $(seq 20); do head -c 9999 /dev/zero > $n.png; done"
    ask = (
        f"{sys.executable} -c 'import sys, urllib.request as u; [u.urlopen(sys.argv[1]).read() for _ in range(20)]' $0"
    )
    assert tried(Shell(f"{cut}; {ask}"), twenty) == "kept 0 and was served 20 of 20 pictures"
    assert tried(Shell("echo no such library >&2; exit 3"), twenty) == "ended with 3: no such library"


def test_files_of_the_right_size_are_counted_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for path in ("1.png", "a/2.png", "a/b/3.png"):
        (tmp_path / path).write_bytes(bytes(7))
    (tmp_path / "a/cut.png").write_bytes(bytes(6))
    assert trials.kept_whole(tmp_path, 7) == 3


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    line = f"sleep 100 & echo $! > {tmp_path}/child; wait"
    watched = watch(["sh", "-c", line], tmp_path, within_s=1)
    assert watched.fault == "did not end within 1 s"
    child = int((tmp_path / "child").read_text())
    while _runs(child):  # a kill takes its time; one that never came is found by the test's own time-out
        time.sleep(0.01)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False


def test_memory_and_cpu_are_of_the_process_alone(tmp_path: Path) -> None:
    mine = bytearray(os.urandom(1)) * (300 << 20)  # a child begins as its parent, and ru_maxrss would tell of this
    program = "import time; held = b'x' * (50 << 20); sum(range(3_000_000)); time.sleep(0.5)"
    watched = watch([sys.executable, "-c", program], tmp_path, within_s=60)
    assert watched.fault is None
    assert 50 < watched.peak_mb < 200 < len(mine) >> 20
    assert 0 < watched.cpu_s <= 2 * watched.wall_s
    assert max(mb for _, mb in watched.memory) <= watched.peak_mb
    assert all(watched.began < at < watched.began + watched.wall_s + 1 for at, _ in watched.memory)


def test_a_job_takes_ranges_of_seeds_in_their_order(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(json.dumps(job_of("http://127.0.0.1:9/", "21..30", "1..10")))
    manifest = load_job(job, run_id="bench")
    assert [manifest.task(index).fields["seed"] for index in (0, 9, 10, 19)] == ["21", "30", "1", "10"]
