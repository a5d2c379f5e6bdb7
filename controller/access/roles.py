"""Roles and verbs; which role may do what is in ``permissions``."""

from __future__ import annotations

from enum import StrEnum

from specs.permits import LADDER


class Role(StrEnum):
    """Of an organization, or of the platform."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    PLATFORM_ADMIN = "platform-admin"
    PLATFORM_VIEWER = "platform-viewer"

    @property
    def of_platform(self) -> bool:
        """Whether it belongs to no organization, and is good for all of them."""
        return self in (Role.PLATFORM_ADMIN, Role.PLATFORM_VIEWER)

    def reaches(self, least: Role) -> bool:
        """Whether it is ``least``, or above it."""
        if Role.PLATFORM_VIEWER in (self, least):
            return self is least or self is Role.PLATFORM_ADMIN
        return LADDER.index(self) >= LADDER.index(least)


class Verb(StrEnum):
    """What can be done with an object."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    DEPLOY = "deploy"
    SCALE = "scale"
    RESTART = "restart"
    ROLLBACK = "rollback"
    CONFIG = "config"
    SUSPEND = "suspend"
    ADMIN = "admin"


def lower(one: Role, other: Role) -> Role | None:
    """The role that may only what both may; None where they have nothing in common that is a role of an organization.

    Args:
        one: of an organization, or of the platform.
        other: the same.
    """
    if one.of_platform != other.of_platform:
        return None
    return one if other.reaches(one) else other
