"""How many requests a token may send: GCRA, in the memory of this process, by a hash of the token.

Each replica counts for itself: so many replicas, so many times the limit at most. Before anybody is known, the address
that a request comes from is counted.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

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
        """Those of the last so many keys. Who sends another token each time makes others forgotten, and nobody wait."""

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
        key = hashlib.sha256(_key(authorization, address).encode()).digest()
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


def _key(authorization: str | None, address: str) -> str:
    """One for all ways to write the same header: its first word in any letters, any spaces, and what follows."""
    words = (authorization or "").split()
    return " ".join([words[0].lower(), *words[1:]]) if words else f"address {address}"
