"""The systemd unit: what must hold whatever else is changed in it."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

UNIT = Path("deploy/systemd/skypanel.service")


def test_the_unit_is_never_given_up_but_for_an_engine_that_cannot_be_used() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert "StartLimitBurst" not in unit["Unit"]
    assert (unit["Service"]["Restart"], unit["Service"]["RestartPreventExitStatus"]) == ("always", "3")
