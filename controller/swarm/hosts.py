"""Which host names have a live rule, and whose: at no time have two owners one.

The rules are those of the live services' labels, and those that are being written. Whoever wants a host name that
another owner still has is remembered, and told when it is let go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from controller.kit import clock

OwnerKey = tuple[str, str]
_UNSURE_SECONDS = 60.0


class Hosts:
    """Host names by what routes them.

    Args:
        on_release: called with the owners that wait for a host name, when somebody has let go of it.
    """

    def __init__(self, on_release: Callable[[Iterable[OwnerKey]], None]) -> None:
        self._on_release = on_release
        self._live: defaultdict[str, dict[str, OwnerKey]] = defaultdict(dict)
        self._of: dict[str, frozenset[str]] = {}
        self._claims: dict[str, tuple[OwnerKey, float | None]] = {}
        self._waiting: defaultdict[str, set[OwnerKey]] = defaultdict(set)

    def owners(self, hostname: str) -> frozenset[OwnerKey]:
        """Owners that have a live rule for it, or are being given one."""
        found = set(self._live[hostname].values()) if hostname in self._live else set()
        claim = self._claims.get(hostname)
        if claim is not None and (claim[1] is None or claim[1] > clock.monotonic()):
            found.add(claim[0])
        return frozenset(found)

    def elsewhere(self, owner: OwnerKey, hostnames: Iterable[str]) -> frozenset[str]:
        """Those of ``hostnames`` that another owner has; ``owner`` is told when it lets go of one."""
        found = frozenset(name for name in hostnames if self.owners(name) - {owner})
        for name in found:
            self._waiting[name].add(owner)
        return found

    def put(self, service_id: str, owner: OwnerKey, hostnames: frozenset[str]) -> None:
        """The service is live and has rules for exactly ``hostnames``."""
        before = self._of.get(service_id, frozenset())
        for name in hostnames:
            self._live[name][service_id] = owner
        if hostnames:
            self._of[service_id] = hostnames
        else:
            self._of.pop(service_id, None)
        self._lose(service_id, before - hostnames)

    def drop(self, service_id: str) -> None:
        """The service is gone."""
        self._lose(service_id, self._of.pop(service_id, frozenset()))

    def claim(self, owner: OwnerKey, hostnames: frozenset[str]) -> frozenset[str]:
        """Take ``hostnames`` before a write that gives them rules; those that another has, and then none is taken."""
        taken = self.elsewhere(owner, hostnames)
        if not taken:
            for name in hostnames:
                self._claims[name] = owner, None
        return taken

    def settle(self, owner: OwnerKey, hostnames: frozenset[str], *, known: bool) -> None:
        """The write ended; unless what came of it is ``known``, they are kept for a while."""
        for name in hostnames:
            if self._claims.get(name, (None, None))[0] != owner:
                continue
            if known:
                del self._claims[name]
            else:
                self._claims[name] = owner, clock.monotonic() + _UNSURE_SECONDS
        if known:
            self._tell(hostnames)

    def _lose(self, service_id: str, hostnames: Iterable[str]) -> None:
        for name in hostnames:
            self._live[name].pop(service_id, None)
            if not self._live[name]:
                del self._live[name]
        self._tell(hostnames)

    def _tell(self, hostnames: Iterable[str]) -> None:
        woken: set[OwnerKey] = set()
        for name in hostnames:
            owners, waiting = self.owners(name), self._waiting.get(name, ())
            woken |= {owner for owner in waiting if not owners - {owner}}
            if not owners:
                self._waiting.pop(name, None)
        if woken:
            self._on_release(woken)
