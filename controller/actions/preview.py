"""What spec files would change, in the rows and on the Swarm: written, read as the controller reads, rolled back.

What a document stands for on the Swarm is asked of the kind's own ``preview``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from pydantic import BaseModel

from controller.actions import held
from controller.actions.admit import check_whole
from controller.actions.apply import written_document
from controller.actions.held import Held
from controller.actions.pruning import Pruning, also, deletes
from controller.changes import Change
from controller.cost import Cost, Sized, compare
from controller.declared import lookups, readiness, writer
from controller.declared.config_documents import ConfigDocuments
from controller.declared.lookups import Document
from controller.declared.outlast import outlasting
from controller.declared.readiness import Progress
from controller.declared.writer import Also, Written
from controller.kit import clock
from controller.records import InventoryRow
from controller.swarm.liveview import LiveView
from controller.swarm.plan import plan as plan_swarm
from reconcilers.objects import Objects
from reconcilers.outcomes import ReconcileError
from reconcilers.port import External
from reconcilers.ports import LookAhead, Options
from reconcilers.registry import registered
from specs.kinds import of_tenant
from specs.loader import Located
from specs.problems import InvalidSpec


@dataclass(slots=True)
class Preview:
    """What would be.

    Args:
        rows: what would become of each declared object.
        changes: what would be done on the Swarm; None when that cannot be told.
        problems: objects that would stall, and why.
        held: objects of which nothing new comes, and why: what is about to be done for them is for what worked last.
        unknown: why the Swarm's part cannot be told; empty when it can.
        costs: of the tenants that changed rows concern.
    """

    rows: list[Written]
    changes: list[Change] | None = None
    problems: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    unknown: str = ""
    costs: list[Cost] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything would change."""
        return bool(self.changes) or any(w.changed for w in self.rows)

    def document(self) -> dict[str, object]:
        """For programs."""
        changes = None
        if self.changes is not None:
            changes = [
                {
                    "action": c.action,
                    "type": c.object_type,
                    "name": c.name,
                    "differences": [d.document() for d in c.differences],
                }
                for c in self.changes
            ]
        return {
            "changed": self.changed,
            "rows": [written_document(w) for w in self.rows],
            "swarm": changes,
            "cost": [c.document() for c in self.costs],
            "problems": self.problems,
            "held": [asdict(each) for each in self.held],
            "unknown": self.unknown or None,
        }


@dataclass(slots=True)
class Wanted:
    """What the rows would say, read before they are rolled back."""

    rows: list[Written]
    documents: list[Document] = field(default_factory=list)
    inventory: dict[tuple[str, UUID], list[InventoryRow]] = field(default_factory=dict)
    subnets: dict[UUID, str] = field(default_factory=dict)
    said: dict[tuple[str, UUID], Progress] = field(default_factory=dict)
    unknown: str = ""
    sizes: list[Sized] = field(default_factory=list)


def preview(
    conn: psycopg.Connection,
    entries: Sequence[Located],
    options: Options,
    live: LiveView | None,
    of_kinds: Mapping[str, BaseModel] | None = None,
    *,
    variables: ConfigDocuments | None = None,
    pruning: Pruning | None = None,
) -> Preview:
    """What ``apply`` of ``entries`` would do; nothing is changed.

    Args:
        conn: a connection of a role that may write specs.
        entries: what the files declare.
        options: the controller's, as far as they are known here.
        live: what the Swarm has; None: it cannot be asked.
        of_kinds: settings that kinds have of their own, as they are set here.
        variables: config vars that are declared with them.
        pruning: what is deleted with them.

    Raises:
        ActionError: there is nothing where it is to be pruned.
        SpecRefused: it would be refused.
    """
    wanted = _try(conn, entries, options, also(variables, pruning))
    found = Preview(wanted.rows, unknown=wanted.unknown)
    found.costs = compare(_sizes(conn, wanted.rows), wanted.sizes)
    if live is not None and not wanted.unknown:
        found.changes = list(swarm_changes(wanted, live, options, of_kinds or {}, found))
    return found


