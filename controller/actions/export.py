"""Declared objects as resources that ``apply`` takes: owners first, and always in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from controller.declared.reader import DeclaredObject
from specs.kinds import KINDS, ancestors, in_apply_order
from specs.problems import InvalidSpec
from specs.resource import Resource

NOT_EXPORTED = "config vars and secrets, status, users, runs, and what is being deleted"
RELEASE = "release"
"""The field that names a release."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What can be written down, and what cannot.

    Args:
        resources: in the order in which they are applied.
        left_out: of each object that breaks a rule of specs, what is wrong; what is below it is left out with it.
        released: those that run the content of a release, which is known here alone, and which.
    """

    resources: list[Resource] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


def export(objects: Iterable[DeclaredObject], *, elsewhere: bool = False) -> Exported:
    """The living ones of ``objects``, which are given owners first.

    Args:
        objects: of all kinds that are wanted.
        elsewhere: without what means something on this platform alone.

    A row that was written with SQL may break rules that files have to keep; ``apply`` would refuse it.
    """
    found, without = Exported(), set[tuple[str, Sequence[str]]]()
    for declared in objects:
        owners = [(kind, declared.path[: depth + 1]) for depth, kind in enumerate(ancestors(declared.kind))]
        if declared.deleted_at is not None or KINDS[declared.kind].facts.once:
            continue
        if not without.isdisjoint(owners):
            without.add((declared.kind, declared.path))
            continue
        document = declared.document()
        if KINDS[declared.kind].facts.released and (version := document["spec"].get(RELEASE)) is not None:
            found.released.append(f"{declared.kind.lower()} {declared.name}: release {version}")
            if elsewhere:
                del document["spec"][RELEASE]
        try:
            found.resources.append(KINDS[declared.kind].model_validate(document))
        except ValidationError as error:
            without.add((declared.kind, declared.path))
            found.left_out.append(f"{declared.kind.lower()} {declared.name}: {InvalidSpec.of(error)}")
    return Exported(in_apply_order(found.resources), found.left_out, found.released)
