"""What a job and this machine say of how an account is used: its rules, retries, and where its processes meet."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.engine.limiter import Rules
from batchgen.engine.policy import RetryBounds
from batchgen.engine.shared import shared_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchgen.manifest.reading.schema import RetryShape
    from batchgen.manifest.settings import ProviderSettings
    from batchgen.model import RateLimit, Secret

OTHER_DESCRIPTORS = 64
"""File descriptors that no request needs."""
FOR_EACH = 3
"""And those that one may: its connection, its input image, its picture."""


def rules(settings: ProviderSettings, rate_limit: RateLimit | None = None, concurrency: int | None = None) -> Rules:
    """The rules of a job's account, with a limit and a concurrency in place of the job's own if given."""
    limit = rate_limit or settings.rate_limit
    return Rules(
        windows=limit.windows,
        unknown=limit.unknown,
        penalty_s=settings.provider.penalty_s,
        margin_s=settings.margin_s,
        concurrency=concurrency or settings.concurrency,
        most_in_flight=_most_connections(),
    )


def _most_connections() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        sys.maxsize if descriptors == resource.RLIM_INFINITY else max((descriptors - OTHER_DESCRIPTORS) // FOR_EACH, 1)
    )


def retry_bounds(retry: RetryShape) -> RetryBounds:
    """How often and how long a job tries a task again."""
    return RetryBounds(
        attempts=retry.attempts, within_s=retry.within, paid=retry.paid, ambiguous=retry.ambiguous == "retry"
    )


def shared_log(environment: Mapping[str, str], url: str, key: Secret) -> Path | None:
    """Where an account's sends stand; None where the user has no state folder."""
    state = state_folder(environment)
    return None if state is None else shared_path(state, url, key)


def state_folder(environment: Mapping[str, str]) -> Path | None:
    """Ours, in the user's state folder (XDG Base Directory Specification); None where the user has none."""
    home, state = environment.get("HOME"), environment.get("XDG_STATE_HOME")
    folders = [Path(state)] if state else []
    folders += [Path(home) / ".local" / "state"] if home else []
    # The specification has a relative path ignored.
    return next((each / "batchgen" for each in folders if each.is_absolute()), None)
