"""Every call that changes the disk, made a step that a test can count, watch, or let go wrong."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = ("open", "write", "fsync", "link", "unlink", "mkdir", "rename", "replace")


class Steps:
    """Calls `at(number, name, arguments)` before each step; only changes below the given folder's thread count."""

    def __init__(self, at: Callable[[int, str, tuple[Any, ...]], None]) -> None:
        self._at = at
        self._lock = threading.Lock()
        self.count = 0

    def wrapped(self, name: str) -> Callable[..., Any]:
        """The call of this name in `os`, with the step before it."""
        real: Callable[..., Any] = getattr(os, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.count += 1
                number = self.count
            self._at(number, name, args)
            return real(*args, **kwargs)

        return step

    def install(self, patch: Callable[[Any, str, Any], None]) -> None:
        """Put every step in the place of its call, by `setattr` or a monkeypatch of it."""
        for name, step in [(name, self.wrapped(name)) for name in CHANGES]:
            patch(os, name, step)
