"""What the database says of a user of the panel, and which organization he acts in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from controller.access.errors import AccountSuspended, NoOrganization, NotMember, Unauthenticated, WhichOrganization
from controller.access.roles import Role

_OF_MEMBERS = {"owner": Role.OWNER, "admin": Role.ADMIN, "member": Role.MEMBER, "viewer": Role.VIEWER}
_GOOD = ("active", None)


@dataclass(frozen=True, slots=True)
class Place:
    """An organization, and what somebody is in it."""

    id: UUID
    slug: str
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the panel, as he is now.

    Args:
        admin: of the platform.
        active: organization that he chose in the panel, where it has such a choice.
        places: organizations that he is a member or the owner of.
        asked: the organization that was asked for, of an administrator of the platform.
    """

    id: UUID
    email: str
    admin: bool
    active: UUID | None
    places: tuple[Place, ...]
    asked: Place | None

    @property
    def named(self) -> str:
        """As the audit has him: the id first, which nobody else ever has."""
        return f"{self.id} {self.email}"


def person(found: Mapping[str, Any] | None) -> Person:
    """Of the document of ``skypanel.person_of``.

    Raises:
        Unauthenticated: there is none.
        AccountSuspended: he may not log in.
    """
    if found is None:
        raise Unauthenticated
    if found.get("status") not in _GOOD:
        raise AccountSuspended
    asked = found.get("asked")
    return Person(
        UUID(found["id"]),
        str(found["email"]),
        found.get("role") == "admin",
        UUID(found["active"]) if found.get("active") else None,
        tuple(Place(UUID(p["id"]), str(p["slug"]), role_of(p["role"])) for p in found["memberships"]),
        Place(UUID(asked["id"]), str(asked["slug"]), Role.PLATFORM_ADMIN) if asked else None,
    )


def role_of(word: object) -> Role:
    """What a member is here; what the panel calls otherwise than we do is the least that there is."""
    return _OF_MEMBERS.get(str(word), Role.VIEWER)


def place_of(someone: Person, asked: str) -> Place | None:
    """Where he acts; None: an administrator of the platform, in no organization.

    Args:
        someone: who.
        asked: id or slug of an organization; empty: none was asked for.

    Raises:
        NotMember: there is none, or he is no member; whoever asks learns no difference.
        NoOrganization: he is a member of none.
        WhichOrganization: he is a member of several, and chose none.
    """
    if someone.admin:
        if asked and someone.asked is None:
            raise NotMember
        return someone.asked
    if asked:
        return _named(someone, asked)
    if not someone.places:
        raise NoOrganization
    if len(someone.places) == 1:
        return someone.places[0]
    chosen = next((place for place in someone.places if place.id == someone.active), None)
    if chosen is None:
        raise WhichOrganization
    return chosen


def _named(someone: Person, asked: str) -> Place:
    by_id = [place for place in someone.places if str(place.id) == asked.lower()]
    found = by_id or [place for place in someone.places if place.slug == asked]
    if not found:
        raise NotMember
    return found[0]
