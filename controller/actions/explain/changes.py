"""What changed an object last: what the controller did of it, what was set for it, and when its row came and went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import psycopg
from psycopg import errors

from controller.actions.explain.gathered import Gathered
from controller.declared import config_vars, lookups
from controller.declared.sealing import Owner
from specs.config import Layer
from specs.kinds import KINDS

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Happened:
    """One change.

    Args:
        at: when, by the database's clock.
        what: in words.
        by: who did it; empty where that is not known.
    """

    at: datetime
    what: str
    by: str = ""


def last_changes(conn: psycopg.Connection, found: Gathered) -> list[Happened]:
    """The newest first; what the role may not read is left out."""
    happened = [*_done(found), *_of_rows(found), *_settings(conn, found), *_releases(conn, found)]
    return sorted(happened, key=lambda change: change.at, reverse=True)[:_SHOWN]


def _done(found: Gathered) -> Iterator[Happened]:
    for event in found.events:
        times = f" ({event.count} times)" if event.count > 1 else ""
        yield Happened(event.last_at, f"{event.reason}: {event.message}{times}", "the controller")


def _of_rows(found: Gathered) -> Iterator[Happened]:
    for each in (*found.owners, found.object):
        word = f"{KINDS[each.kind].word()} {each.name}"
        if each is found.object:
            yield Happened(each.created_at, f"{word} was made")
        if each.deleted_at is not None:
            yield Happened(each.deleted_at, f"{word} was deleted")
    if found.pause is not None:
        what = "it was paused" + (f": {found.pause.reason}" if found.pause.reason else "")
        yield Happened(datetime.fromisoformat(found.pause.at), what, found.pause.by)


def _settings(conn: psycopg.Connection, found: Gathered) -> Sequence[Happened]:
    """Config vars, by name and version."""
    layers = [o for o in (*found.owners, found.object) if KINDS[o.kind].facts.configurable]
    if not layers or not found.tenant:
        return []
    owners = [Owner(found.tenant, cast("Layer", KINDS[o.kind].word()), str(o.id)) for o in layers]
    try:
        with conn.transaction():
            variables = config_vars.listed(conn, owners)
    except (errors.InsufficientPrivilege, errors.UndefinedTable):
        return []
    words = [f"{KINDS[layer.kind].word()} {layer.name}" for layer in layers]
    return [
        Happened(v.changed_at, f"config var {v.name} of {words[v.owner]} was set (version {v.version})")
        for v in variables
    ]


def _releases(conn: psycopg.Connection, found: Gathered) -> Iterator[Happened]:
    for release in lookups.releases(conn, found.of.id, _SHOWN):
        commit = f" (commit {release.commit})" if release.commit else ""
        why = f": {release.reason}" if release.reason else ""
        yield Happened(release.made_at, f"release {release.version} was made{commit}{why}", release.made_by or "")
