"""Environments of peers: made once, and what can't be had is told in a line and leaves nothing."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import environments

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Pip:
    """Stands for `venv` and `pip`, which would go to the network."""

    code: int = 0
    words: str = ""
    asked: list[list[str]] = field(default_factory=list)

    def run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Do as `subprocess.run`."""
        self.asked.append(list(command))
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)
        code = self.code if "install" in command else 0
        return subprocess.CompletedProcess(command, code, "", self.words)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environments.environment.cache_clear()
    return tmp_path / "batchgen-bench"


def ask(pip: Pip, monkeypatch: pytest.MonkeyPatch, *requirements: str) -> environments.Environment:
    monkeypatch.setattr(subprocess, "run", pip.run)
    return environments.environment("loops", *requirements)


def test_an_environment_is_made_once_for_the_same_requirements(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()
    first = ask(pip, monkeypatch, "uvloop", "httpx")
    environments.environment.cache_clear()  # as another invocation
    assert ask(pip, monkeypatch, "uvloop", "httpx") == first
    assert first.fault is None
    assert first.programs.parent.parent == cache
    assert len(pip.asked) == 2
    assert pip.asked[1][-2:] == ["uvloop", "httpx"]
    assert ask(pip, monkeypatch, "uvloop").programs != first.programs


def test_what_can_not_be_installed_is_told_in_a_line_and_tried_again_next_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(1, "WARNING: no cache\nERROR: No matching distribution found for uvloop\nhint: none\n")
    assert ask(pip, monkeypatch, "uvloop").fault == (
        "can't be installed: ERROR: No matching distribution found for uvloop"
    )
    assert list(cache.iterdir()) == []
    environments.environment.cache_clear()
    assert ask(Pip(), monkeypatch, "uvloop").fault is None
