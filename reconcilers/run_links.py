"""Why a run did not come to a good end: the release that it runs in, what holds it, and its task. Pure."""

from __future__ import annotations

from reconcilers.chain import Known, Link, LinkOf


def release(known: Known) -> Link:
    """What it runs in."""
    found = known.details.get("release")
    return known.judge("release", f"release {found}" if found else "none yet")


def task(known: Known) -> Link:
    """Its command."""
    code = known.details.get("exitCode")
    return known.judge("task", known.said.message if code is None else f"it ended with exit code {code}")


LINKS: tuple[LinkOf, ...] = (release, task)
