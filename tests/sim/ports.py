"""Ports in the simulator: an adapter a world, and a border that each of its calls crosses as a named step.

    @simulated(Bells)
    class SimBells(Bells): ...

A simulated adapter is the shared truth of one world, as ``SimSwarm`` and ``SimDatabase`` are; it never waits. Whether a
call reads or writes is what the port says of it: nothing here lists calls by hand, so that none can be missed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import structlog

from reconcilers.outcomes import TransientError
from reconcilers.port import Observed, Port, Things
from reconcilers.registry import registered
from tests.sim.border import Border

P = TypeVar("P", bound=Port)

Ports = Mapping[type[Port], Port]


class ThingWritten(NamedTuple):
    """One write to a port that changed something, whether or not its answer arrived.

    Args:
        by: the object whose reconcile wrote it, as ``kind/id``; empty outside of any.
        before, after: digests that it was and is written with; None where there is none.
    """

    action: str
    name: str
    by: str
    before: str | None
    after: str | None


class SimThings(Things, name="things"):
    """What a simulated adapter of ``Things`` is made of: ``class SimBuckets(SimThings, Buckets): ...``.

    Attributes:
        found: by name, as scenarios find and damage them: the document, and the digest that it was written with.
        log: every write that changed something, in order.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[Mapping[str, Any], str]] = {}
        self.log: list[ThingWritten] = []

    async def observe(self, name: str) -> Observed | None:
        """See ``Things``."""
        found = self.found.get(name)
        return None if found is None else Observed(f"id-of-{name}", found[1])

    async def create(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """See ``Things``."""
        if name in self.found:
            return Observed(f"id-of-{name}", self.found[name][1])
        return self._put("create", name, document, digest)

    async def update(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """See ``Things``."""
        return self._put("update", name, document, digest)

    async def remove(self, name: str) -> None:
        """See ``Things``."""
        if name in self.found:
            self._log("remove", name, None)
            del self.found[name]

    def _put(self, action: str, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        self._log(action, name, digest)
        self.found[name] = (document, digest)
        return Observed(f"id-of-{name}", digest)

    def _log(self, action: str, name: str, after: str | None) -> None:
        by = structlog.contextvars.get_contextvars().get("key", "")
        self.log.append(ThingWritten(action, name, by, self.found[name][1] if name in self.found else None, after))


def things(ports: Ports) -> Iterator[tuple[str, SimThings]]:
    """Of each port that has things: the type of its things in the inventory, and its adapter."""
    for port, made in ports.items():
        if issubclass(port, Things):
            assert isinstance(made, SimThings), f"{made!r} is no SimThings: no oracle could look at it"
            yield f"{port.name}/thing", made


_made: dict[type[Port], Callable[[], Port]] = {}


def simulated(port: type[Port]) -> Callable[[type[P]], type[P]]:
    """Register the decorated class as what stands for ``port`` in every world.

    Raises:
        ValueError: something does already.
    """

    def register(cls: type[P]) -> type[P]:
        if port in _made:
            raise ValueError(f"port {port.name!r} is simulated already: {_made[port]!r}")
        _made[port] = cls
        return cls

    return register


def adapters() -> dict[type[Port], Port]:
    """A simulated adapter of every port that a kind uses beyond what the store itself has.

    Raises:
        LookupError: nothing is registered for one of them.
    """
    used = {port for made in registered().values() for port in made.uses if not port.fenced}
    missing = [port.name for port in used if port not in _made]
    if missing:
        raise LookupError(f"nothing stands for port(s) {', '.join(sorted(missing))} in the simulator: @simulated(...)")
    return {port: _made[port]() for port in used}


def bordered(ports: Ports, border: Border, guard: Callable[[], None]) -> dict[type[Port], Port]:
    """``ports`` as one process sees them: each call is a step at which any fault can strike.

    Args:
        ports: of the world.
        border: of the process.
        guard: raises when the process may not write any more; asked right before a write leaves it.
    """
    return {port: cast("Port", _Bordered(port, inner, border, guard)) for port, inner in ports.items()}


class _Bordered:
    def __init__(self, port: type[Port], inner: Port, border: Border, guard: Callable[[], None]) -> None:
        self._port = port
        self._inner = inner
        self._border = border
        self._guard = guard

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        sort = self._port.sorts[method]
        do = getattr(self._inner, method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            about = str(args[0]) if args else ""
            return await self._border.cross(
                f"{self._port.name} {method} {about}".rstrip(),
                sort,
                lambda: _at_once(do(*args, **kwargs)),
                broken=lambda why: TransientError("PortUnavailable", f"{self._port.name}: {why}"),
                before=self._guard if sort == "write" else None,
            )

        return call


def _at_once(call: Coroutine[Any, Any, Any]) -> Any:
    """What ``call`` gives; it happens at once, or not at all."""
    try:
        call.send(None)
    except StopIteration as end:
        return end.value
    call.close()
    raise AssertionError(f"a simulated adapter waits: {call!r}")
