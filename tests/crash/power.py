"""Power cuts: an ext4 on a loop device is shut down under a run without a last write, and mounted again."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from processes import wait_until
from rounds import Round
from stage import CHILD, Job, kill, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from judge import Tally
    from stage import Process, Stage

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN (linux/fs/ext4/ext4.h), _IOR('X', 125, __u32)."""
NOT_EVEN_THE_JOURNAL = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what is not on the device by now never will be."""
DISK_BYTES = 96 * 1024 * 1024
PATIENT = "commit=300,noauto_da_alloc"
"""Nothing becomes durable by itself in the time of a round."""
TOOLS = ("mkfs.ext4", "losetup", "mount", "umount")

OPENING_S = 0.8
"""After so long a run's process begins its work, more or less; moments before are below zero."""
STEPWISE = Job()
STEPS = (
    "after:make_folders:1",
    "after:commit:1",
    "after:replace:1",
    "after:commit:4",
    "after:commit:6",
    "after:ledger_commit:2",
    "after:headers_leave:1",
    "after:headers_leave:7",
    "after:answer_begins:5",
    "after:write_new:4",
    "before:rename_new:2",
    "after:rename_new:2",
    "after:link:2",
    "before:fsync_folder:3@keeper",
    "after:fsync_folder:3@keeper",
    "after:fsync_folder:4@keeper",
    "after:fsync_folder:5@keeper",
    "before:ledger_commit:3",
    "after:ledger_commit:3",
    "after:ledger_commit:6",
    "after:commit:4@keeper",
    "after:answer:5",
)
"""Here a run is held and its power cut."""

WIDE = Job(seeds=12, in_flight=12)
FLUSHES = tuple(f"{when}:flush:{call}@keeper" for call in (1, 2) for when in ("before", "after"))
"""What many pictures at once share, each in a folder of its own: their parts, then their names."""

SMALL = Job(seeds=20, in_flight=8, server=("--latency", "0.1", "--jitter", "0.1"))
BIG = Job(seeds=6, in_flight=4, size="full", server=("--latency", "0.1"))


class Disk:
    """A file system of its own that loses power when told to."""

    def __init__(self, device: str, folder: Path) -> None:
        self._device = device
        self.folder = folder

    def mount(self) -> None:
        """Bring it up; ext4 recovers from its journal."""
        _do("mount", "-o", PATIENT, self._device, str(self.folder))

    def unmount(self) -> None:
        """Take it down."""
        _do("umount", str(self.folder))

    def cut(self, process: Process) -> None:
        """The power goes while this process and its group run: all are held first, and so meet no error."""
        with suppress(ProcessLookupError):  # it has ended, and all that belonged to it
            os.killpg(process.pid, signal.SIGSTOP)
        wait_until(lambda: _is_held(process), "the process is held")
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NOT_EVEN_THE_JOURNAL))
        finally:
            os.close(descriptor)
        kill(process)
        wait_until(lambda: not _members(process.pid), "the process is gone")
        self.unmount()
        self.mount()


def _is_held(process: Process) -> bool:
    """Does nothing of its group run? Neither does what has ended."""
    process.poll()
    return all(_fields(task)[0] in "TtZX" for member in _members(process.pid) for task in member.glob("task/*"))


def _members(group: int) -> list[Path]:
    """The processes of a group that have not ended."""
    found = [(path, _fields(path)) for path in Path("/proc").glob("[1-9]*")]
    return [path for path, fields in found if int(fields[2]) == group and fields[0] not in "ZX"]


def _fields(task: Path) -> list[str]:
    """State, parent, group and more (proc_pid_stat(5)); of one that is gone as of a dead one."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["X", "0", "0"]


def _do(*command: str) -> str:
    tool = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin") or command[0]
    return subprocess.run([tool, *command[1:]], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


@contextmanager
def disk(base: Path) -> Iterator[Disk]:
    """A disk below `base`, taken down and given back whatever happens."""
    image, folder = base / "disk.img", base / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    _do("mkfs.ext4", "-q", str(image))
    device = _do("losetup", "--find", "--show", str(image))
    try:
        disk = Disk(device, folder)
        disk.mount()
        try:
            yield disk
        finally:
            disk.unmount()
    finally:
        _do("losetup", "--detach", device)


@lru_cache(maxsize=1)
def lacking() -> str:
    """Why this machine can't cut the power of a file system; empty: it can."""
    if os.geteuid() != 0:
        return "power cuts need root, to mount a file system"
    try:
        with TemporaryDirectory() as base, disk(Path(base)) as found:
            process = subprocess.Popen(["sleep", "60"], start_new_session=True)  # noqa: S607 - any process will do
            found.cut(process)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"power cuts are not possible here ({error})"
    return ""


def power_rounds(seed: int) -> Iterator[Round]:
    """Cuts at each step of the order of writing, and one to three in a row at random moments."""
    for step in STEPS:
        yield Round(group="power cuts", name=f"{step}, power cut", go=cuts(STEPWISE, [step]), lacking=lacking)
    for step in FLUSHES:
        yield Round(group="power cuts", name=f"{step}, power cut", go=cuts(WIDE, [step]), lacking=lacking)
    for number in range(12):
        chance = Random(f"power-{seed}-{number}")  # noqa: S311 - moments, not secrets
        job, size = (BIG, "big") if number % 3 == 2 else (SMALL, "small")
        moments = [chance.uniform(-0.3, 0.6) for _ in range(chance.randint(1, 3))]
        options = ("--checkpoints",) if number % 2 else ()
        name = f"{number}: {len(moments)} cuts, {2 * job.seeds} {size} pictures{' '.join(('', *options))}"
        yield Round(group="power cuts", name=name, go=cuts(job, moments, *options), lacking=lacking)


def cuts(job: Job, moments: Sequence[float | str], *options: str) -> Callable[[Path], Tally]:
    """A round of cuts, each at a step of a run or so many seconds after it began; `options` are the child's."""

    def go(base: Path) -> Tally:
        with disk(base) as machine, staged(base, job, output=machine.folder / "otters") as stage:
            for moment in moments:
                _cut_at(moment, machine, stage, options)
            stage.complete()
            return stage.judged()

    return go


def _cut_at(moment: float | str, machine: Disk, stage: Stage, options: Sequence[str]) -> None:
    hold = ("--hold", moment) if isinstance(moment, str) else ()
    process = stage.start(program=(*CHILD, *hold, *options))
    if isinstance(moment, str):
        wait_until(lambda: process.poll() is not None or _is_held(process), "the step was reached")
        if process.poll() is not None:
            stage.findings.append(f"{moment}: never came to this; it said: {stage.errors.read_text()}")
    elif moment < 0:
        time.sleep(OPENING_S + moment)
    else:
        wait_until(lambda: stage.events.stat().st_size or process.poll() is not None, "the run began")
        time.sleep(moment)
    machine.cut(process)
    stage.died()
