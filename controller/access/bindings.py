"""Who somebody with an issued token is, by the bindings that fit it. Pure.

One of them counts, with its limits: that with the highest role where he acts, and of several with it the one that is
limited the least. Where these are limited to the same verbs, their apps are taken together. None gives what it does not
say, so a low role for everything beside a high one for a little is two tokens, of two subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from controller.access.caller import Caller, Scope
from controller.access.errors import NotBound, NotMember, WhichOrganization
from controller.access.people import Place
from controller.access.roles import Role, Verb

_HIGHEST_FIRST = (Role.PLATFORM_ADMIN, Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER, Role.PLATFORM_VIEWER)


@dataclass(frozen=True, slots=True)
class Binding:
    """One that fits.

    Args:
        name: of it.
        role: that it gives.
        place: where; None: on the platform, in no organization.
        of_platform: whose role it is.
        scope: what it is limited to.
    """

    name: str
    role: Role
    place: Place | None
    of_platform: bool
    scope: Scope


def by_bindings(found: Sequence[Mapping[str, Any]], asked: str, actor: str, at: str = "") -> Caller:
    """Who he is.

    Args:
        found: of ``skypanel.bindings_of``.
        asked: id or slug of an organization; empty: none was asked for.
        actor: as the audit shall have him.
        at: slug of the organization that what he asks for is of; empty: it is of none.

    Raises:
        NotBound: nothing fits.
        NotMember: nothing of the organization that was asked for does.
        WhichOrganization: there are several, and he says none of them.
    """
    bindings = [_binding(each) for each in found]
    if not bindings:
        raise NotBound
    here = _of(bindings, asked, at)
    place, role = here[0].place, min((each.role for each in here), key=_HIGHEST_FIRST.index)
    highest = [each for each in here if each.role is role]
    best = min(highest, key=lambda each: (_limits(each.scope.verbs), each.scope.apps is not None, each.name))
    alike = [each for each in highest if each.scope.verbs == best.scope.verbs]
    apps = [each.scope.apps for each in alike if each.scope.apps is not None]
    scope = Scope(frozenset().union(*apps) if len(apps) == len(alike) else None, best.scope.verbs)
    means = f"oidc {best.name}"
    if place is None:
        return Caller(actor, means, None, None, "", role, scope)
    return Caller(actor, means, None, place.id, place.slug, role, scope)


def _of(bindings: Sequence[Binding], asked: str, at: str) -> Sequence[Binding]:
    """Those that count where he acts; not empty."""
    if asked:
        by_id = [each for each in bindings if each.place and str(each.place.id) == asked.lower()]
        found = by_id or [each for each in bindings if each.place and each.place.slug == asked]
        if not found:
            raise NotMember
        return found
    platform = [each for each in bindings if each.of_platform]
    if platform:
        return platform
    places = {each.place.id for each in bindings if each.place is not None}
    if len(places) > 1:  # others may have bound him, too: what he asks for says whom he means
        found = [each for each in bindings if each.place and each.place.slug == at]
        if not found:
            raise WhichOrganization
        return found
    return bindings


def _binding(found: Mapping[str, Any]) -> Binding:
    place, role = found["place"], Role(found["role"])
    verbs = None if found["verbs"] is None else frozenset(verb for verb in Verb if verb in found["verbs"])
    return Binding(
        str(found["name"]),
        role,
        None if place is None else Place(UUID(place["id"]), str(place["slug"]), role),
        bool(found["of_platform"]),
        Scope(None if found["apps"] is None else frozenset(found["apps"]), verbs),
    )


def _limits(verbs: frozenset[Verb] | None) -> int:
    """How much that leaves, the most first."""
    return -len(Verb) - 1 if verbs is None else -len(verbs)
