"""``pause``, ``resume``: stop the controller's work on an object, an organization or everything, and let it go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import psycopg
import typer

import reconcilers  # noqa: F401 - registers all kinds
from controller.cli.failures import CliError
from controller.cli.get import one
from controller.cli.kinds import complete, full_path, kind_of
from controller.cli.output import say
from controller.cli.session import database
from controller.declared import controls
from reconcilers.registry import registered

Kind = Annotated[str | None, typer.Argument(help="Its kind, such as env.", autocompletion=complete)]
Name = Annotated[str | None, typer.Argument(help="Path of names, such as acme/shop/production.")]
Organization = Annotated[str | None, typer.Option("--organization", "-n", help="Everything of this organization.")]
Everything = Annotated[bool, typer.Option("--all", "-a", help="The whole installation.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="pause")(pause)
    app.command(name="resume")(resume)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is meant; ``key`` is kind and id, None for the installation."""

    scope: str
    key: tuple[str, UUID] | None
    words: str


def pause(
    kind: Kind = None,
    name: Name = None,
    *,
    organization: Organization = None,
    everything: Everything = False,
    reason: Annotated[str, typer.Option(help="Why; the status shows it.")] = "",
) -> None:
    """Stop the controller's work on one object, on an organization, or on everything.

    What runs goes on as it is. Nothing is made, changed, repaired or removed until `skypanel resume`, not even what is
    to be deleted; the status says who paused it, when and why. A reconcile that is running ends first.

    To stop the tasks of an environment, set `suspended` in its spec instead.

    **Examples**

        skypanel pause environment acme/shop/production --reason "looking into a leak"

        skypanel pause --organization acme

        skypanel pause --all --reason "engine upgrade"
    """
    _check(kind, name, organization, everything=everything)
    with database() as conn:
        place = _place(conn, kind, name, organization, everything=everything)
        controls.pause(conn, place.scope, place.key, reason)
        say(f"paused {place.words}")


def resume(
    kind: Kind = None,
    name: Name = None,
    *,
    organization: Organization = None,
    everything: Everything = False,
) -> None:
    """Let the controller's work go on, in the same words as it was paused.

    A wider pause still holds what is in it: that of an organization, or of the installation.

    **Examples**

        skypanel resume environment acme/shop/production

        skypanel resume --all
    """
    _check(kind, name, organization, everything=everything)
    with database() as conn:
        place = _place(conn, kind, name, organization, everything=everything)
        was = controls.resume(conn, place.scope, place.key)
        say(f"resumed {place.words}" if was else f"{place.words} was not paused")
        for held in controls.pauses(conn):
            if held.scope == "installation" and place.scope != "installation":
                say(f"it is still paused with the installation, by {held.by}: `skypanel resume --all`")


def _check(kind: str | None, name: str | None, organization: str | None, *, everything: bool) -> None:
    """Refuse what is no place before anything is asked.

    Raises:
        CliError: it is none, or more than one.
    """
    if sum((kind is not None, organization is not None, everything)) != 1 or (kind is None) != (name is None):
        raise CliError("what is meant?", "give a kind and a name, or --organization NAME, or --all: one of the three")


def _place(
    conn: psycopg.Connection, kind: str | None, name: str | None, organization: str | None, *, everything: bool
) -> _Place:
    if everything:
        return _Place("installation", None, "the installation")
    if organization is not None:
        found = one(conn, "Organization", full_path("Organization", organization))
        return _Place("organization", ("organization", found.id), f"everything of organization {found.name}")
    key, words = reconciled(conn, kind or "", name or "")
    return _Place("object", key, words)


def reconciled(conn: psycopg.Connection, word: str, name: str) -> tuple[tuple[str, UUID], str]:
    """The key (kind as in the status tables, id) of an object with a reconciler, and words for it.

    Raises:
        CliError: there is none of this name, or its kind has no reconciler.
    """
    kind = kind_of(word)
    if kind.lower() not in registered():
        known = " or ".join(sorted(registered()))
        raise CliError(f"a {kind.lower()} has no reconciler of its own", f"name the {known} that it belongs to")
    found = one(conn, kind, full_path(kind, name))
    return (kind.lower(), found.id), f"{kind.lower()} {found.name}"
