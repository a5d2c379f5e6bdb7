"""Taking an adoption back: services that were taken and not made anew yet are nobody's again, and run on.

    the labels that say whose it is are taken off     labels alone: no task is restarted
    -> the rows go, and their pauses with them        one transaction: all of them, or nothing

In this order: what is declared and deleted has its services removed, as far as they have its labels. After a crash
between the two the same command goes on; so does the adoption itself, which gives the labels again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from controller.actions.adopt import KIND, Adoption, Engine, Taken, held, relabelled, service_of
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared import controls, reader, writer
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.writer import Target, Written
from reconcilers import labels
from specs.kinds import KINDS, ancestors


@outlasting
def take_back(conn: psycopg.Connection, engine: Engine, adoption: Adoption) -> list[Written]:
    """Let the services of ``adoption`` go; what became of the rows.

    Raises:
        ActionError: one of them was not adopted, or was made anew since; nothing was done.
    """
    owners = [_adopted(conn, each) for each in adoption.taken]
    for each, owner in zip(adoption.taken, owners, strict=True):
        _refuse_left(engine, each, owner)
    for each, owner in zip(adoption.taken, owners, strict=True):
        found = service_of(engine, each.id)
        theirs = found["Spec"].get("Labels") or {}
        if theirs.get(labels.OWNER) != labels.owner_key(KINDS[KIND].word(), str(owner.id)):
            continue  # the adoption, or this, was interrupted
        left = {name: value for name, value in theirs.items() if not name.startswith(labels.PREFIX)}
        relabelled(engine, each, found, left)
    with conn.transaction():
        for owner in owners:
            controls.resume(conn, "object", (KINDS[KIND].word(), owner.id))
        return writer.delete(conn, list(_targets(conn, owners)))


def _adopted(conn: psycopg.Connection, taken: Taken) -> DeclaredObject:
    """What a service has become, which is still as the adoption left it."""
    found = [each for each in reader.objects(conn, KIND, taken.path) if each.deleted_at is None]
    if not found:
        raise ActionError(
            f"service {taken.service} was not adopted as {taken.name}",
            "give --organization, --app and --environment as at the adoption",
        )
    if found[0].id not in held(conn):
        raise ActionError(
            f"{KINDS[KIND].word()} {taken.name} was resumed: {taken.service} is made anew, or was",
            "an adoption can be taken back until then",
        )
    return found[0]


def _refuse_left(engine: Engine, taken: Taken, owner: DeclaredObject) -> None:
    """Refuse where another service has become the object: it would be removed with its row."""
    mine = f"{labels.OWNER}={labels.owner_key(KINDS[KIND].word(), str(owner.id))}"
    found = engine.call("GET", "/services", query={"filters": {"label": [mine]}}) or []
    if left := [each for each in found if each["ID"] != taken.id]:
        name = left[0]["Spec"]["Name"]
        raise ActionError(
            f"{KINDS[KIND].word()} {taken.name} was service {name}, and not {taken.service}",
            "name that one by --service",
        )


def _targets(conn: psycopg.Connection, owners: Sequence[DeclaredObject]) -> Iterator[Target]:
    """The objects, or what they are of where the adoption has made that, too, and it has nothing else."""
    above = ancestors(KIND)[-1]
    going = {owner.id for owner in owners}
    for path in dict.fromkeys(owner.path[:-1] for owner in owners):
        there = [each for each in reader.objects(conn, KIND, path) if each.deleted_at is None]
        made = {each.created_at for each in there}  # what one transaction has made was made at one time
        whole = find_one(conn, above, path)
        if all(each.id in going for each in there) and made == {whole.created_at}:
            yield Target(above, path)
        else:
            yield from (Target(KIND, each.path) for each in there if each.id in going)
