"""An input image is found wanting before anything is paid for, and each flaw is said in one line."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from store_samples import encoded, noise

from batchgen.model import InputImage
from batchgen.store.inputs import inspect_image, unchanged

if TYPE_CHECKING:
    from pathlib import Path

PNG = encoded(noise(64, 80), "PNG")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.png").write_bytes(PNG)
    return tmp_path


def test_a_good_image(job: Path) -> None:
    path = job / "inputs" / "a.png"
    assert inspect_image("inputs/a.png", job) == InputImage(
        path="inputs/a.png",
        file=str(path),
        sha256=hashlib.sha256(PNG).hexdigest(),
        size_bytes=len(PNG),
        modified_ns=path.stat().st_mtime_ns,
        media_type="image/png",
    )


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_type_is_told_by_the_bytes(job: Path, kind: str, media_type: str) -> None:
    (job / "inputs" / "b.png").write_bytes(encoded(noise(64, 64), kind))
    assert inspect_image("inputs/b.png", job).media_type == media_type


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "x.png is not a png, jpeg or webp picture; convert it"),
        (encoded(noise(70, 70).quantize(8), "GIF"), "x.png is not a png, jpeg or webp picture; convert it"),
        (PNG[:-4], r"x.png is no whole picture \(PNG cut off in IEND\); export it again"),
        (PNG + b"more", r"x.png is no whole picture \(4 bytes after the end of the PNG\); export it again"),
        (encoded(noise(32, 64), "PNG"), "x.png is 32 x 64 px; each side must be at least 64 px"),
        (encoded(noise(64, 63), "WEBP"), "x.png is 64 x 63 px; each side must be at least 64 px"),
    ],
)
def test_each_flaw_is_named(job: Path, content: bytes, words: str) -> None:
    (job / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{words}"):
        inspect_image("x.png", job)


def test_what_is_no_file_is_named_and_never_waited_for(job: Path) -> None:
    os.mkfifo(job / "pipe.png")
    (job / "loop.png").symlink_to("loop.png")
    for path, words in {
        "inputs/no.png": "inputs/no.png does not exist; a path counts from the job's folder, /",
        "inputs/a.png/b.png": "inputs/a.png/b.png does not exist",
        "inputs": "inputs is a folder; name a png, jpeg or webp file",
        "pipe.png": "pipe.png is not a regular file",
        "loop.png": "loop.png can't be read: Too many levels of symbolic links",
        "a\0b.png": r"'a\\x00b.png' is no path; remove the NUL",
        "x" * 300: "x+ can't be read: File name too long",
    }.items():
        with pytest.raises(ValueError, match=f"^{words}"):
            inspect_image(path, job)


def test_a_huge_file_is_refused_unread(job: Path) -> None:
    with (job / "huge.png").open("wb") as file:
        file.truncate(5 * 1024**3)
    with pytest.raises(ValueError, match=r"^huge.png has 5120.0 MiB; the API takes a request of at most 10 MiB"):
        inspect_image("huge.png", job)


def test_unchanged_looks_at_the_content_where_the_time_differs(job: Path) -> None:
    path = job / "inputs" / "a.png"
    image = inspect_image("inputs/a.png", job)
    assert unchanged(image)
    os.utime(path, ns=(1, 1))
    assert unchanged(image)
    path.write_bytes(PNG[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    assert not unchanged(image)
    path.write_bytes(PNG + b"!")
    assert not unchanged(image)
    path.unlink()
    assert not unchanged(image)
    os.mkfifo(path)
    assert not unchanged(image)
