"""What every test gets: this machine's network alone, a watched event loop, no settings from outside.

Fixtures that several folders share stand in modules named *_fixtures.py, each a plug-in found by its name; what else
they share is imported from whichever folder it is in. At the end all that was left behind is searched for the key.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
GUARD = str(HERE / "guard")
FOLDERS = sorted(path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__")
sys.path[:0] = [GUARD, *(str(path) for path in FOLDERS if str(path) != GUARD)]

import loopback_only  # noqa: E402 - found by the line above

pytest_plugins = ["canary", *(path.stem for path in sorted(HERE.glob("*/*_fixtures.py")))]

loopback_only.install()
# Children find the guard's sitecustomize first; this process has it already.
os.environ["SSL_CERT_FILE"] = os.devnull  # no test trusts an authority, and each start of batchgen would read them all
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (GUARD, os.environ.get("PYTHONPATH", ""))))


# Of the store only the sinks run in the event loop: the rest blocks and says so, and its tests call it as it is. Where
# batchgen itself calls it in the loop, the caller is found. The sandbox is a server apart.
BLOCK_BY_THEMSELVES = [
    "batchgen.sandbox",
    *(f"batchgen.store.{path.stem}" for path in (HERE.parent / "batchgen/store").glob("[!_]*.py")),
]
BLOCK_BY_THEMSELVES.remove("batchgen.store.pictures")


@pytest.fixture(autouse=True)
def _watched_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call of batchgen that would block the event loop fails its test."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    with blockbuster_ctx(scanned_modules=["batchgen"], excluded_modules=BLOCK_BY_THEMSELVES) as watch:
        for each in watch.functions.values():  # it finishes what a crash left by the sinks' own steps
            each.can_block_in("batchgen/store/leftovers.py", "clear")
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(_watched_event_loop: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # After the watch, so that a test's patches are undone before it: else they would put its wrappers back for good.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in list(os.environ):
        if name.startswith(("BATCHGEN_", "GATEWAY_API_KEY")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
