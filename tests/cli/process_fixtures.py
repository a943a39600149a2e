"""Fixtures of the tests that run processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from processes import Mark, OutsideSandbox, outside_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[OutsideSandbox]:
    """One quick sandbox without a limit for every test that needs no other."""
    with outside_sandbox("--limit", "none") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: OutsideSandbox) -> Mark:
    """The shared sandbox, its log from here on."""
    return Mark(shared_sandbox, len(shared_sandbox.log()))


@pytest.fixture(scope="session")
def _slow_sandbox() -> Iterator[OutsideSandbox]:
    with outside_sandbox("--limit", "none", "--latency", "1") as sandbox:
        yield sandbox


@pytest.fixture
def slow_sandbox(_slow_sandbox: OutsideSandbox) -> Mark:
    """A sandbox that takes a second for each picture, its log from here on."""
    return Mark(_slow_sandbox, len(_slow_sandbox.log()))
