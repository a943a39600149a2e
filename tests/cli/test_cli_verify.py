"""`batchgen verify` on what real runs leave: what is wrong is said, and after a repair a run makes what was lost."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from in_process import called
from processes import BATCHGEN, KEY, Mark, assert_whole, environment, job_for, pictures, sidecars

from batchgen.store.ledger_reader import LedgerReader
from batchgen.store.lock import FolderLock, owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processes import Ended

JOB = "otters.yaml"
OUTPUT = "output/otters"
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path, sandbox: Mark) -> Path:
    """The output folder of a job that is made: 8 pictures."""
    (tmp_path / JOB).write_text(job_for(sandbox.url, seeds="1..4"))
    assert run(tmp_path).code == 0
    return tmp_path / OUTPUT


def run(cwd: Path) -> Ended:
    return called("run", JOB, cwd=cwd, env=KEY)


def verify(cwd: Path, *options: str) -> Ended:
    return called("verify", OUTPUT, *options, cwd=cwd)


def flip(path: Path, at: int = 100, bits: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bits
    path.write_bytes(content)


def some_pictures(folder: Path) -> list[Path]:
    return [folder / path for path in pictures(folder)]


def test_what_a_run_made_is_well(tmp_path: Path, folder: Path) -> None:
    ended = verify(tmp_path, "--deep")
    assert (ended.code, ended.out) == (0, "")
    assert "checked 8 pictures" in ended.err
    assert "all is well" in ended.err
    sizes = sum(path.stat().st_size for path in folder.glob("images/**/*") if path.is_file())
    ended = verify(tmp_path, "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"checked": 8, "bytes": sizes, "findings": [], "repaired": [], "due": 0}


def test_each_finding_is_a_line_with_its_path_and_what_to_do(tmp_path: Path, folder: Path) -> None:
    flipped, cut, gone, *_ = some_pictures(folder)
    flip(flipped)
    cut.write_bytes(cut.read_bytes()[:1000])
    gone.unlink()
    (folder / "images/notes.txt").write_text("mine")
    ended = verify(tmp_path)
    assert ended.code == 1
    lines = {line.partition(": ")[0]: line for line in ended.out.splitlines()}
    names = [str(path.relative_to(folder)) for path in (flipped, cut, gone)]
    assert set(lines) == {*names, "images/notes.txt"}
    assert "has other bytes than were kept (sha256)" in lines[names[0]]
    assert "has 1,000 bytes, not " in lines[names[1]]
    assert "is not there; --repair clears its place, then run the job again" in lines[names[2]]
    assert "not a file of batchgen; move it elsewhere" in lines["images/notes.txt"]
    assert "4 findings" in ended.err
    document = json.loads(verify(tmp_path, "--json").out)
    assert {each["path"]: each["finding"] for each in document["findings"]} == {
        names[0]: "picture-changed",
        names[1]: "picture-length",
        names[2]: "picture-missing",
        "images/notes.txt": "foreign",
    }
    assert all(each["words"] and each["remedy"] for each in document["findings"])


def harm_ledger(folder: Path) -> None:
    (folder / "batchgen.sqlite").write_bytes(b"no ledger" * 1000)


HARMS: dict[str, tuple[int, Any]] = {
    "a flip in a picture": (1, lambda folder: flip(some_pictures(folder)[0])),
    "a flip in a sidecar": (0, lambda folder: flip(some_pictures(folder)[0].with_suffix(".json"))),
    "more flips in a sidecar": (1, lambda folder: flip(some_pictures(folder)[0].with_suffix(".json"), bits=7)),
    "a cut": (1, lambda folder: os.truncate(some_pictures(folder)[3], 500)),
    "a picture gone": (1, lambda folder: some_pictures(folder)[0].unlink()),
    "a sidecar gone": (1, lambda folder: some_pictures(folder)[0].with_suffix(".json").unlink()),
    "a folder gone": (4, lambda folder: shutil.rmtree(some_pictures(folder)[0].parent)),
    "the ledger gone": (0, lambda folder: (folder / "batchgen.sqlite").unlink()),
    "the ledger damaged": (0, harm_ledger),
    "a folder renamed": (0, lambda folder: some_pictures(folder)[0].parent.rename(folder / "images/renamed")),
}


@pytest.mark.parametrize("harm", HARMS)
def test_after_a_repair_a_run_makes_what_was_lost_and_no_more(
    tmp_path: Path, folder: Path, sandbox: Mark, harm: str
) -> None:
    lost, do = HARMS[harm]
    before = pictures(folder)
    do(folder)
    ended = verify(tmp_path, "--repair")
    assert ended.code == 1
    assert ended.out
    count = "1 picture" if lost == 1 else f"{lost} pictures"
    assert (f"run the job again to make {count} anew" in ended.err) == bool(lost)
    again = verify(tmp_path)
    assert (again.code, again.out) == (0, "")
    assert len(sandbox.requests()) == 8
    assert run(tmp_path).code == 0
    assert len(sandbox.requests()) == 8 + lost
    assert set(pictures(folder).values()) == set(before.values())
    assert len(sidecars(folder)) == 8
    assert_whole(folder)
    assert verify(tmp_path, "--deep").code == 0


def test_the_same_whole_folder_twice_over(tmp_path: Path, folder: Path, sandbox: Mark) -> None:
    for path in some_pictures(folder)[:2]:
        flip(path)
    first = json.loads(verify(tmp_path, "--repair", "--json").out)
    assert first["due"] == len(first["repaired"]) == len(first["findings"]) == 2
    assert {each["path"] for each in first["findings"]} == {
        each["path"].replace(".json", ".png") for each in first["repaired"]
    }
    assert run(tmp_path).code == 0
    for path in some_pictures(folder)[:2]:
        flip(path)
    assert json.loads(verify(tmp_path, "--repair", "--json").out)["due"] == 2
    assert run(tmp_path).code == 0
    assert len(sandbox.requests()) == 12
    assert len(list((folder / "replaced").rglob("*.png"))) == 4
    assert verify(tmp_path).code == 0


def test_the_attempts_stay_in_the_ledger_when_a_picture_is_made_again(tmp_path: Path, folder: Path) -> None:
    flip(some_pictures(folder)[0])
    assert verify(tmp_path, "--repair").code == 1
    assert run(tmp_path).code == 0
    ledger = LedgerReader.look(folder)
    assert ledger is not None
    assert ledger.bill().attempts == 9
    ledger.close()


@pytest.mark.parametrize("name", ["none", JOB, "."])
def test_what_is_no_output_folder_is_a_usage_error(tmp_path: Path, folder: Path, name: str) -> None:
    assert folder.is_dir()
    ended = called("verify", name, cwd=tmp_path)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "give" in ended.err


def test_a_folder_that_a_run_owns_ends_with_6(tmp_path: Path, folder: Path) -> None:
    lock = FolderLock.take(folder, "20261122T000000Z-0001")
    for options in ((), ("--repair",)):
        ended = verify(tmp_path, *options)
        assert ended.code == 6
        assert f"run 20261122T000000Z-0001, process {os.getpid()} on" in ended.err
    lock.release()
    assert verify(tmp_path).code == 0


def test_a_hostile_name_can_not_steer_a_terminal(tmp_path: Path, folder: Path) -> None:
    (folder / "images/\x1b[2J\n\u202eowned.txt").write_text("mine")
    with open(os.fsencode(folder) + b"/images/\xff\x9b.png", "wb"):  # noqa: PTH123 - no text
        pass
    ended = verify(tmp_path)
    assert ended.code == 1
    assert len(ended.out.splitlines()) == 2
    assert "images/\\x1b[2J\\n\\u202eowned.txt: not a file of batchgen" in ended.out
    assert "images/\\udcff\\udc9b.png: a picture without a sidecar" in ended.out
    as_json = verify(tmp_path, "--json").out
    assert as_json.isascii()
    assert {each["path"] for each in json.loads(as_json)["findings"]} == {
        "images/\x1b[2J\n\u202eowned.txt",
        "images/\udcff\udc9b.png",
    }


@contextmanager
def somebody_else(cwd: Path) -> Iterator[None]:
    """As a user who may read all of it and, by its modes, write nothing; root may write whatever they say."""
    for folder in (cwd, *cwd.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_that_is_read_only(tmp_path: Path, folder: Path) -> None:
    assert verify(tmp_path, "--repair").code == 0  # all is imported now, which somebody else may not read
    flip(some_pictures(folder)[0])
    modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
    before = contents(folder)
    try:
        for path in modes:
            path.chmod(0o555 if path.is_dir() else 0o444)
        with somebody_else(tmp_path):
            looked, mended = verify(tmp_path), verify(tmp_path, "--repair")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert looked.code == 1, looked.err
    assert len(looked.out.splitlines()) == 1
    assert "has other bytes than were kept" in looked.out
    assert mended.code == 5
    assert "Permission denied" in mended.err
    assert contents(folder) == before


def test_a_read_only_folder_that_a_run_owns(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FolderLock.take(folder, "20261122T000000Z-0001")

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder / ".lock"))

    monkeypatch.setattr("batchgen.verification.verify.FolderLock.take", refused)
    ended = verify(tmp_path)
    assert ended.code == 6
    assert "run 20261122T000000Z-0001" in ended.err
    lock.release()
    assert verify(tmp_path).code == 0


def interrupting(monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
    """The terminal's Ctrl-C comes when this function is called for the `at`th time."""
    module, _, function = name.rpartition(".")
    real = getattr(import_module(module), function)
    calls = iter(range(1, 1_000_000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **kwargs)

    monkeypatch.setattr(name, call)


def test_ctrl_c_ends_it_in_order(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("batchgen.verification.verify._AHEAD", 1)  # so that it waits for the reader when the signal comes
        interrupting(patch, "batchgen.verification.examine.prove", 3)
        ended = verify(tmp_path)
    assert (ended.code, ended.out) == (130, "")
    assert "interrupted" in ended.err
    assert owner(folder) is None
    assert verify(tmp_path).code == 0


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_ctrl_c_in_a_repair_leaves_what_the_next_one_ends(
    tmp_path: Path, folder: Path, sandbox: Mark, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = pictures(folder)
    for path in some_pictures(folder)[:3]:
        flip(path)
    with monkeypatch.context() as patch:
        interrupting(patch, "batchgen.store.durable.rename_new", at)
        assert verify(tmp_path, "--repair").code == 130
    assert verify(tmp_path, "--repair").code == 1
    assert verify(tmp_path).code == 0
    assert run(tmp_path).code == 0
    assert pictures(folder) == before
    assert len(sandbox.requests()) == 11


def at_a_terminal(cwd: Path, *, stdout: bool) -> tuple[int, str, str]:
    """Run it with stderr at a terminal: its exit code, what came to the terminal and what to a pipe."""
    ours, theirs = pty.openpty()
    env = environment({"TERM": "xterm-256color", "COLUMNS": "200"})
    with subprocess.Popen(  # noqa: S603 - the very program under test
        [*BATCHGEN, "verify", OUTPUT],
        cwd=cwd,
        env=env,
        stdin=theirs,
        stdout=theirs if stdout else subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = bytearray()
        with suppress(OSError):  # EIO: it has ended
            while block := os.read(ours, 65536):
                shown += block
        piped = process.stdout.read().decode() if process.stdout else ""
    os.close(ours)
    return process.returncode, shown.decode(), piped


@pytest.mark.parametrize("stdout", [False, True])
def test_a_bar_at_a_terminal_and_findings_where_stdout_goes(tmp_path: Path, folder: Path, *, stdout: bool) -> None:
    flip(some_pictures(folder)[0])
    code, shown, piped = at_a_terminal(tmp_path, stdout=stdout)
    assert code == 1
    assert "checking" in shown
    assert "checked 8 pictures" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") >= 1
    assert "has other bytes than were kept" in (shown if stdout else piped)
    assert ("has other bytes" in shown) == stdout
    assert "\x1b" not in piped
