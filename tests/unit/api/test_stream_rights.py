"""Who is told of what is gone, whose place nobody knows any more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import anyio
import pytest

from controller.access import permissions
from controller.access.caller import EVERYTHING, Caller, Scope
from controller.access.roles import Role
from controller.api.streams.follower import Follower, Following
from controller.api.streams.messages import Message
from specs.kinds import KINDS, TENANT, of_tenant

ACME = UUID(int=1)


class Rights:
    """Those that are decided by roles and limits."""

    may = staticmethod(permissions.may)


def told(scope: Scope, message: Message) -> bool:
    caller = Caller("token ci", "token", None, ACME, "acme", Role.OWNER, scope)
    rights: Any = Rights()

    async def look() -> bool:
        return Follower(caller, rights, Following()).may_have(message)

    return anyio.run(look)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if of_tenant(kind) and kind != TENANT])
def test_a_token_of_one_app_is_not_told_what_was_gone_elsewhere(kind: str) -> None:
    gone = Message(ACME, kind, (), b"event: gone\n\n")
    assert not told(Scope(apps=frozenset({"shop"})), gone)
    assert told(EVERYTHING, gone)


@pytest.mark.parametrize("kind", [kind for kind, cls in KINDS.items() if cls.facts.offered])
def test_of_what_may_not_be_offered_the_platform_alone_is_told(kind: str) -> None:
    assert not told(EVERYTHING, Message(None, kind, ("old",), b"event: object\n\n"))
    rights: Any = Rights()
    root = Caller("root", "jwt", UUID(int=2), None, "", Role.PLATFORM_ADMIN)

    async def look() -> bool:
        return Follower(root, rights, Following()).may_have(Message(None, kind, ("old",), b"event: object\n\n"))

    assert anyio.run(look)
