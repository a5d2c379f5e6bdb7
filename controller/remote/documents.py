"""Documents of the API as what they are of: objects, what became of them, plans, explanations, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.client.errors import ClientError
from controller.declared.objects import DeclaredObject, ObjectStatus
from controller.declared.written import FieldChange, Target, Written
from controller.remote.understanding import understood
from specs.kinds import KINDS, SOURCE, TENANT_WORD, ancestors

if TYPE_CHECKING:
    from controller.changes import Change
    from controller.cost import Cost
    from controller.declared.happened import Happened
    from controller.declared.readiness import Progress
    from reconcilers.chain import Link
    from specs.loader import Located

NEVER = datetime.fromtimestamp(0, UTC)
_ADDED = (None, True)
_CHANGED = (True, False)
_SAID = {"added": _ADDED, "removed": (True, None)}


def moment(said: Any) -> datetime | None:
    """A time; None: none is said."""
    return datetime.fromisoformat(said) if isinstance(said, str) else None


def _is_name(said: object) -> bool:
    """Whether it can be one: it is shown, and a file may be called so."""
    return isinstance(said, str) and said.isprintable() and said not in ("", ".", "..") and "/" not in said


@understood
def object_of(document: Mapping[str, Any]) -> DeclaredObject:
    """A declared object with its status.

    Raises:
        ClientError: it is none that this version knows.
    """
    kind, metadata = document["kind"], document["metadata"]
    path = (*(metadata[KINDS[owner].word()] for owner in ancestors(kind)), metadata["name"])
    if not all(map(_is_name, path)):
        raise ValueError
    return DeclaredObject(
        kind=kind,
        id=UUID(metadata["id"]),
        path=path,
        spec=document.get("spec") or {},
        generation=metadata["generation"],
        created_at=datetime.fromisoformat(metadata["createdAt"]),
        deleted_at=moment(metadata.get("deletedAt")),
        status=_status(document.get("status") or {}),
    )


def _status(said: Mapping[str, Any]) -> ObjectStatus:
    ready = said.get("ready")
    if ready is None and "stalled" not in said:
        return ObjectStatus()
    return ObjectStatus(
        ready=ready,
        unknown=ready is not None and said.get("asAsked") is None,
        reason=said.get("reason") or "",
        message=said.get("message") or "",
        stalled=bool(said.get("stalled")),
        observed_generation=said.get("observedGeneration") or 0,
        conditions=said.get("conditions") or [],
        details=said.get("details") or {},
        finalized_at=moment(said.get("finalizedAt")),
        updated_at=moment(said.get("updatedAt")),
        as_of=moment(said.get("asOf")),
    )


@understood
def written_of(row: Mapping[str, Any], target: Target | None = None) -> Written:
    """What became of an object; ``target`` is it, where it is known by more than its name."""
    kind, name = row.get("kind", ""), row.get("name", "")
    path = (name,) if kind in KINDS and KINDS[kind].globally_named else tuple(name.split("/"))
    changes = tuple(_change(each) for each in row.get("changes") or ())
    found = UUID(row["id"]) if row.get("id") else None
    return Written(target or Target(kind, path), found, row["action"], changes)


def _change(said: Mapping[str, Any]) -> FieldChange:
    if "change" in said:  # words of a command, which are not said
        return FieldChange(said["field"], *_SAID.get(said["change"], _CHANGED))
    return FieldChange(said["field"], said.get("before"), said.get("after"))


@understood
def event_of(said: Mapping[str, Any]) -> Happened:
    """An event; of a stream its kind is written as in documents."""
    from controller.declared.happened import Happened  # noqa: PLC0415 - few commands need it

    kind = said["kind"]
    return Happened(
        id=said["id"],
        kind=KINDS[kind].word() if kind in KINDS else kind,
        object=UUID(said["object"]),
        path=said["path"],
        type=said["type"],
        reason=said["reason"],
        message=said["message"],
        count=said["count"],
        first_at=datetime.fromisoformat(said["firstAt"]),
        last_at=datetime.fromisoformat(said["lastAt"]),
    )


@understood
def progress_of(said: Mapping[str, Any]) -> Progress:
    """How far an object is."""
    from controller.declared.readiness import Progress  # noqa: PLC0415 - as above

    return Progress(
        kind=said["kind"],
        id=UUID(said["id"]),
        path=said["path"],
        generation=said.get("generation"),
        deleted=said["deleted"],
        observed_generation=said["observedGeneration"],
        ready=said["ready"],
        reason=said["reason"],
        message=said["message"],
        stalled=said["stalled"],
        finalized=said.get("finalized", False),
        details=said.get("details") or {},
        nobody=said.get("nobody") or "",
    )


@dataclass(frozen=True, slots=True)
class HeldThere:
    """An object of which nothing new comes."""

    said: Mapping[str, Any]

    def __str__(self) -> str:
        return "{kind} {name} is held ({reason}): {message}".format(**self.said)


@dataclass(slots=True)
class ForeseenThere:
    """A plan that an API made; see ``Foreseen``."""

    said: Mapping[str, Any]
    rows: list[Written]
    changes: list[Change] | None
    problems: list[str]
    unknown: str
    costs: list[Cost]
    held: Sequence[object]

    @property
    def changed(self) -> bool:
        """Whether anything would change."""
        return bool(self.said["changed"])

    def document(self) -> Mapping[str, object]:
        """For programs."""
        return self.said


@understood
def foreseen_of(said: Mapping[str, Any]) -> ForeseenThere:
    """A plan."""
    swarm = said.get("swarm")
    return ForeseenThere(
        said=said,
        rows=[written_of(row) for row in said["rows"]],
        changes=None if swarm is None else [_swarm_change(each) for each in swarm],
        problems=[str(each) for each in said.get("problems") or ()],
        unknown=said.get("unknown") or "",
        costs=[_cost(each) for each in said.get("cost") or ()],
        held=[HeldThere(each) for each in said.get("held") or ()],
    )


def _swarm_change(said: Mapping[str, Any]) -> Change:
    from controller.changes import Change, Difference  # noqa: PLC0415 - as above

    class Told(Difference):
        """A field whose values are not said, and how it changes."""

        @property
        def _change(self) -> str:
            return str(self.wanted)

    found = [
        Told(each["path"], None, each["change"])
        if "change" in each
        else Difference(each["path"], each.get("live"), each.get("wanted"))
        for each in said.get("differences") or ()
    ]
    return Change(said["action"], said["type"], said["name"], differences=tuple(found))


def _cost(said: Mapping[str, Any]) -> Cost:
    from controller.cost import Change, Cost  # noqa: PLC0415 - as above

    hourly, monthly = (Change(_price(said[p]["before"]), _price(said[p]["after"])) for p in ("hourly", "monthly"))
    return Cost(said[TENANT_WORD], hourly, monthly, tuple(said.get("withoutPlan") or ()))


def _price(said: str) -> Decimal:
    try:
        return Decimal(said)
    except InvalidOperation:
        return Decimal(0)


@dataclass(frozen=True, slots=True)
class ChangeThere:
    """What changed an object."""

    at: datetime
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class ExplainedThere:
    """An explanation that an API gave; see ``Explained``."""

    said: Mapping[str, Any]
    chain: Sequence[Link]
    changes: Sequence[ChangeThere]
    unseen: Sequence[str]

    @property
    def cause(self) -> Link | None:
        """The first link that is broken."""
        return next((link for link in self.chain if link.state.is_fault), None)

    @property
    def verdict(self) -> str:
        """How it is and why, in one line."""
        return str(self.said["verdict"])

    def document(self) -> Mapping[str, Any]:
        """For programs."""
        return {name: value for name, value in self.said.items() if name != "mendCall"}


@understood
def explained_of(said: Mapping[str, Any]) -> ExplainedThere:
    """An explanation."""
    from reconcilers.chain import Link, State  # noqa: PLC0415 - as above

    chain = [
        Link(each["link"], State(each["state"]), each.get("evidence") or "", each.get("cause") or "",
             each.get("mend") or "")
        for each in said["chain"]
    ]  # fmt: skip
    changes = [
        ChangeThere(datetime.fromisoformat(each["at"]), each["what"], each.get("by") or "") for each in said["changes"]
    ]
    return ExplainedThere(said, chain, changes, list(said["unseen"]))


def named(owner: Mapping[str, Any]) -> str:
    """The source that declares something of an object, as people call it."""
    word = KINDS[SOURCE].word()
    return f"{word} {owner[word]}"


def entry_of(document: Mapping[str, Any]) -> Located | None:
    """What a written document declares, to be looked at again; None: this version does not read it."""
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    from specs.loader import Located  # noqa: PLC0415 - as above
    from specs.yaml_syntax import Position  # noqa: PLC0415 - as above

    try:
        plain = object_of(document).document()
        return Located(KINDS[plain["kind"]].model_validate(plain), "", Position(1, 1))
    except (ValidationError, ClientError):
        return None


def warnings_of(written: Iterable[Written], owners: Mapping[UUID, Sequence[Mapping[str, Any]]]) -> list[str]:
    """What will not last, as a source declares it: of each the ``owners`` of its document."""
    found = []
    for each in written:
        for owner in owners.get(each.id, ()) if each.changed and each.id is not None else ():
            lost = sorted({change.field.partition(".")[0] for change in each.changes} & set(owner["fields"]))
            if each.action == "deleted":
                found.append(f"{named(owner)} declares {each.target.name}, and has it be there again at once")
            elif lost:
                what = f"{', '.join(lost)} of {each.target.name}"
                found.append(f"{named(owner)} declares {what}, and takes it back at once")
    return found
