"""The one door to each port: fenced, bounded in time, counted, and in the trace.

A write asks first whether this process leads, unless the port's adapters do so with the write itself; it is shielded,
as a write goes to its end. What a port raises, and did not foresee, is an outage of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar, cast

import anyio

from controller.loop.metrics import PORT_CALLS
from controller.loop.trace import Trace
from reconcilers.outcomes import ReconcileError, TransientError
from reconcilers.port import Port, Sort

P = TypeVar("P", bound=Port)
Ports = Mapping[type[Port], Port]
CALL_SECONDS = 30.0


class Doors:
    """What one reconcile may call beyond the Swarm.

    Args:
        kind: whose reconcile it is.
        uses: the ports that the kind declared.
        ports: adapters by port.
        affirm: raises ``FencedError`` when this process does not lead any more.
        trace: the record of this reconcile.
    """

    def __init__(
        self,
        kind: str,
        uses: Collection[type[Port]],
        ports: Ports,
        *,
        affirm: Callable[[], Awaitable[None]],
        trace: Trace,
    ) -> None:
        self._kind = kind
        self._uses = uses
        self._ports = ports
        self._affirm = affirm
        self._trace = trace

    def open(self, port: type[P]) -> P:
        """The port, as it is called from here.

        Raises:
            LookupError: the kind did not declare it, or nothing was handed in for it.
        """
        if port not in self._uses:
            raise LookupError(f"kind {self._kind!r} uses port {port.name!r} and does not declare it: uses=(...)")
        if port not in self._ports:
            raise LookupError(f"port {port.name!r} has no adapter here")
        return cast("P", _Door(port, self._ports[port], self._call))

    async def _call(self, port: type[Port], method: str, sort: Sort, call: Callable[[], Awaitable[Any]]) -> Any:
        if sort == "write" and not port.fenced:
            await self._affirm()
        result = "error"
        try:
            with anyio.CancelScope(shield=sort == "write"), anyio.fail_after(CALL_SECONDS):
                answer = await call()
            result = "success"
        except ReconcileError:
            raise
        except TimeoutError:
            raise _unavailable(port, f"{method} did not end within {CALL_SECONDS:g} s") from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the port's
            # Its words may hold what is secret; an adapter that knows better raises a ReconcileError of its own.
            raise _unavailable(port, f"{method}: {type(error).__name__}") from None
        finally:
            PORT_CALLS.labels(port=port.name, method=method, result=result).inc()
            self._trace.lap(port.name, method)
        return answer


class _Door:
    """Has a port's methods, and nothing else of its adapter."""

    def __init__(
        self,
        port: type[Port],
        adapter: Port,
        through: Callable[[type[Port], str, Sort, Callable[[], Awaitable[Any]]], Awaitable[Any]],
    ) -> None:
        self._port = port
        self._adapter = adapter
        self._through = through

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        sort = self._port.sorts.get(method)
        if sort is None:
            raise AttributeError(f"port {self._port.name!r} has no method {method!r}")
        do = getattr(self._adapter, method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._through(self._port, method, sort, lambda: do(*args, **kwargs))

        return call


def _unavailable(port: type[Port], why: str) -> TransientError:
    return TransientError("PortUnavailable", f"{port.name}: {why}; what is there stays as it is, and it is tried again")