def render(kind: str, doc: Mapping[str, Any], ahead: LookAhead) -> Objects:
    """The objects that a document stands for.

    Raises:
        InvalidSpec: the document breaks a rule.
        ReconcileError: nothing new of it comes for now.
    """
    reconciler = registered()[kind]
    snapshot = reconciler.foresee(doc, ahead.options)
    if why := reconciler.held(snapshot, ahead):
        raise why
    return reconciler.preview(snapshot, ahead)


@outlasting
def _try(conn: psycopg.Connection, entries: Sequence[Located], options: Options, beside: Also | None) -> Wanted:
    """Write the rows, read what they would mean, and roll everything back."""
    with conn.transaction(force_rollback=True):
        wanted = Wanted(writer.write(conn, entries, also=beside))
        check_whole(conn, wanted.rows, options)
        wanted.sizes = _sizes(conn, wanted.rows)
        written = [w.status_key for w in wanted.rows if w.id]
        keys = readiness.affected(conn, written, deleted=deletes(wanted.rows))
        try:
            with conn.transaction():
                for kind in dict.fromkeys(kind for kind, _ in keys):
                    wanted.documents += lookups.documents(conn, kind, [i for k, i in keys if k == kind])
                wanted.inventory = lookups.inventory(conn, [object_id for _, object_id in keys])
                wanted.subnets = lookups.subnets(conn, [object_id for _, object_id in keys])
                wanted.said = {(each.kind, each.id): each for each in readiness.progress(conn, keys)}
        except errors.InsufficientPrivilege as error:
            wanted.unknown = (
                f"the role of DATABASE_URL may not read what the controller reads ({error.diag.message_primary})"
            )
    return wanted


def _sizes(conn: psycopg.Connection, rows: Sequence[Written]) -> list[Sized]:
    """Of the tenants that changed rows are of, and of those who use what belongs to no tenant."""
    changed = [w for w in rows if w.changed]
    tenants = {w.target.path[0] for w in changed if of_tenant(w.target.kind)}
    return lookups.sizes(conn, sorted(tenants), [w.id for w in changed if w.id and not of_tenant(w.target.kind)])


def swarm_changes(
    wanted: Wanted,
    live: LiveView,
    options: Options,
    of_kinds: Mapping[str, BaseModel],
    found: Preview,
) -> Iterator[Change]:
    """What would be done on the Swarm; in ``found`` it is noted what would stall, and what is held."""
    subnets = {str(organization): subnet for organization, subnet in wanted.subnets.items()}
    for document in wanted.documents:
        objects = Objects()
        name = document.doc.get("swarm_name") or document.doc.get("slug") or str(document.id)
        owner, said = (document.kind, str(document.id)), wanted.said.get((document.kind, document.id))
        known = wanted.inventory.get((document.kind, document.id), [])
        if not document.deleted:
            try:
                now = datetime.fromtimestamp(clock.wall(), UTC)
                ahead = LookAhead(options, live, of_kinds.get(document.kind), subnets, now)
                objects = render(document.kind, document.doc, ahead)
                if why := held.by_status(document, said):
                    raise why
            except InvalidSpec as error:
                found.problems.append(f"{document.kind} {name} would stall, and stay as it is: {error}")
                continue
            except ReconcileError as error:
                found.held.append(Held(document.kind, name, error.reason, error.message))
                yield from held.kept(document, owner, live, options, known)
                continue
        planned = plan_swarm(owner, objects, live, known)
        if planned.blocked:
            found.held.append(held.taken_back(document, name, planned.blocked, said))
        yield from planned.changes
        yield from _beyond(objects.things, known)


def _beyond(wanted: Sequence[External], known: Sequence[InventoryRow]) -> Iterator[Change]:
    """What would be done in ports, by the inventory alone: no port is asked for a look ahead."""
    rows = {(row.object_type, row.name): row for row in known if "/" in row.object_type}
    for thing in wanted:
        row = rows.pop((thing.object_type, thing.name), None)
        if row is None or row.spec_hash != thing.hash:
            yield Change("create" if row is None else "update", thing.object_type, thing.name, cause="Declared")
    for object_type, name in rows:
        yield Change("delete", object_type, name, cause="Removed")
