"""Has the forge show, beside the commit that a source declares, how that went; the source never waits for it.

Expected flow: the source's status says another state of a commit than was said last -> the token is opened -> the forge
is asked to show it -> what was said is written down. A crash between the last two says the same once more, which every
forge takes as the same. What cannot be said is an event of the source, and is tried again a few times, each time later.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import psycopg
import structlog

from controller.loop.loops import failed
from controller.postgres.database import Database
from controller.postgres.statements import fenced, statement
from controller.registry.places import PORTS, Origin
from controller.registry.wire import BadAnswerError, Connection, Dial, NoAnswerError
from controller.sources.hosts import Hosts
from controller.store.lease import Lease
from controller.vault.sealed import DataKey, ForgePlace, SealedToken
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault
from reconcilers.conditions import STALLED
from reconcilers.outcomes import TransientError
from reconcilers.sources import SourceError
from specs.forges import FAILURE, PENDING, SUCCESS, Said, call, is_token
from specs.kinds import KINDS, SOURCE

log = structlog.get_logger(__name__)

LOOP = "statuses"
SECONDS = 3.0
"""Between two looks at what is to be said."""
CALL_SECONDS = 15.0
"""Of one source, with resolving and connecting."""
AT_ONCE = 4
ATTEMPTS = 8
"""For one state of a commit: from 30 seconds to an hour apart, so for about three hours."""
_ANSWER_BYTES = 1 << 18
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to be said.

    Args:
        source: id of the source.
        repository: whose commit it is.
        forge: which sort.
        api: where its API is.
        token: as it is kept.
        said: what.
    """

    source: str
    repository: str
    forge: str
    api: str
    token: SealedToken
    said: Said


class UnsaidError(Exception):
    """It could not be said; the message says why, without the token."""


class CommitStatuses:
    """Of one controller process.

    Args:
        database: what is to be said, and was.
        lease: of this process: who does not lead says nothing.
        vault: that opens tokens.
        hosts: where they may be sent.
        dial: makes connections to addresses that were looked at.
        trust: whose certificates are good; None: those that the system trusts.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        vault: Vault,
        hosts: Hosts,
        *,
        dial: Dial = anyio.connect_tcp,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._database = database
        self._lease = lease
        self._vault = vault
        self._hosts = hosts
        self._dial = dial
        self._trust = trust

    async def run(self) -> None:
        """Say what is to be said, again and again, until cancelled."""
        while True:
            if self._lease.trusted:
                try:
                    await self.say()
                except TransientError as error:  # whoever needs the database more says so
                    log.debug("statuses.not_read", error=str(error))
            await anyio.sleep(SECONDS)

    async def say(self) -> int:
        """Say what is to be said now; how many there were.

        Raises:
            TransientError: the database does not answer.
        """
        table = f"public.{KINDS[SOURCE].binding.table}"
        asked = {"kind": KINDS[SOURCE].word(), "stalled": STALLED, "attempts": ATTEMPTS}
        query = statement("sources/statuses/due").replace("{table}", table)
        due = [_due(row) for row in await self._database.fetch(query, asked)]
        limiter = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for each in due:
                tasks.start_soon(self._one, each, limiter)
        return len(due)

    async def _one(self, due: Due, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            problem = ""
            try:
                with anyio.fail_after(CALL_SECONDS):
                    await self._send(due)
            except UnsaidError as error:
                problem = str(error)
            except TimeoutError:
                problem = f"{due.api} does not answer within {CALL_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001 - it is of this source, and keeps no other one waiting
                failed(LOOP)
                problem = f"it could not be said ({type(error).__name__}); the controller's log has more"
            said = due.said
            log.info("statuses.said", source=said.context, commit=said.commit, state=said.state, problem=problem)
            row = {
                "row": due.source, "commit": said.commit, "state": said.state, "sentence": said.sentence,
                "forge": due.token.place.id, "problem": problem, "kind": KINDS[SOURCE].word(), **self._lease.parameters,
            }  # fmt: skip
            try:
                await self._database.fetch(fenced("sources/statuses/said"), row)
            except TransientError as error:  # it is said once more, then
                log.debug("statuses.not_written", error=error.message)
            except psycopg.Error:  # such as where the source was deleted meanwhile
                failed(LOOP)

    async def _send(self, due: Due) -> None:
        try:
            token = self._vault.open_token(due.token).decode("latin-1")
        except (KeyUnavailable, ConfigUnreadable) as error:
            raise UnsaidError(f"{error}: `skypanel source statuses` sets it again") from None
        if not is_token(token):  # it stands in a header
            raise UnsaidError("the token is none that a header can have: `skypanel source statuses` sets it again")
        try:
            addresses = await self._hosts.addresses(f"{due.api}/")
        except SourceError as error:
            raise UnsaidError(error.message) from None
        parts = urlsplit(due.api)
        origin = Origin(parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS[parts.scheme])
        asked = call(due.forge, due.repository, token, due.said)
        if parts.scheme == "https" and self._trust is None:  # it reads files
            self._trust = await anyio.to_thread.run_sync(ssl.create_default_context)
        trust = self._trust if parts.scheme == "https" else None
        connection = None
        try:
            connection = await Connection.open(origin, addresses, trust, self._dial)
            answer = await connection.request(
                "POST", parts.path.rstrip("/") + asked.path, asked.headers, most_bytes=_ANSWER_BYTES, body=asked.body
            )
        except (NoAnswerError, BadAnswerError) as error:
            raise UnsaidError(f"{origin.authority} {error}") from None
        finally:
            if connection is not None:
                await connection.close()
        if 200 <= answer.status < 300 or _is_so_already(due.forge, answer.status, answer.body):
            return
        raise UnsaidError(
            f"{origin.authority} answers {answer.status} ({_words(answer.body, token)}): {_mend(answer.status)}"
        )


def _is_so_already(forge: str, status: int, body: bytes) -> bool:
    """GitLab refuses to change a state to what it is."""
    return forge == "gitlab" and status == 400 and b"Cannot transition status" in body


def _mend(status: int) -> str:
    if status in (401, 403):
        return "the token does not count, or may not write statuses of commits: `skypanel source statuses` sets another"
    if status == 404:
        return "the repository or the commit is not there for this token"
    if 300 <= status < 400:
        return "it sends elsewhere, where no token goes: name the address itself with --api"
    return "it is tried again" if status == 429 or status >= 500 else "it does not take what it is told"


def _words(body: bytes, token: str) -> str:
    text = " ".join(body[:2000].decode("utf-8", "replace").replace(token, "***").split())
    return "".join(c if c.isprintable() else "?" for c in text)[:_SHOWN] or "without a word"


def _due(row: Sequence[Any]) -> Due:
    source, organization, number, forge, api, key_id, ciphertext, key, kek, wrapped, repository, name = row[:12]
    commit, ready, stalled, sentence = row[12:]
    place = ForgePlace(organization, source, number, repository, forge, api)
    data_key = None if key is None else DataKey(key, organization, kek, wrapped)
    state = SUCCESS if ready else FAILURE if stalled else PENDING
    said = Said(commit, state, f"skypanel/{name}", sentence)
    return Due(source, repository, forge, api, SealedToken(place, key_id, ciphertext, data_key), said)
