"""Virtual environments of peers whose requirements are none of batchgen's: made once, in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MADE_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment, or what it would be."""

    programs: Path
    """The folder of its programs."""
    fault: str | None
    """Why it can't be had here, in one line."""


@cache
def environment(name: str, *requirements: str) -> Environment:
    """The environment with these requirements; made where it is missing, which takes a minute."""
    asked = "\n".join((sys.version, *requirements))
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "batchgen-bench" / f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        print(f"installing {' '.join(requirements)} into an environment of its own (once) …", file=sys.stderr)
        if fault := _make(folder, requirements):
            shutil.rmtree(folder, ignore_errors=True)
            return Environment(folder / "bin", fault)
        (folder / "ready").touch()
    return Environment(folder / "bin", None)


def _make(folder: Path, requirements: tuple[str, ...]) -> str | None:
    """What went wrong, or None."""
    pip = str(folder / "bin" / "pip")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [pip, "install", "-q", "--disable-pip-version-check", *requirements],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MADE_WITHIN_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"can't be installed: {error}"
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
            return f"can't be installed: {errors[-1]}"
    return None
