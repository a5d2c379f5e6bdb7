"""How many requests a token may send: GCRA, in the memory of this process, by a hash of the token.

Each replica counts for itself: so many replicas, so many times the limit at most. Before anybody is known by a token,
the address that a request comes from is counted: else whoever makes up another one each time had no limit.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network

from controller.api.problems import ProblemError

_MOST_KEYS = 50_000


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a limit: ``remaining`` requests at once, and the next of those used comes back in ``seconds``."""

    remaining: int
    seconds: int


class Limiter:
    """So many requests a minute for each key, a quarter of them at once.

    Args:
        per_minute: 0: any number.
        clock: seconds, which only go on.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.per_minute = per_minute
        self.burst = max(1, per_minute // 4)
        self._interval = 60 / per_minute if per_minute else 0.0
        self._full_at: dict[bytes, float] = {}
        self._before: dict[bytes, float] = {}
        """Those of the last so many keys. A token that is forgotten is known again with its next request."""

    @property
    def policy(self) -> str:
        """For ``RateLimit-Policy``."""
        return f'"token";q={self.burst};w={math.ceil(self.burst * self._interval)}'

    def take(self, authorization: str | None, address: str) -> Left | None:
        """Count one request; None: there is no limit.

        Raises:
            ProblemError: it is one too many.
        """
        if not self.per_minute:
            return None
        key = _of_token(authorization)
        return self._count(key if key is not None and self._is_known(key) else _of_address(address))

    def page(self, address: str) -> None:
        """Count one request for what nobody has to be known for, apart from the others of its address.

        Raises:
            ProblemError: it is one too many.
        """
        if self.per_minute:
            self._count(hashlib.sha256(b"page " + _of_address(address)).digest())

    def known(self, authorization: str | None) -> None:
        """Count what comes with this header by itself from now on: somebody is known by it."""
        key = _of_token(authorization)
        if self.per_minute and key is not None and not self._is_known(key):
            self._count(key)

    def _is_known(self, key: bytes) -> bool:
        return key in self._full_at or key in self._before

    def _count(self, key: bytes) -> Left:
        now = self._clock()
        if len(self._full_at) >= _MOST_KEYS:
            self._full_at, self._before = {}, self._full_at
        full_at = self._full_at.get(key) or self._before.get(key, now)
        at = max(full_at, now) + self._interval
        room = self.burst * self._interval - (at - now)
        if room < -1e-9:
            wait = math.ceil(-room)
            headers = {"Retry-After": str(wait), **self.headers(Left(0, wait))}
            raise ProblemError("too-many-requests", f"{self.per_minute} requests a minute are taken", headers=headers)
        self._full_at[key] = at
        return Left(math.floor(room / self._interval + 1e-9), math.ceil(at - now))

    def headers(self, left: Left | None) -> dict[str, str]:
        """``RateLimit`` and its policy, of an answer."""
        if left is None:
            return {}
        return {"RateLimit": f'"token";r={left.remaining};t={left.seconds}', "RateLimit-Policy": self.policy}


def _of_token(authorization: str | None) -> bytes | None:
    """One for all ways to write the same header: its first word in any letters, any spaces, and what follows."""
    words = (authorization or "").split()
    return hashlib.sha256(" ".join([words[0].lower(), *words[1:]]).encode()).digest() if words else None


def _of_address(address: str) -> bytes:
    """Of IPv6, who has one address has all of its /64."""
    try:
        whose = str(ip_network(f"{address}/64", strict=False)) if ":" in address else address
    except ValueError:
        whose = address
    return hashlib.sha256(f"address {whose}".encode()).digest()
