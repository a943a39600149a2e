"""Every call that changes the disk, made a step that a test can count, watch, or let go wrong."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from batchgen.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = ("open", "write", "fsync", "link", "unlink", "mkdir", "rename", "replace")


class Steps:
    """Calls `at(number, name, arguments)` before each step, in whatever thread takes it."""

    def __init__(self, at: Callable[[int, str, tuple[Any, ...]], None]) -> None:
        self._at = at
        self._lock = threading.Lock()
        self.count = 0

    def install(self, patch: Callable[[Any, str, Any], None], *, commits: bool = False) -> None:
        """Put every step in the place of its call, by `setattr` or a monkeypatch of it.

        With `commits` a transaction of the ledger is two steps: one before it, one after it.
        """
        for name in CHANGES:
            patch(os, name, self._before(name, getattr(os, name)))
        if commits:
            patch(Ledger, "commit", self._around("commit", Ledger.commit))

    def _step(self, name: str, args: tuple[Any, ...]) -> None:
        with self._lock:
            self.count += 1
            number = self.count
        self._at(number, name, args)

    def _before(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self._step(name, args)
            return real(*args, **kwargs)

        return step

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self._step(name, args)
            result = real(*args, **kwargs)
            self._step(f"{name}ted", args)
            return result

        return step
