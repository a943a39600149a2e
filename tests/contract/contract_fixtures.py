"""Fixtures of the contract tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def page() -> Iterator[PageServer]:
    """The second server, written from the API's page alone."""
    with PageServer() as server:
        yield server
