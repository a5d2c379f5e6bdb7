"""The port ``Images``: what a reference means, asked of its registry, and of the engine where that knows better.

What was built or loaded on the engine, and never pushed, works without a registry (docs/adr/0024). What a digest means
never changes, so it is kept; what a tag means is asked each time, once for all who ask at once. Both are kept by who
asked: what a registry gave to one user is nothing that another one sees.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import anyio

from controller.registry.addresses import Gate, Reach
from controller.registry.client import RegistryClient
from controller.registry.credentials import Credentials
from controller.registry.errors import ImageDenied, ImageNotFound, ImageRefused, RegistryUnavailable
from controller.registry.manifests import config, config_of, facts_of, image_for, is_index
from controller.registry.places import DEFAULT_TAG, Repository
from reconcilers.helper import ARCHITECTURES
from reconcilers.images import ImageFacts, Images
from reconcilers.logins import Login
from reconcilers.outcomes import ReconcileError
from specs.images import ImageReference, parse_image
from specs.problems import RefusedError
from specs.registries import check_registry, registry_of

_MOST_KEPT = 4096


class Engine(Protocol):
    """What the manager's engine has. ``controller.swarm.local_images`` is the real one."""

    async def architecture(self) -> str:
        """Of its machine, as Go calls it.

        Raises:
            TransientError: it did not answer.
        """

    async def image(self, name: str) -> Mapping[str, Any] | None:
        """What it has under a reference or a prefix of an id, inspected; None: nothing.

        Raises:
            TransientError: it did not answer.
        """


@dataclass(frozen=True, slots=True)
class _Local:
    """An image of the engine; ``digests``: under which it knows it in the repository that is asked of."""

    document: Mapping[str, Any]
    digests: Sequence[str]


