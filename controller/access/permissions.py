"""The one table of permissions: by kind and verb, the least role that may do it. Pure: no database, no clock.

It is made of what each kind says beside its model (``specs.permits``), under two rules that no kind can change: a
viewer never does anything but read, and what belongs to no organization is written by platform administrators alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from controller.access.caller import Caller, Scope
from controller.access.roles import Role, Verb
from specs.kinds import KINDS, ancestors, of_tenant
from specs.permits import ALWAYS

Table = Mapping[str, Mapping[Verb, Role]]
PLATFORM = "Controller"
"""What is no kind and has no owner: the controller itself, and its fuse."""


@cache
def table() -> Table:
    """Every kind with its verbs, in the order of both, and the controller; a verb that is not there is none of it."""
    own = {Verb.READ: Role.PLATFORM_VIEWER, Verb.ADMIN: Role.PLATFORM_ADMIN}
    return {**{kind: _verbs(kind) for kind in KINDS}, PLATFORM: own}


def _verbs(kind: str) -> Mapping[Verb, Role]:
    said = KINDS[kind].facts.permits
    return {verb: _least(kind, verb, said.get(verb)) for verb in Verb if verb in ALWAYS or verb in said}


def _least(kind: str, verb: Verb, said: str | None) -> Role:
    if verb is Verb.READ:
        return Role(said) if said else (Role.VIEWER if of_tenant(kind) else Role.PLATFORM_VIEWER)
    if not of_tenant(kind):
        return Role.PLATFORM_ADMIN
    least = Role(said) if said else Role.ADMIN
    return Role.MEMBER if least is Role.VIEWER else least


def allows(role: Role, verb: Verb, kind: str) -> bool:
    """Whether ``role`` may do it with some object of ``kind``, in its own organization where the kind has one."""
    least = table().get(kind, {}).get(verb)
    if least is None:
        return False
    if role is Role.PLATFORM_VIEWER:
        return verb is Verb.READ
    return role.reaches(least)


def may(caller: Caller, verb: Verb, kind: str, path: str | Sequence[str] = ()) -> bool:
    """Whether ``caller`` may do it.

    Args:
        caller: who asks.
        verb: what he wants to do.
        kind: with what; a name of ``specs.kinds.KINDS``.
        path: names from the outermost owner down: ``acme/shop/production``. Where it is not whole, whether there could
            be such an object: for lists, whose objects are then asked for one by one.
    """
    names = tuple(path.split("/")) if isinstance(path, str) else tuple(path)
    names = () if names == ("",) else names
    if not allows(caller.role, verb, kind):
        return False
    if kind == PLATFORM:
        return not names and _in_verbs(caller.scope, verb) and (verb is Verb.READ or caller.scope.apps is None)
    if len(names) > len(ancestors(kind)) + 1 or not all(names):
        return False
    return _in_organization(caller, kind, names) and _in_scope(caller.scope, verb, kind, names)


def can(caller: Caller, kind: str, path: str | Sequence[str] = ()) -> tuple[Verb, ...]:
    """All that ``caller`` may do with it, in the order of the verbs."""
    return tuple(verb for verb in Verb if may(caller, verb, kind, path))


def within(caller: Caller, role: Role, apps: Sequence[str], verbs: Sequence[Verb]) -> bool:
    """Whether a token with this role and these limits may no more than ``caller`` himself.

    Args:
        caller: who would give it to somebody.
        role: of the token.
        apps: that it is limited to; empty: to none.
        verbs: likewise.
    """
    ours = caller.scope
    if not caller.role.reaches(role) or (role.of_platform and not caller.platform):
        return False
    if ours.apps is not None and not (apps and ours.apps.issuperset(apps)):
        return False
    return ours.verbs is None or bool(verbs and ours.verbs.issuperset(verbs))


def _in_organization(caller: Caller, kind: str, names: Sequence[str]) -> bool:
    if not of_tenant(kind):
        return True
    if caller.organization is None:
        return caller.role.of_platform
    return not names or names[0] == caller.organization_slug


def _in_scope(scope: Scope, verb: Verb, kind: str, names: Sequence[str]) -> bool:
    if not _in_verbs(scope, verb):
        return False
    if scope.apps is None:
        return True
    if not of_tenant(kind):
        return verb is Verb.READ
    place = limited_by(kind)
    if place is None:
        return False
    return len(names) <= place or names[place] in scope.apps


def _in_verbs(scope: Scope, verb: Verb) -> bool:
    return scope.verbs is None or verb in scope.verbs


@cache
def limited_by(kind: str) -> int | None:
    """Where in a path of ``kind`` the name stands that a token may be limited by; None: it has none."""
    line = [*ancestors(kind), kind]
    return next((place for place, owner in enumerate(line) if KINDS[owner].facts.limits_tokens), None)
