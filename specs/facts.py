"""What the rest must know of a kind beside its model and its table, as data: nothing else names a kind.

A plain kind needs two or three of these; see ``specs.kinds`` for those that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Shown(Protocol):
    """A declared object, as far as a list of them needs it."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec document, in the names of YAML."""

    @property
    def path(self) -> tuple[str, ...]:
        """Names from the outermost owner down to its own."""

    @property
    def generation(self) -> int:
        """Of its row."""

    @property
    def details(self) -> Mapping[str, Any]:
        """What its status has beside conditions."""


SAID = "{said}"
"""In the words of a refusal: what the database says of it, where that has numbers."""
Cell = Callable[[Shown], object]
"""What a list shows of an object; None is shown as a dash."""


@dataclass(frozen=True, slots=True)
class KindFacts:
    """Of one kind.

    Args:
        plural: of its word; made with ``s`` or ``es`` when left out.
        short: other words for it on the command line, such as ``env``.
        named: what its name is, where the name alone tells it from all others: ``host name``.
        tenant: everything else belongs to one of these, but for what the platform has itself.
        reconciled: it has a reconciler, and with it a status of its own.
        part: its owner's reconciler speaks of it.
        status_from: kind of its children, whose status together is its own; None: not so.
        serves: its services run tenants' programs: the fuse counts the processes and host names that it would lose.
        whole_rules: its rules take more than one resource, so its whole document is read before a commit.
        images: spec fields with image references, which nodes are sent to.
        inert: spec fields that may be written down and do nothing yet, and why.
        overruled: spec field to the kind of its children that say it in its place, where it has any, and to the name of
            the child that takes it over all the same; empty: none does.
        signs_in: it is a user of a registry, whose password is sealed beside what is declared of him.
        declares: it is a source of other objects, whose password is sealed beside what is declared of it.
        once: it is made once and never the same again: no file declares it, as whatever reads that would do it again.
        configurable: config vars can be set for it; those of what is below it win.
        released: what runs of it are releases.
        limits_tokens: a token can be limited to some of them, and to what is below those.
        permits: verb to the least role that may do it, where that is another than the safe one; see ``specs.permits``.
        changed_by: spec field, as YAML names it, to the verb that is enough to change it; all others need ``write``.
        areas: parts of the API that it stands in, ``paas``, ``caas`` or ``admin``: it is read in all of them, and
            written in the last; empty: ``paas``, and of what belongs to no tenant ``admin`` as well.
        offered: spec field that says whether it is offered: what is not, only the platform reads; empty: all is.
        makes_apps: apps are made of it.
        example: a spec, in the names of YAML, for whoever reads how one is written.
        example_name: the name of that one.
        columns: heading to cell of ``skypanel get``, after its readiness.
        wide: more of them, of ``skypanel get -o wide``.
        refusals: constraint of the database to what is wrong and how to mend it; ``SAID`` stands for the database's
            words.
    """

    plural: str = ""
    short: tuple[str, ...] = ()
    named: str = "name"
    tenant: bool = False
    reconciled: bool = False
    part: bool = False
    status_from: str | None = None
    serves: bool = False
    whole_rules: bool = False
    images: tuple[str, ...] = ()
    inert: Mapping[str, str] = field(default_factory=dict)
    overruled: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    signs_in: bool = False
    declares: bool = False
    once: bool = False
    configurable: bool = False
    released: bool = False
    limits_tokens: bool = False
    permits: Mapping[str, str] = field(default_factory=dict)
    changed_by: Mapping[str, str] = field(default_factory=dict)
    areas: tuple[str, ...] = ()
    offered: str = ""
    makes_apps: bool = False
    example: Mapping[str, Any] = field(default_factory=dict)
    example_name: str = "main"
    columns: Mapping[str, Cell] = field(default_factory=dict)
    wide: Mapping[str, Cell] = field(default_factory=dict)
    refusals: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def has_status(self) -> bool:
        """Whether anything can be said of how it is."""
        return self.reconciled or self.part or self.status_from is not None


def spec(name: str) -> Cell:
    """The value of a spec field, by its name in YAML."""
    return lambda shown: shown.spec.get(name)


def detail(name: str) -> Cell:
    """A member of the status's details."""
    return lambda shown: shown.details.get(name)


def generation(shown: Shown) -> object:
    """The generation of its row."""
    return shown.generation


def owner(shown: Shown) -> object:
    """The path of what it belongs to."""
    return "/".join(shown.path[:-1])


def image(shown: Shown) -> object:
    """The image that is wanted; where others run, those, and the last part of the wanted one's name."""
    wanted, running = shown.spec.get("image"), shown.details.get("running") or []
    if shown.spec.get("deployMode") == "buildpack":
        wanted = shown.details.get("image") or wanted  # the newest that was deployed
    if not running or running == [wanted]:
        return wanted
    return f"{', '.join(running)} (wanted {str(wanted).rpartition('/')[2]})"


def tasks(shown: Shown) -> object:
    """How many tasks of its services run, of how many that shall; and how many are done."""
    services = shown.details.get("services") or {}
    if not services:
        return None
    running = sum(service.get("running", 0) for service in services.values())
    done = sum(service.get("completed", 0) for service in services.values())
    counted = f"{running}/{sum(service.get('desired', 0) for service in services.values())}"
    return f"{counted} ({done} done)" if done else counted
