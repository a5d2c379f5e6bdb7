"""Which step of the installation comes next, by what the other checks found. Pure; their order stands only here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from controller.actions.doctor.findings import Check, Level, warn

NAME = "next step"
_PAGE = "docs/operations.md, Install"


class Step(NamedTuple):
    """One step of docs/operations.md, Install.

    Args:
        title: its number and name there.
        signs: checks which are not ``ok`` while it is not done, with the levels that say so.
        mend: what to do.
    """

    title: str
    signs: dict[str, Collection[Level]]
    mend: str


STEPS = (
    Step(
        "1 Engine",
        {"engine reachable": ["fail"], "engine version": ["fail"], "swarm manager": ["fail"]},
        "an engine with API 1.44, and docker swarm init",
    ),
    Step("3 Database", {"database reachable": ["fail"], "schema": ["fail"]}, "skypanel setup"),
    Step("4 Edge", {"edge": ["warn", "fail"], "edge api": ["warn", "fail"]}, "docker stack deploy of the edge"),
    Step("5 Hosts", {"hosts' firewall": ["fail"]}, "the firewall of every node"),
    Step("6 Controller", {"leader": ["warn", "fail"]}, "systemctl enable --now skypanel"),
    Step("7 First organization", {"organizations": ["warn"]}, "skypanel user add, then skypanel apply"),
)
"""In their order; who can run ``doctor`` has done step 2, the program."""


def after(checks: Iterable[Check]) -> Check | None:
    """What comes next; None when all of it is there."""
    found = {(check.name, check.level): check for check in checks}
    for step in STEPS:
        for name, levels in step.signs.items():
            sign = next((found[name, level] for level in levels if (name, level) in found), None)
            if sign is not None:
                return warn(NAME, f"{step.title}: {sign.message}", f"{step.mend} ({_PAGE}, step {step.title[0]})")
    return None
