"""Keeps the keys of the trusted issuers: looks every few minutes, and at once when a token names one that is not there.

Requests never wait for an issuer: they are answered by what is known. What was not had for a day is not believed any
more: a key that its issuer took back would be good for ever where somebody keeps us from asking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from controller.access.issued_tokens import PublicKey
from controller.issuers.fetching import NoKeysError, fetch

log = structlog.get_logger(__name__)

FRESH_SECONDS = 300.0
STALE_SECONDS = 24 * 3600.0
AGAIN_SECONDS = 15.0
"""Tokens that name keys which nobody has make it look no more often than that."""
_TICK_SECONDS = 0.5


@dataclass(slots=True)
class _Known:
    keys: tuple[PublicKey, ...] = ()
    had: float = float("-inf")
    asked: float = float("-inf")
    failed: bool = False
    missed: bool = False

    def due(self, now: float) -> bool:
        since = now - self.asked
        return since >= FRESH_SECONDS or ((self.missed or self.failed) and since >= AGAIN_SECONDS)


class Keeper:
    """The issuers of an installation, with what is known of each.

    Args:
        issuers: their addresses, as tokens spell them.
        audience: whom tokens have to be for.
        ask: for an issuer's keys; raises ``NoKeysError``. Called on a thread.
        clock: seconds, from anywhere.
    """

    def __init__(
        self,
        issuers: Sequence[str],
        audience: str,
        ask: Callable[[str], tuple[PublicKey, ...]] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known = {issuer: _Known() for issuer in issuers}
        self._audience = audience
        self._ask = ask
        self._clock = clock

    @property
    def audience(self) -> str:
        """Whom a token has to be for."""
        return self._audience

    def trusts(self, issuer: str) -> bool:
        """Whether it is one of them."""
        return issuer in self._known

    def keys_of(self, issuer: str) -> Sequence[PublicKey]:
        """What it published last; empty: that is not known, or not for a day."""
        known = self._known.get(issuer)
        return () if known is None or self._clock() - known.had > STALE_SECONDS else known.keys

    def missed(self, issuer: str) -> None:
        """A token names a key that is not there."""
        if issuer in self._known:
            self._known[issuer].missed = True

    def look(self, issuer: str) -> None:
        """Ask one now.

        Raises:
            NoKeysError: it cannot be had; what was known stays.
        """
        known = self._known[issuer]
        known.asked, known.missed = self._clock(), False
        try:
            known.keys = self._ask(issuer)
        except NoKeysError:
            known.failed = True
            raise
        known.had, known.failed = self._clock(), False

    async def run(self) -> None:
        """Look at each when it is time, until it is cancelled."""
        if not self._known:
            await anyio.sleep_forever()
        async with anyio.create_task_group() as tasks:
            for issuer in self._known:
                tasks.start_soon(self._follow, issuer)

    async def _follow(self, issuer: str) -> None:
        """By itself: one that answers slowly keeps no other from being asked."""
        while True:
            if self._known[issuer].due(self._clock()):
                await self._look_once(issuer)
            await anyio.sleep(_TICK_SECONDS)

    async def _look_once(self, issuer: str) -> None:
        was = self._known[issuer].failed
        try:
            await anyio.to_thread.run_sync(self.look, issuer, abandon_on_cancel=True)
        except NoKeysError as error:
            if not was:
                log.warning("issuer.silent", issuer=issuer, error=str(error))
            return
        if was:
            log.info("issuer.answers", issuer=issuer)
