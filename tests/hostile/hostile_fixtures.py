"""Fixtures of the tests of what means ill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from canary import KEY
from page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def canary_page() -> Iterator[PageServer]:
    """The second server, with the key that must be nowhere."""
    with PageServer(key=KEY) as server:
        yield server
