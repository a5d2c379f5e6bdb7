"""The real ``Sources``: git and folders of this machine, and the database; each call in a thread of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from controller.declared.config_documents import ConfigDocuments
from controller.postgres.database import Database
from controller.postgres.statements import statement
from controller.settings import Settings
from controller.sources import scratch
from controller.sources.command import GitFailedError, GitMissingError
from controller.sources.declaring import Desk, read
from controller.sources.fetching import Access, Repositories
from controller.sources.files import digest_of, of_commit, of_folder
from controller.sources.hosts import Hosts
from controller.sources.signatures import signed_by
from controller.store.lease import Lease
from controller.vault.sealed import DataKey, IdentitiesPlace, Seal, SealedIdentities, SealedPassword, SourcePlace
from controller.vault.sops import Identities
from controller.vault.vault import ConfigUnreadable, KeyUnavailable
from reconcilers.outcomes import ConflictError, NotReadyError
from reconcilers.sources import Declared, SourceError, Sources, Verify, Wanted
from specs.doubts import of_variables
from specs.encrypted import Opener, UnopenedError
from specs.loader import Files
from specs.problems import RefusedError
from specs.sources import place_of
from specs.yaml_text import YamlDocument

R = TypeVar("R")
_THREADS = 4
_REMEMBERED = 8
_DOUBTS = 20
_AGAIN_SECONDS = 30.0


class GitSources(Sources):
    """Of one controller process.

    Args:
        settings: hosts, folders, the login that declares.
        database: where passwords are, as ciphertext.
        lease: of this process.
        cache: folder for repositories; None: one that goes with the process.
    """

    def __init__(self, settings: Settings, database: Database, lease: Lease, cache: Path | None = None) -> None:
        self._database = database
        self._lease = lease
        self._vault = settings.vault
        self._root = settings.skypanel_source_root
        self._hosts = Hosts(settings.skypanel_source_hosts)
        self._cache = cache
        self._desk = Desk(settings.skypanel_api_database_url.get_secret_value(), settings.options)
        self._limiter: anyio.CapacityLimiter | None = None
        self._verified: dict[str, tuple[str, Verify | None]] = {}
        self._read: OrderedDict[tuple[str, ...], tuple[Files, int]] = OrderedDict()

    async def fetch(self, wanted: Wanted) -> str:
        """See ``Sources``."""
        if wanted.repository is None:
            return digest_of(await self._in_thread(lambda: of_folder(*self._folder(wanted), wanted.path)))
        addresses = await self._hosts.addresses(wanted.repository)
        access = Access(addresses, await self._password(wanted))
        repositories = self._repositories
        return await self._in_thread(lambda: repositories.fetch(wanted, access))

    async def verify(self, wanted: Wanted, commit: str) -> str:
        """See ``Sources``."""
        self._verified.pop(wanted.id, None)
        repositories = self._repositories

        def look() -> str:
            try:
                return signed_by(wanted, repositories.place(wanted), commit, datetime.now(UTC))
            except (GitFailedError, GitMissingError, OSError):
                raise _absent() from None

        signed = await self._in_thread(look)
        self._verified[wanted.id] = commit, wanted.verify
        return signed

    async def declare(self, wanted: Wanted, commit: str) -> Declared:
        """See ``Sources``."""
        if wanted.verify is not None and self._verified.get(wanted.id) != (commit, wanted.verify):
            raise ConflictError("SourceChanged", "nobody has looked who signed this commit; it is read again")
        identities = await self._identities(wanted)
        found, files = await self._in_thread(lambda: self._entries(wanted, commit, identities))
        variables = await self._variables(wanted, found)
        lease = self._lease.parameters
        doubts = tuple(islice(of_variables(found.variables), _DOUBTS))
        try:
            declared = await self._in_thread(
                lambda: self._desk.declare(wanted, commit, found.resources, files, lease, variables=variables)
            )
            return replace(declared, doubts=doubts)
        except KeyUnavailable as error:
            raise NotReadyError("KeyUnavailable", f"{error}; it is tried again", retry_after=_AGAIN_SECONDS) from None
        except ConfigUnreadable as error:
            raise SourceError("KeyUnavailable", str(error)) from None

    async def _variables(self, wanted: Wanted, found: Files) -> ConfigDocuments | None:
        """Config vars that the files declare. Whether a value is there already is looked up as the controller, which
        may read ciphertext: the login that writes could try values with it.
        """
        if not found.variables:
            return None
        seals: dict[tuple[str, str], Seal] = {}
        variables = ConfigDocuments(
            found.variables,
            self._vault,
            lambda _, owner, names: {name: seals[owner.id, name] for name in names if (owner.id, name) in seals},
        )
        asked = {"tenant": wanted.organization_id, "names": sorted(variables.names())}
        for owner, name, *row in await self._database.fetch(statement("sources/rows/seals"), asked):
            seals[owner, name] = Seal(*row)
        return variables

    async def _identities(self, wanted: Wanted) -> Identities | None:
        """What encrypted files of the source are opened with: its own key, and none of this machine's."""
        if wanted.identities is None:
            return None
        rows = await self._database.fetch(statement("sources/rows/identities"), {"id": wanted.id})
        if not rows or rows[0][2] != wanted.identities:
            raise ConflictError("SourceChanged", "the source has changed since it was read; it is read again")
        organization, row_id, version, key_id, ciphertext, key, kek, wrapped = rows[0]
        place = IdentitiesPlace(organization, row_id, version)
        data_key = None if key is None else DataKey(key, organization, kek, wrapped)
        try:
            text = self._vault.open_identities(SealedIdentities(place, key_id, ciphertext, data_key)).decode()
            return await self._in_thread(lambda: Identities(text))
        except KeyUnavailable as error:
            raise NotReadyError("KeyUnavailable", f"{error}; it is tried again", retry_after=_AGAIN_SECONDS) from None
        except (ConfigUnreadable, UnicodeDecodeError, RefusedError) as error:
            said = error if isinstance(error, ConfigUnreadable) else f"{place.words} is none"
            raise SourceError("AgeKeyUnreadable", f"{said}: set it again with `skypanel source key`") from None

    def _entries(self, wanted: Wanted, commit: str, identities: Identities | None) -> tuple[Files, int]:
        """What the commit declares; the last few are remembered, as most looks find what the last one found."""
        opens = identities.recipients if identities else ()
        key = (wanted.id, wanted.organization, wanted.path, commit, repr(wanted.values), *opens)
        if key in self._read:
            self._read.move_to_end(key)
            return self._read[key]
        if wanted.repository is None:
            files = of_folder(*self._folder(wanted), wanted.path)
            if digest_of(files) != commit:
                raise ConflictError("SourceChanged", "the folder has changed since it was read; it is read again")
        else:
            try:
                files = of_commit(self._repositories.place(wanted), commit, wanted.path)
            except (GitFailedError, GitMissingError, OSError):
                raise _absent() from None
        opener = identities.open if identities else _no_key(wanted)
        values = None if wanted.values is None else dict(wanted.values)
        found = read(files, wanted.organization, opener, values), len(files)
        self._read[key] = found
        while len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return found

    def _folder(self, wanted: Wanted) -> tuple[Path, str]:
        if self._root is None or not self._root.is_dir():
            raise SourceError(
                "SourceRefused",
                "no folder of the controller's machine may be read: the operator sets SKYPANEL_SOURCE_ROOT",
            )
        return self._root / wanted.organization, wanted.directory or "."

    async def _password(self, wanted: Wanted) -> str | None:
        if wanted.revision is None:
            return None
        rows = await self._database.fetch(statement("sources/rows/sealed"), {"id": wanted.id})
        if not rows or rows[0][5] != wanted.revision:
            raise ConflictError("SourceChanged", "the source has changed since it was read; it is read again")
        organization, row_id, repository, username, version, revision, key_id, ciphertext, key, kek, wrapped = rows[0]
        place = SourcePlace(organization, row_id, repository or "", username or "", version)
        data_key = None if key is None else DataKey(key, organization, kek, wrapped)
        try:
            return self._vault.open_password(SealedPassword(place, revision, key_id, ciphertext, data_key)).decode()
        except KeyUnavailable as error:
            raise NotReadyError("KeyUnavailable", f"{error}; it is tried again", retry_after=_AGAIN_SECONDS) from None
        except (ConfigUnreadable, UnicodeDecodeError) as error:
            said = error if isinstance(error, ConfigUnreadable) else f"{place.words} is no text"
            raise SourceError("PasswordUnreadable", f"{said}: set it again with {_command(place)}") from None

    @cached_property
    def _repositories(self) -> Repositories:
        """In a folder that goes with the process; asked for in the event loop, so that there is one."""
        if self._cache is not None:
            return Repositories(self._cache)
        self._cache = scratch.make()
        return Repositories(self._cache, clear=scratch.clear)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        self._limiter = self._limiter or anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)


def _no_key(wanted: Wanted) -> Opener:
    def refuse(_: Sequence[YamlDocument]) -> list[YamlDocument]:
        mend = f"`skypanel source key {wanted.organization}/{wanted.name}` sets one, and says for whom to encrypt"
        raise UnopenedError("is encrypted with SOPS, and the source has no age key", mend)

    return refuse


def _command(place: SourcePlace) -> str:
    return f"`skypanel source {'ssh' if place_of(place.repository).scheme == 'ssh' else 'password'}`"


def _absent() -> ConflictError:
    return ConflictError("SourceChanged", "the commit is not here any more; it is fetched again")
