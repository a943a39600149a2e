"""Clients of the part `throughput`: each a program that gets n pictures into `made/`, 64 in flight."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.environments import environment
from benchmarks.watched import KEY_ENV

if TYPE_CHECKING:
    from benchmarks.environments import Environment

IN_FLIGHT = 64
MADE = "made"
_HERE = Path(__file__).parent


class Client(Protocol):
    """One client as it will be started."""

    @property
    def words(self) -> str:
        """The client in the words of the table."""

    def absent(self) -> str | None:
        """Why it can't be had here, or None."""

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:
        """What to run in `folder`, where `made/` is not there yet."""


@dataclass(frozen=True, slots=True)
class Batchgen:
    """`batchgen run` of a sweep of seeds, as a user calls it."""

    words: str = "batchgen, everything on"

    def absent(self) -> str | None:
        """See Client."""
        return None

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:
        """See Client."""
        job = folder / "job.yaml"
        job.write_text(json.dumps(job_of(url, f"1..{pictures}")))
        run = [sys.executable, "-m", "batchgen", "run", str(job)]
        return [*run, "--output", str(folder / MADE), "--concurrency", str(IN_FLIGHT)]


def job_of(url: str, *seeds: str) -> dict[str, object]:
    """A job of one prompt and these ranges of seeds, without a limit."""
    return {
        "provider": {"kind": "gateway", "url": url, "api_key_env": KEY_ENV, "rate_limit": "none"},
        "prompts": ["an otter"],
        "sweep": {"seeds": list(seeds)},
    }


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that people write; see loops.py and other_loops.py."""

    name: str
    words: str
    script: str = "loops.py"

    def absent(self) -> str | None:
        """See Client."""
        return _loops().fault

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:
        """See Client."""
        python = _loops().programs / "python"
        return [str(python), str(_HERE / self.script), self.name, url, str(pictures), str(_made(folder))]


@dataclass(frozen=True, slots=True)
class Img2dataset:
    """The downloader of datasets, which asks with GET; nothing is resized or encoded again."""

    words: str = "img2dataset, 2 processes x 32 threads"

    def absent(self) -> str | None:
        """See Client."""
        return _img2dataset().fault

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:
        """See Client."""
        urls = folder / "urls.txt"
        urls.write_text("".join(f"{url}?{number}\n" for number in range(pictures)))
        options = {
            "url_list": str(urls),
            "output_folder": str(_made(folder)),
            "output_format": "files",
            "number_sample_per_shard": str(-(-pictures // 2)),
            "processes_count": "2",
            "thread_count": str(IN_FLIGHT // 2),
            "resize_mode": "no",
            "skip_reencode": "True",
            "encode_format": "png",
            "encode_quality": "1",
            "enable_wandb": "False",
        }
        # One of its requirements would ask the network for its newest version.
        quiet = ["env", "NO_ALBUMENTATIONS_UPDATE=1"]
        said = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [*quiet, str(_img2dataset().programs / "img2dataset"), *said]


@dataclass(frozen=True, slots=True)
class Curl:
    """`curl --parallel`, which keeps pictures and nothing else."""

    words: str = "curl --parallel"

    def absent(self) -> str | None:
        """See Client."""
        return None if shutil.which("curl") else "curl is not here (apt install curl)"

    def command(self, url: str, pictures: int, folder: Path) -> list[str]:
        """See Client."""
        form = ["-F", "model=sd3-large-turbo", "-F", "prompt=an otter", "-F", "seed=7"]
        parallel = ["--parallel", "--parallel-max", str(IN_FLIGHT), "--silent", "--no-progress-meter", "--fail"]
        return ["curl", *parallel, *form, f"{url}?[1-{pictures}]", "-o", f"{_made(folder)}/#1.png"]


BARE = Loop("bare", "aiohttp + uvloop, bare")
BUILT = Loop("built", "the same, its body built once")
TENACITY = Loop("tenacity", "aiohttp + tenacity + aiofiles")
REQUESTS = Loop("requests", "requests in 64 threads", "other_loops.py")
HTTPX = Loop("httpx", "httpx", "other_loops.py")
IMG2DATASET = Img2dataset()
CURL = Curl()
BATCHGEN = Batchgen()


def _made(folder: Path) -> Path:
    made = folder / MADE
    made.mkdir()
    return made


def _loops() -> Environment:
    # What batchgen uses itself is there in the same version.
    ours = (f"{name}=={version(name)}" for name in ("aiofiles", "aiohttp", "tenacity"))
    return environment("loops", *ours, "httpx", "requests", "uvloop")


def _img2dataset() -> Environment:
    return environment("img2dataset", "img2dataset")
