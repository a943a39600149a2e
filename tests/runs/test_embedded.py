"""A sandbox that does not start is said to, and nothing of it is left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from batchgen import embedded
from batchgen.embedded import embedded_sandbox
from batchgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def as_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Has a few lines of shell started in the sandbox's place; the file in which they leave their process id."""

    def start(lines: str) -> Path:
        script, pid = tmp_path / "python", tmp_path / "pid"
        script.write_text(f"#!/bin/sh\necho $$ > {pid}.part && mv {pid}.part {pid}\n{lines}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
        return pid

    return start


@pytest.mark.parametrize(
    "lines",
    ["exit 1", "echo '{}'", "echo nonsense", "printf '{\"url\": '", "echo '[1, 2]'", "exec 1>&-; exec sleep 60"],
)
async def test_one_that_says_no_url(lines: str, as_sandbox: Callable[[str], Path]) -> None:
    as_sandbox(lines)
    with pytest.raises(UsageError, match="the embedded sandbox did not start; try `batchgen sandbox`"):
        async with embedded_sandbox({}):
            raise AssertionError("it has no url")


async def test_one_that_never_says_anything_is_ended(
    as_sandbox: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = as_sandbox("exec sleep 60")
    monkeypatch.setattr(embedded, "START_S", 1.0)
    with pytest.raises(UsageError, match="did not start"):
        async with embedded_sandbox({}):
            raise AssertionError("it has no url")
    assert not await anyio.Path(f"/proc/{(await anyio.Path(pid).read_text()).strip()}").exists()


async def test_one_that_died_meanwhile_is_no_trouble(as_sandbox: Callable[[str], Path]) -> None:
    as_sandbox('echo \'{"url": "http://127.0.0.1:1"}\'')
    async with embedded_sandbox({}) as url:
        await anyio.sleep(0.3)
    assert url == "http://127.0.0.1:1"