class RegistryImages(Images):
    """The real adapter.

    Args:
        engine: the manager's.
        reach: which registries may be asked.
        client: how; None: one of its own.
    """

    def __init__(self, engine: Engine, reach: Reach, client: RegistryClient | None = None) -> None:
        self._engine = engine
        self._allowed = reach.allowed
        self._client = client or RegistryClient(Gate(reach))
        self._kept: OrderedDict[tuple[Repository, str, Credentials | None], ImageFacts] = OrderedDict()
        self._flights: dict[tuple[str, Credentials | None], _Flight] = {}

    async def look_up(self, reference: str, organization_id: str, login: Login | None = None) -> ImageFacts:  # noqa: ARG002 - its user says enough
        """See ``Images``."""
        try:
            parsed = parse_image(check_registry(reference, self._allowed))
        except RefusedError as error:
            raise ImageRefused(reference, error.message, error.hint) from None
        user = None if login is None else Credentials(login.username, login.password)
        try:
            return await self._once((reference, user), lambda: self._look_up(parsed, user))
        except ImageDenied as error:
            raise ImageDenied(error.image, error.said, user.username if user else "") from None

    async def sign_in(self, login: Login) -> bool:
        """See ``Images``."""
        return await self._client.sign_in(registry_of(login.registry), Credentials(login.username, login.password))

    async def _once(
        self, asked: tuple[str, Credentials | None], ask: Callable[[], Awaitable[ImageFacts]]
    ) -> ImageFacts:
        """Who asks while another does gets the same answer; when that one is cut off, the next one asks."""
        while (flight := self._flights.get(asked)) is not None:
            await flight.over.wait()
            if flight.facts is not None:
                return flight.facts
            if flight.error is not None:
                raise flight.error.with_traceback(None)
        flight = self._flights[asked] = _Flight()
        try:
            flight.facts = await ask()
        except ReconcileError as error:
            flight.error = error
            raise
        finally:
            del self._flights[asked]
            flight.over.set()
        return flight.facts

    async def _look_up(self, reference: ImageReference, user: Credentials | None) -> ImageFacts:
        repository = Repository.of(reference)
        if reference.digest and (known := self._known(repository, reference.digest, reference, user)):
            return known
        local = await self._local(repository, reference)
        if local is not None and reference.digest:
            told = _told(reference, _pinned(reference, reference.digest), local)
            return self._keep(repository, reference.digest, told, user)
        if local is not None and not local.digests:
            return _told(reference, str(reference), local)
        try:
            return await self._of_registry(repository, reference, user)
        except (RegistryUnavailable, ImageNotFound, ImageDenied) as error:
            away = isinstance(error, RegistryUnavailable) and not error.absent
            if local is None or away:
                raise
            return _told(reference, _pinned(reference, local.digests[0]), local)

    # -- the engine's ------------------------------------------------------------------------------------------------

    async def _local(self, repository: Repository, reference: ImageReference) -> _Local | None:
        """What the engine has under exactly this reference."""
        tag = reference.tag or DEFAULT_TAG
        name = _pinned(reference, reference.digest) if reference.digest else f"{reference.name}:{tag}"
        document = await self._engine.image(name)
        if document is None:
            return None
        digests = [r.digest for r in _references(document, "RepoDigests") if Repository.of(r) == repository]
        tags = [r.tag for r in _references(document, "RepoTags") if Repository.of(r) == repository]
        exact = reference.digest in digests if reference.digest else tag in tags
        return _Local(document, sorted(digests)) if exact else None  # else it took the name for an id

    # -- the registry's ----------------------------------------------------------------------------------------------

    async def _of_registry(
        self, repository: Repository, reference: ImageReference, user: Credentials | None
    ) -> ImageFacts:
        image, asked = str(reference), reference.tag or DEFAULT_TAG
        architectures = await self._architectures()
        async with self._client.asking(repository, user) as asking:
            if digest := reference.digest or await asking.digest_of(asked):
                if known := self._known(repository, digest, reference, user):
                    return known
                asked = digest
            found = await asking.manifest(asked)
            manifest = found
            if is_index(image, found):
                manifest = await asking.manifest(image_for(image, found, architectures).digest)
            where = config_of(image, manifest)
            body = await asking.blob(where.digest, where.size)
        facts = facts_of(image, _pinned(reference, found.digest), config(image, body))
        return self._keep(repository, found.digest, facts, user)

    async def _architectures(self) -> list[str]:
        """Those that images may be for, that of the engine first."""
        own = await self._engine.architecture()
        return sorted(ARCHITECTURES, key=lambda name: name != own)

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _known(
        self, repository: Repository, digest: str, reference: ImageReference, user: Credentials | None
    ) -> ImageFacts | None:
        found = self._kept.get((repository, digest, user))
        if found is None:
            return None
        self._kept.move_to_end((repository, digest, user))
        return (
            found
            if found.pinned.startswith(f"{reference.name}@")
            else replace(found, pinned=_pinned(reference, digest))
        )

    def _keep(self, repository: Repository, digest: str, facts: ImageFacts, user: Credentials | None) -> ImageFacts:
        self._kept[repository, digest, user] = facts
        self._kept.move_to_end((repository, digest, user))
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return facts


@dataclass(slots=True)
class _Flight:
    """A look-up on its way; neither facts nor an error when it is over: it was cut off."""

    over: anyio.Event = field(default_factory=anyio.Event)
    facts: ImageFacts | None = None
    error: ReconcileError | None = None


def _told(reference: ImageReference, pinned: str, local: _Local) -> ImageFacts:
    return facts_of(str(reference), pinned, local.document)


def _pinned(reference: ImageReference, digest: str) -> str:
    return f"{reference.name}@{digest}"


def _references(document: Mapping[str, Any], field_name: str) -> list[ImageReference]:
    """What an engine calls an image; names that are no references are left out."""
    found = []
    for text in document.get(field_name) or ():
        try:
            found.append(parse_image(text))
        except RefusedError:
            continue
    return found
