"""Settings of the property tests: no deadline an example, since a busy machine must not fail a pure test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("specs", deadline=None)
settings.load_profile("specs")
