"""Who calls: one frozen record that every face passes on, and nothing of it can be made by hand into more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from controller.access.roles import Role, Verb


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is limited to, beside its organization.

    Args:
        apps: names of those whose objects it reaches, with all that is below them; None: of all.
        verbs: what it may do; None: all that its role may.
    """

    apps: frozenset[str] | None = None
    verbs: frozenset[Verb] | None = None

    @property
    def whole(self) -> bool:
        """Whether it limits nothing."""
        return self.apps is None and self.verbs is None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as it was found out just now.

    Args:
        actor: whom the audit names: a user's id and address, both of them where an administrator acts as a user, or
            the name of a machine.
        means: what he came with: ``jwt``; ``token``, ``oidc`` or ``session``, and which.
        user_id: of the user whose rights are used; None: a machine.
        organization: that he acts in; None: a platform role, and none was asked for.
        organization_slug: its name in paths; empty where there is none.
        role: in that organization, or of the platform.
        scope: of the token.
        impersonator: the administrator who acts as the user.
        token: id of the API token; empty where there is none. Never the token.
        until: when what he came with ends, and what he makes with it at the latest; None: he is a person of the panel,
            whose rights last until he loses them.
        session: id of the session of a browser that he came with; empty: none.
        ends: when that session ends.
        noted: that session's use was noted lately.
    """

    actor: str
    means: str
    user_id: UUID | None
    organization: UUID | None
    organization_slug: str
    role: Role
    scope: Scope = field(default=EVERYTHING)
    impersonator: UUID | None = None
    token: str = ""
    until: datetime | None = None
    session: str = ""
    ends: datetime | None = None
    noted: bool = True

    @property
    def whose(self) -> str:
        """Whose sessions are counted, and ended, together: a person's, or a token's, which may less than its person."""
        if self.token:
            return f"token {self.token}"
        person = self.impersonator or self.user_id
        return self.actor if person is None else str(person)

    @property
    def platform(self) -> bool:
        """Whether rows of every organization are his to see."""
        return self.role.of_platform and self.organization is None
