"""Registers reconcilers, kopf-style: a decorator names the kind, what wakes it, its concurrency and its resync.

    @reconciler("environment", snapshot=EnvironmentSnapshot, preview=preview, wakes_on=("organization",))
    async def reconcile_environment(context: Context, snapshot: EnvironmentSnapshot) -> Outcome: ...

The body is level-triggered: it is given the whole desired state and the whole live state, never an event. It is called
only for objects that are wanted and whose document is valid; the engine deletes, and reports bad documents, alike for
all kinds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from reconcilers.chain import LinkOf
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument
from reconcilers.outcomes import Outcome, ReconcileError
from reconcilers.port import Port
from reconcilers.ports import Child, Context, LookAhead, Options
from specs.installed import Package
from specs.problems import InvalidSpec


class Snapshot(Protocol):
    """What every snapshot model offers; ``specs.snapshots`` has the models."""

    @classmethod
    def model_validate(cls, obj: Any, /) -> Any:
        """Build the model from the document, or raise ``pydantic.ValidationError``."""


S = TypeVar("S", bound=Snapshot)
Finalize = Callable[[Context], Awaitable[None]]
Body = Callable[[Context, Any], Awaitable[Outcome]]
Preview = Callable[[Any, LookAhead], Objects]
HeldBy = Callable[[Any, LookAhead], ReconcileError | None]
Admit = Callable[[Any, Options], None]
Salvage = Callable[[Mapping[str, Any], Sequence[SpecDocument], Options, HomeNetwork | None], Sequence[Service]]
Unread = Callable[[Context, Mapping[str, Any]], Awaitable[bool]]
Stops = Callable[[Mapping[str, Any], str, Options], bool]


def _childless(_: Any) -> Sequence[Child]:
    return ()


def held_by_nothing(_: Any, __: LookAhead) -> None:
    """What is declared comes at once."""


def _admit_all(_: Any, __: Options) -> None:
    """Every valid document may be deployed."""


def as_it_was(
    _: Mapping[str, Any], good: Sequence[SpecDocument], _options: Options, _home: HomeNetwork | None
) -> Sequence[Service]:
    """All of what worked last, as it was."""
    return [Service.seal(spec) for spec in good]


def stops_nothing(_: Mapping[str, Any], _image: str, _options: Options) -> bool:
    """Whatever ran may go on, and come back."""
    return False


@dataclass(frozen=True, slots=True)
class Reconciler:
    """One registered kind.

    Args:
        kind: its name in keys, status and owner labels.
        snapshot: model of the document that ``skypanel.snapshot_<kind>`` gives.
        body: the reconcile function.
        preview: what ``skypanel plan`` shows of a snapshot, by what is known without asking anybody; pure.
        held: why nothing new of a snapshot comes for now, by what is on record: then ``plan`` shows what comes for what
            worked last (``salvage``); None: nothing is known against it. Pure.
        wakes_on: other kinds; when such an object changes, its dependents of this kind are queued.
        concurrency: how many keys of the kind are worked on at once.
        resync_seconds: period of the full comparison, jittered by the engine.
        finalize: gives back what the object has beyond what ``apply`` made for it, before the row is done with: called
            when nothing lives of it any more, again and again until it returns; also for a row that is gone.
        uses: ports beyond the Swarm that the body and ``finalize`` call; see ``reconcilers.port``.
        settings: model of the kind's own settings; each field is an environment variable of its name in capitals.
        writes: tables that the body may write rows of; see ``Context.write_row``.
        limited: whether it is a tenant's program: starting its tasks takes one of the slots that
            ``SKYPANEL_MAX_ROLLOUTS`` gives, and its document comes with its change. Off for what others wait for.
        children: rows whose status goes with the object's: what the loop says of it by itself, it says of them too.
        speaks_for: kinds of those rows. A status has one writer: a kind that somebody speaks for has no reconciler, and
            nobody else speaks for it.
        admit: raises ``InvalidSpec`` for a valid document that must not be deployed here: what the settings forbid, or
            what would have no effect (``NotSupported``).
        foreseen: as ``admit``, before a commit alone: what the body would refuse, and write down.
        salvage: what is wanted while the document cannot be rendered: ``(document, last good documents of services,
            options, the organization's network) -> services``; one that is left out goes. Pure. Without it they stay as
            they were.
        stops: ``(document, image, options)`` -> whether no task of this image may run, whatever else the document says:
            then it is neither kept nor gone back to. Pure.
        unread: finds out what is to become of what worked last, where the document cannot be read; whether it has
            written down something else than the document says, which is read anew then.
        links: what may stand between a row of it and what it is for, in the order of causality; see
            ``reconcilers.chain``.
    """

    kind: str
    snapshot: type[Snapshot]
    body: Body
    preview: Preview
    held: HeldBy = held_by_nothing
    wakes_on: tuple[str, ...] = ()
    concurrency: int = 8
    resync_seconds: float = 300.0
    finalize: Finalize | None = None
    uses: tuple[type[Port], ...] = ()
    settings: type[BaseModel] | None = None
    writes: tuple[str, ...] = ()
    limited: bool = True
    children: Callable[[Any], Sequence[Child]] = _childless
    speaks_for: tuple[str, ...] = ()
    admit: Admit = _admit_all
    foreseen: Admit = _admit_all
    salvage: Salvage = as_it_was
    stops: Stops = stops_nothing
    unread: Unread | None = None
    links: tuple[LinkOf, ...] = ()

    def read(self, document: Any, options: Options) -> Any:
        """The snapshot that ``document`` is.

        Raises:
            InvalidSpec: it cannot be deployed; says which fields are in the way.
        """
        try:
            snapshot = self.snapshot.model_validate(document)
        except ValidationError as error:
            raise InvalidSpec.of(error) from None
        self.admit(snapshot, options)
        return snapshot

    def foresee(self, document: Any, options: Options) -> Any:
        """As ``read``, for what is not committed yet."""
        snapshot = self.read(document, options)
        self.foreseen(snapshot, options)
        return snapshot


_registered: dict[str, Reconciler] = {}


def reconciler(
    kind: str,
    *,
    snapshot: type[S],
    preview: Callable[[S, LookAhead], Objects],
    held: Callable[[S, LookAhead], ReconcileError | None] = held_by_nothing,
    wakes_on: tuple[str, ...] = (),
    concurrency: int = 8,
    resync_seconds: float = 300.0,
    finalize: Finalize | None = None,
    uses: tuple[type[Port], ...] = (),
    settings: type[BaseModel] | None = None,
    writes: tuple[str, ...] = (),
    limited: bool = True,
    children: Callable[[S], Sequence[Child]] = _childless,
    speaks_for: tuple[str, ...] = (),
    admit: Callable[[S, Options], None] = _admit_all,
    foreseen: Callable[[S, Options], None] = _admit_all,
    salvage: Salvage = as_it_was,
    stops: Stops = stops_nothing,
    unread: Unread | None = None,
    links: tuple[LinkOf, ...] = (),
) -> Callable[[Callable[[Context, S], Awaitable[Outcome]]], Callable[[Context, S], Awaitable[Outcome]]]:
    """Register the decorated coroutine function for ``kind``.

    Raises:
        ValueError: somebody else writes the status of the kind, or of one that it speaks for.
    """

    def register(
        body: Callable[[Context, S], Awaitable[Outcome]],
    ) -> Callable[[Context, S], Awaitable[Outcome]]:
        for spoken in (kind, *speaks_for):
            if spoken in _registered or any(spoken in other.speaks_for for other in _registered.values()):
                raise ValueError(f"the status of kind {spoken!r} has a writer already; {body!r} cannot be another")
        _registered[kind] = Reconciler(
            kind,
            snapshot,
            body,
            preview,
            held=held,
            wakes_on=wakes_on,
            concurrency=concurrency,
            resync_seconds=resync_seconds,
            finalize=finalize,
            uses=uses,
            settings=settings,
            writes=writes,
            limited=limited,
            children=children,
            speaks_for=speaks_for,
            admit=admit,
            foreseen=foreseen,
            salvage=salvage,
            stops=stops,
            unread=unread,
            links=links,
        )
        return body

    return register


def forget(package: Package) -> None:
    """Take back what a package registered before it turned out that it cannot be used."""
    for kind, made in registered().items():
        if package.holds(made.body.__module__):
            del _registered[kind]


def registered() -> dict[str, Reconciler]:
    """All kinds, by name; looked for when they are asked for first, so that what asks for none starts without them."""
    import_module("reconcilers.discovery")
    return dict(_registered)


def programs() -> list[str]:
    """Kinds whose changes tenants wait for, sorted: those that run their programs."""
    return sorted(kind for kind, made in registered().items() if made.limited)
