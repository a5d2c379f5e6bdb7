"""Which settings differ from their defaults, where they come from, and which of those that are set nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from controller.actions.doctor.findings import Check, ok, warn
from controller.settings import Settings
from controller.settings_sources import given, models_of_kinds, sources, unknown


def examine(settings: Settings, files: Sequence[Path]) -> Iterator[Check]:
    """One check for what is set, one for each name that is none."""
    places = sources(files)
    shown = [f"{setting.name}={setting.value} ({setting.source})" for setting in given(settings, places)]
    yield ok("settings", ", ".join(shown) or "all have their defaults")
    for said in unknown(places, [Settings, *models_of_kinds().values()]):
        name, _, rest = said.partition(" ")
        yield warn("settings", f"{name} {rest}", "correct the name, or remove it: it has no effect")
