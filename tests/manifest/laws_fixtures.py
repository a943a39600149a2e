"""Laws are about what holds and not about how fast: hypothesis gives each example all the time that it needs."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
