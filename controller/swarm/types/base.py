"""What must be known of a type of objects on a Swarm; ``controller.swarm.types`` has one module for each.

Planning, writing, the live view, hints, inventory, metrics and the fuse go over the types and spell none of them out:
another type is another module in the registry, and one in ``controller.swarm.writers``. What is here is pure: of the
client it knows only what to ask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from controller.changes import Change
from controller.records import InventoryRow
from reconcilers import labels
from reconcilers.objects import Desired, Objects
from reconcilers.ports import LiveObject

if TYPE_CHECKING:  # what is known of a type is also needed where the client itself is made
    from controller.swarm.client import Document, EngineClient

OwnerKey = tuple[str, str]


class View(Protocol):
    """The live view, as far as planning needs it."""

    @property
    def edge(self) -> Mapping[str, frozenset[str]]:
        """Networks by edge container."""

    def find(self, object_type: str, name: str) -> LiveObject | None:
        """The object of this name: of ours, but for networks, which are known whoever owns them."""

    def owned(self, object_type: str, owner: OwnerKey) -> Sequence[LiveObject]:
        """Live objects of an owner, by name."""

    def on_network(self, network_id: str) -> Sequence[str]:
        """Names of our services on a network."""

    def referring(self, content_id: str) -> Sequence[str]:
        """Names of our services whose specs, the present one or the one before, refer to a secret or a config."""


@dataclass(frozen=True)
class Planning:
    """What is planned with: one owner, what it should have, what lives, and what is on record."""

    owner: OwnerKey
    wanted: Objects
    view: View
    rows: Mapping[tuple[str, str], InventoryRow]
    going: set[tuple[str, str]] = field(default_factory=set)
    """Type and name of what is known to be removed: what refers to something goes before it does."""

    def row(self, wanted: Desired) -> InventoryRow | None:
        """What is on record of it."""
        return self.rows.get((wanted.object_type, wanted.name))

    def goes(self, name: str) -> bool:
        """Whether what runs tasks under this name, a service or a job, is known to be removed."""
        return ("service", name) in self.going or ("job", name) in self.going

    def id_of(self, object_type: str, name: str) -> str | None:
        """Id of the live object of this name; None while there is none."""
        found = self.view.find(object_type, name)
        return found.id if found is not None else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done so that one wanted object exists.

    Args:
        changes: the writes.
        target: what is aimed at: the wanted object, or an older one that worked; None: what lives is left as it is.
        blocked: why the wanted part that can fail is not applied; empty when it is.
        failed: whether that was not known before.
        kept: why what lives stays although it is not as it should be; empty when it does not.
    """

    changes: tuple[Change, ...] = ()
    target: Desired | None = None
    blocked: str = ""
    failed: bool = False
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """Why an object that is not wanted stays for now.

    Args:
        why: for people; empty: it is no fault, and nothing is said of it.
    """

    why: str = ""


class ObjectType(Protocol):
    """One type."""

    @property
    def name(self) -> str:
        """As in the inventory, in events and in metrics."""

    @property
    def listed_as(self) -> str:
        """The engine's word for what is in the list that has it, as in its events; two types may be in one list."""

    @property
    def counted(self) -> bool:
        """Whether the fuse counts its objects."""

    @property
    def decoded(self) -> bool:
        """Whether the live view keeps its objects as they are parsed; services are kept as the engine's bytes."""

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One object, as the engine gives it; raises NotFound."""

    async def listed(self, client: EngineClient, installation: str) -> Iterable[Document]:
        """All that the live view keeps; where there may be many, each is decoded when its turn comes (ValueError)."""

    def parse(self, document: Document) -> LiveObject:
        """What the live view keeps of it."""

    def plan(self, wanted: Any, planning: Planning) -> Verdict:
        """What must be done so that ``wanted`` exists."""

    def stays(self, live: Any, planning: Planning) -> Stay | None:
        """Why ``live``, which is not wanted, must not be removed now; None: it goes."""


def is_owned_by(live: LiveObject | None, wanted: Desired) -> bool:
    """Whether the labels of what lives name the owner of what is wanted."""
    return live is not None and live.labels.get(labels.OWNER) == wanted.labels.get(labels.OWNER)


def cause_of(row: InventoryRow | None, wanted: Desired, live: LiveObject | None) -> str:
    """Why something differs: another wish, or somebody's hands."""
    same = row is not None and row.spec_hash == wanted.hash
    if live is None:
        return "Repaired" if same and row is not None and row.engine_id is not None else "Created"
    marked = live.labels.get(labels.SPEC_HASH) == wanted.hash
    return "Repaired" if marked or (same and row is not None and row.state == "present") else "Updated"


def names_of(found: Collection[str], shown: int = 3) -> str:
    """A few names, and how many more."""
    names = list(found)
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
