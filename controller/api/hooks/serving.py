"""Takes one delivery: body, form, secret, and whether it came before; what it may do at most is wake one source.

Whoever sends one is not known before its signature is looked at, so what is wrong with it is not told: a source that is
not there, one without a webhook, another secret, no signature and an old one have the same answer, after the same work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import structlog

from controller.api.asked import Answer
from controller.api.hooks.pushes import Push, followed, pushed
from controller.api.hooks.schemes import Claim, claimed
from controller.api.problems import ProblemError, not_found
from controller.postgres.statements import statement
from controller.vault.sealed import DataKey, HookPlace, SealedHook
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault

log = structlog.get_logger(__name__)
ADDRESS = "/api/paas/webhooks/{hook}"
PER_MINUTE = 120
"""Deliveries that one source takes; its interval makes up for more."""
_LIVE = 2
_NOBODY = "00000000-0000-0000-0000-000000000000"
_SAID = {
    "woke": "the source looks at its repository now",
    "again": "this delivery was taken before",
    "other": "the source does not follow what was pushed",
    "suspended": "the source is suspended",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One that came.

    Args:
        hook: of which source, as the address says.
        headers: by names in lower case.
        form: the media type of the body.
        body: as it came.
    """

    hook: str
    headers: Mapping[str, str] = field(repr=False)
    form: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Found:
    """A source whose webhook has been found, and the secret that held."""

    id: UUID
    hook: UUID
    reference: str | None


class Hooks:
    """Of one API process.

    Args:
        vault: that opens secrets of webhooks.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._decoy: SealedHook | None = None

    def take(self, conn: psycopg.Connection, delivery: Delivery, count: Callable[[], object]) -> Answer:
        """What comes of it; in a thread of its own.

        Args:
            conn: which sees nothing yet.
            delivery: that came.
            count: called once it is known whose it is; raises where it is one too many.

        Raises:
            ProblemError: ``no-key``: no delivery can be looked at here; not found: anything that is wrong with this
                one; what ``count`` raises.
        """
        decoy = self._made_decoy()
        claim = claimed(delivery.headers, delivery.body, time.time())
        found, why = self._found(conn, delivery, claim, decoy)
        if claim is None or found is None:
            log.info("webhook.refused", hook=delivery.hook[:64], forge=claim and claim.forge, why=why)
            raise not_found()
        count()
        push = pushed(claim.event, delivery.form, delivery.body)
        wakes = push.concerns(found.reference)
        told = _told(claim, push)
        asked = {"row": found.id, "hook": found.hook, "digests": claim.digests, "told": told, "wakes": wakes}
        row = conn.execute(statement("api/hooks/delivered"), asked).fetchone()
        said = row[0] if row else None
        log.info("webhook.taken", hook=delivery.hook, forge=claim.forge, delivery=claim.delivery, said=said)
        if said is None:
            raise not_found()
        return Answer({"woken": said == "woke", "message": "pong" if push.ping else _SAID[said]}, 202)

    def _found(
        self, conn: psycopg.Connection, delivery: Delivery, claim: Claim | None, decoy: SealedHook
    ) -> tuple[_Found | None, str]:
        """The source whose secret holds, else why there is none; the work is that of two secrets in any case."""
        source = _uuid(delivery.hook)
        rows = conn.execute(statement("api/hooks/found"), {"row": source or _NOBODY}).fetchall()
        good = None
        for row in [*rows, None, None][:_LIVE]:
            sealed = decoy if row is None else _sealed(str(source), row)
            secret = self._opened(sealed)
            holds = claim is not None and claim.holds(secret)
            if holds and row is not None and sealed is not decoy and secret and good is None:
                good = row
        if good is None or source is None:
            why = "it has no form that is known, or is too old" if claim is None else "another secret"
            return None, why if rows else "no such webhook"
        return _Found(source, UUID(good[1]), followed(*good[7:10])), ""

    def _opened(self, sealed: SealedHook) -> bytes:
        try:
            return self._vault.open_hook(sealed)
        except (KeyUnavailable, ConfigUnreadable) as error:
            log.warning("webhook.secret_unreadable", error=str(error))
            return b""

    def _made_decoy(self) -> SealedHook:
        """Stands in for what is not there, so that its absence takes no less time."""
        if self._decoy is not None:
            try:
                self._vault.open_hook(self._decoy)
            except (KeyUnavailable, ConfigUnreadable):
                self._decoy = None
        if self._decoy is None:
            place = HookPlace(_NOBODY, _NOBODY, _NOBODY)
            try:
                key = self._vault.new_data_key(_NOBODY)
                self._decoy = SealedHook(place, *self._vault.sealed(key, place, os.urandom(32).hex().encode()), key)
            except KeyUnavailable as error:
                log.warning("webhook.no_key", error=str(error))
                raise ProblemError("no-key", "this server has no key that opens secrets of webhooks") from None
        return self._decoy


def _sealed(source: str, row: Sequence[object]) -> SealedHook:
    organization, number, key_id, ciphertext, key, kek, wrapped = row[:7]
    assert isinstance(ciphertext, bytes)
    data_key = None
    if key is not None:
        assert isinstance(wrapped, bytes)
        data_key = DataKey(str(key), str(organization), str(kek), wrapped)
    return SealedHook(HookPlace(str(organization), source, str(number)), str(key_id), ciphertext, data_key)


def _told(claim: Claim, push: Push) -> str:
    which = f"delivery {claim.delivery}" if claim.delivery else "a delivery"
    what = " of ".join(part for part in (claim.event, push.words) if part)
    return f"{claim.forge}: {which}{f' ({what})' if what else ''} woke it"


def _uuid(text: str) -> UUID | None:
    """An id as it is written here, and in no other form."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
