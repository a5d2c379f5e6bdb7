"""Which step of the installation comes next, by what the other checks found. Pure; their order stands only here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from controller.actions.doctor.findings import Check, Level, warn

NAME = "next step"
_PAGE = "docs/paas-caas-setup.md"


class Step(NamedTuple):
    """One step of docs/paas-caas-setup.md.

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
        {"engine reachable": ["fail"], "engine version": ["fail"]},
        "an engine with API 1.44",
    ),
    Step("2 Swarm", {"swarm manager": ["fail"]}, "docker swarm init"),
    Step(
        "3 Hosts",
        {"engine api": ["fail"], "hosts' firewall": ["fail"]},
        "an engine's API that root alone reaches, and the firewall of every node",
    ),
    Step("4 Edge", {"edge": ["warn", "fail"], "edge api": ["warn", "fail"]}, "docker stack deploy of the edge"),
    Step("6 Logs", {"logs": ["fail"]}, "an engine that keeps the output of containers"),
    Step(
        "7 Controller",
        {"database reachable": ["fail"], "schema": ["fail"], "leader": ["warn", "fail"]},
        "skypanel setup, then systemctl enable --now skypanel",
    ),
    Step("8 First app", {"organizations": ["warn"]}, "skypanel user add, then skypanel apply"),
)
"""In their order; who can run ``doctor`` has the program, and step 5 is an organization's own."""


def after(checks: Iterable[Check]) -> Check | None:
    """What comes next; None when all of it is there."""
    found = {(check.name, check.level): check for check in checks}
    for step in STEPS:
        for name, levels in step.signs.items():
            sign = next((found[name, level] for level in levels if (name, level) in found), None)
            if sign is not None:
                return warn(NAME, f"{step.title}: {sign.message}", f"{step.mend} ({_PAGE}, step {step.title[0]})")
    return None
