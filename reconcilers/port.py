"""Ports: what a kind needs beyond the Swarm, as classes whose methods say whether they read or write.

    class Bells(Port, name="bells"):
        @read
        async def ringing(self, place: str) -> bool: ...

        @write
        async def mute(self, place: str) -> None: ...

A reconciler declares ``uses=(Bells,)`` and gets it with ``context.port(Bells)``. A port has a real adapter, see
``adapter``, and a simulated one in ``tests/sim``; a conformance suite holds them equal. Whatever is called through a
port goes through one door, ``controller.loop.doors``: a write asks first whether this process leads, and every call has
a time limit, a metric and a line in the trace; in the simulator it is a step at which every fault can strike.

A method without a mark is refused where it is defined, so that no write can be missed.

For what has a life of its own beyond the Swarm (a bucket, a DNS record, a snapshot) there is ``Things``: the kind says
what should exist, as ``External`` beside its services, and the loop writes the intent down, observes, compares, acts
once and gives it back when the object goes.
"""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import orjson

Sort = Literal["read", "write"]
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_SORT = "_port_sort"


def read(method: F) -> F:
    """It changes nothing, and may be asked again."""
    setattr(method, _SORT, "read")
    return method


def write(method: F) -> F:
    """It changes something; doing it twice must be as doing it once."""
    setattr(method, _SORT, "write")
    return method


def calls(port: type[Any]) -> dict[str, Sort]:
    """Methods of a port that may be called, and whether each reads or writes.

    Raises:
        TypeError: a public method has no mark.
    """
    found: dict[str, Sort] = {}
    for name, _ in inspect.getmembers(port, inspect.isfunction):
        if name.startswith("_"):
            continue
        marks = (getattr(base.__dict__.get(name), _SORT, None) for base in port.__mro__)  # it may be overridden
        sort = next((mark for mark in marks if mark is not None), None)
        if sort is None:
            raise TypeError(f"{port.__qualname__}.{name} says neither @read nor @write: no fault could strike at it")
        found[name] = sort
    return found


class Port(ABC):  # noqa: B024 - what is abstract stands in the ports
    """Base of ports; a direct subclass is one, what derives from that is an adapter of it.

    Args:
        name: of the port, in metrics, traces and names of steps; lower case.
        fenced: whether its adapters themselves refuse the writes of a process that does not lead any more.
    """

    name: ClassVar[str] = ""
    sorts: ClassVar[Mapping[str, Sort]] = {}
    fenced: ClassVar[bool] = False

    def __init_subclass__(cls, *, name: str = "", fenced: bool = False, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if name:
            cls.name, cls.fenced, cls.sorts = name, fenced, calls(cls)
        elif not cls.name and not cls.__dict__.get("_abstract_base"):
            raise TypeError(f"{cls.__qualname__} is a port without a name: class {cls.__name__}(Port, name=...)")


@dataclass(frozen=True, slots=True)
class External:
    """Something that should exist beyond the Swarm.

    Args:
        port: that has it; one with the methods of ``Things``.
        name: unique in the port; the same for the same wish, so that a create that was lost finds itself.
        document: what it should be; nothing secret: it is shown.
    """

    port: type[Things]
    name: str
    document: Mapping[str, Any]
    hash: str = field(init=False, default="")

    def __post_init__(self) -> None:
        text = orjson.dumps(self.document, option=orjson.OPT_SORT_KEYS)
        object.__setattr__(self, "hash", hashlib.sha256(text).hexdigest()[:16])

    @property
    def object_type(self) -> str:
        """As in the inventory; what is not of the engine has a stroke in it."""
        return f"{self.port.name}/thing"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a port has.

    Args:
        id: the port's own name for it.
        hash: of the document that it was last written with; empty where the port cannot tell.
        drifted: what differs from that by the port's own judgement, in words; empty when nothing does.
    """

    id: str
    hash: str = ""
    drifted: str = ""


class Things(Port):
    """A port that has things with a life of their own. Every write is by name, and the same again does no harm."""

    _abstract_base = True

    @read
    @abstractmethod
    async def observe(self, name: str) -> Observed | None:
        """What is there under this name; None when nothing is."""

    @write
    @abstractmethod
    async def create(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """Make it, and remember ``digest`` with it; what is there already stays as it is, and is returned."""

    @write
    @abstractmethod
    async def update(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """Make it as ``document`` says."""

    @write
    @abstractmethod
    async def remove(self, name: str) -> None:
        """Take it away; nothing happens when it is not there."""


P = TypeVar("P", bound=Port)


@dataclass(frozen=True, slots=True)
class Place:
    """What an adapter is made from.

    Args:
        installation: its name.
        environment: the process's, for settings of the adapter's own.
        guard: raises ``FencedError`` when this process may not write any more. An adapter asks it where a write leaves
            the process: a machine can stand still between any two lines, and go on when another process leads.
    """

    installation: str
    environment: Mapping[str, str]
    guard: Callable[[], None]


Factory = Callable[[Place], Any]
_adapters: dict[type[Port], Factory] = {}


def adapter(port: type[Port]) -> Callable[[Factory], Factory]:
    """Register the decorated class or function as what makes the real adapter of ``port``.

    Raises:
        ValueError: it has one.
    """

    def register(factory: Factory) -> Factory:
        if port in _adapters:
            raise ValueError(f"port {port.name!r} has an adapter already: {_adapters[port]!r}")
        _adapters[port] = factory
        return factory

    return register


def adapters() -> dict[type[Port], Factory]:
    """What makes the real adapter of each port."""
    return dict(_adapters)
