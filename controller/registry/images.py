"""The port ``Images``: what a reference means, asked of its registry, and of the engine where that knows better.

What was built or loaded on the engine, and never pushed, works without a registry (docs/adr/0024). What a digest means
never changes, so it is kept; what a tag means is asked each time, once for all who ask at once. Both are kept by who
asked: what a registry gave to one user is nothing that another one sees.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import anyio
import structlog

from controller.registry.addresses import Gate, Reach
from controller.registry.client import Asking, RegistryClient
from controller.registry.credentials import Credentials
from controller.registry.documents import DIGEST
from controller.registry.errors import ImageDenied, ImageNotFound, ImageRefused, RegistryUnavailable
from controller.registry.manifests import config, config_of, facts_of, goes_by_itself, image_for, is_index
from controller.registry.mirrors import Mirrors
from controller.registry.newest import Newest
from controller.registry.places import DEFAULT_TAG, Repository
from controller.registry.signatures import key_of, signers
from reconcilers.helper import ARCHITECTURES
from reconcilers.images import ImageFacts, Images, Meaning
from reconcilers.logins import Login
from reconcilers.outcomes import ReconcileError
from specs.images import ImageReference, parse_image
from specs.problems import RefusedError
from specs.registries import HUB, check_registry, registry_of

log = structlog.get_logger(__name__)

T = TypeVar("T")
_MOST_KEPT = 4096
_NOBODY_S = "library/"


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
        mirrors: who is asked before a registry, on behalf of nobody; None: nobody.
    """

    def __init__(
        self, engine: Engine, reach: Reach, client: RegistryClient | None = None, mirrors: Mirrors | None = None
    ) -> None:
        self._mirrors = mirrors or Mirrors(reach, {})
        self._engine = engine
        self._allowed = reach.allowed
        self._client = client or RegistryClient(Gate(reach))
        self._kept: OrderedDict[tuple[Repository, str, Credentials | None], ImageFacts] = OrderedDict()
        self._flights: dict[tuple[str, Credentials | None], _Flight] = {}
        self._newest = Newest()

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

    async def newest(
        self,
        reference: str,
        organization_id: str,  # noqa: ARG002 - its user says enough
        login: Login | None = None,
        *,
        within_seconds: float = 0.0,
        itself: bool = False,
    ) -> Meaning | None:
        """See ``Images``."""
        try:
            parsed = parse_image(check_registry(reference, self._allowed))
        except RefusedError as error:
            raise ImageRefused(reference, error.message, error.hint) from None
        user = None if login is None else Credentials(login.username, login.password)
        repository = Repository.of(parsed)
        alone = itself or user is not None or not any(self._mirrors.of(repository))
        return await self._newest.of(
            repository.authority,
            (reference, user, alone),
            within_seconds,
            lambda: self._means(parsed, repository, user, alone=alone),
            user=user,
            patient=alone,
        )

    async def signed_by(
        self,
        pinned: str,
        keys: Sequence[str],
        organization_id: str,  # noqa: ARG002 - its user says enough
        login: Login | None = None,
    ) -> Sequence[str]:
        """See ``Images``."""
        try:
            parsed = parse_image(check_registry(pinned, self._allowed))
            good = {key: key_of(key) for key in keys}
        except (RefusedError, ValueError):
            raise ImageRefused(pinned, "who has signed it cannot be looked up", "mend the keys") from None
        user = None if login is None else Credentials(login.username, login.password)
        repository = Repository.of(parsed)
        try:
            async with self._client.asking(repository, user) as asking:
                found = await signers(asking, parsed.digest, good)
        except ImageDenied as error:
            raise ImageDenied(error.image, error.said, user.username if user else "") from None
        return sorted(found)

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
        if local is not None and not local.digests:
            return _told(reference, str(reference), local)
        try:
            return await self._of_registry(repository, reference, user)
        except (RegistryUnavailable, ImageNotFound, ImageDenied) as error:
            if local is None or not _is_only_ours(repository, error):
                raise
            return _told(reference, _pinned(reference, reference.digest or local.digests[0]), local)

    async def _means(
        self, reference: ImageReference, repository: Repository, user: Credentials | None, *, alone: bool
    ) -> Meaning:
        """The content of a tag; of an image that only the engine has, the reference itself. ``alone``: asked of the
        registry itself.
        """
        local = await self._local(repository, reference)
        if local is not None and not local.digests:
            return Meaning(str(reference))
        tag = reference.tag or DEFAULT_TAG

        async def ask(asking: Asking) -> str:
            return _pinned(reference, await asking.digest_of(tag) or (await asking.manifest(tag)).digest)

        try:
            found, second_hand = await self._first(repository, user, ask, alone=alone)
            return Meaning(found, second_hand)
        except (RegistryUnavailable, ImageNotFound, ImageDenied) as error:
            if local is None or not _is_only_ours(repository, error):
                raise
            return Meaning(_pinned(reference, local.digests[0]))

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
        image = str(reference)
        architectures = await self._architectures()

        async def ask(asking: Asking) -> ImageFacts:
            asked = reference.tag or DEFAULT_TAG
            if digest := reference.digest or await asking.digest_of(asked):
                if known := self._known(repository, digest, reference, user):
                    return known
                asked = digest
            found = await asking.manifest(asked)
            manifest = named = found
            if is_index(image, found):
                manifest = await asking.manifest(image_for(image, found, architectures).digest)
                named = manifest if goes_by_itself(found, architectures) else found
            where = config_of(image, manifest)
            body = await asking.blob(where.digest, where.size)
            facts = replace(
                facts_of(image, _pinned(reference, named.digest), config(image, body)),
                digests=tuple(dict.fromkeys((found.digest, manifest.digest, where.digest))),
            )
            return self._keep(repository, found.digest, facts, user)

        facts, _ = await self._first(repository, user, ask, alone=user is not None)
        return facts

    async def _first(
        self, repository: Repository, user: Credentials | None, ask: Callable[[Asking], Awaitable[T]], *, alone: bool
    ) -> tuple[T, bool]:
        """What the first of its mirrors says that says anything; else the registry, which alone knows users. With
        whether it was a mirror. ``alone``: none is asked.
        """
        for client, there in () if alone else self._mirrors.of(repository):
            try:
                async with client.asking(there) as asking:
                    return await ask(asking), True
            except ReconcileError as error:
                log.info(
                    "registry.mirror_passed_over", mirror=there.authority, reason=error.reason, image=str(repository)
                )
        async with self._client.asking(repository, user) as asking:
            return await ask(asking), False

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
            else replace(found, pinned=_pinned(reference, found.pinned.partition("@")[2]))
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


def _is_only_ours(repository: Repository, error: ReconcileError) -> bool:
    """Whether a failed look-up says that the image is in no registry, and so nobody's who may keep it for himself.

    What a registry does not give to this user, another one may have pulled here. ``library`` of Docker Hub has nothing
    that is private.
    """
    if isinstance(error, RegistryUnavailable):
        return error.absent
    return repository.registry == HUB and repository.path.startswith(_NOBODY_S)


def _told(reference: ImageReference, pinned: str, local: _Local) -> ImageFacts:
    own = str(local.document.get("Id") or "")
    digests = dict.fromkeys((*local.digests, *((own,) if DIGEST.fullmatch(own) else ())))
    return replace(facts_of(str(reference), pinned, local.document), digests=tuple(digests))


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
