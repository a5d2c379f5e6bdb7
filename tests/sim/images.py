"""Registries of a simulated world: every image is there, and what it is follows from its reference.

ports[Images].failures["registry.example.com/app:2"] = missing
ports[Images].images["registry.example.com/app:2"] = ImageFacts(...)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from reconcilers.images import ImageFacts, Images, Meaning
from reconcilers.logins import Login
from reconcilers.outcomes import ReconcileError, TerminalError, TransientError
from specs.images import parse_image
from specs.registries import registry_of
from tests.sim.ports import simulated

Failure = Callable[[str], ReconcileError]


def unavailable(reference: str) -> ReconcileError:
    """The registry does not answer."""
    said = f"the registry of {reference} answered 503; what runs goes on, and it is tried again"
    return TransientError("RegistryUnavailable", said)


def missing(reference: str) -> ReconcileError:
    """There is no such image."""
    return TerminalError("ImageNotFound", f"{reference} is not there: push it, or set an image that exists")


def denied(reference: str) -> ReconcileError:
    """It is not given to us."""
    return TerminalError("ImageDenied", f"{reference} is not given to us: set an image that everybody may pull")


def refused(reference: str) -> ReconcileError:
    """It does not run here."""
    return TerminalError("ImageRefused", f"{reference} cannot be used: it is for windows/amd64; set another image")


@simulated(Images)
class SimImages(Images):
    """What registries say in one world.

    Attributes:
        images: what is known of a reference, where it does not follow from it.
        failures: what happens instead, by reference.
        mirrored: what a mirror says that a tag means, pinned, by reference; others have none.
        private: who has to ask, by registry; others are given nothing there.
        signatures: the keys that have signed, by pinned reference.
        asked: every reference that was asked for, in order.
    """

    def __init__(self) -> None:
        self.images: dict[str, ImageFacts] = {}
        self.failures: dict[str, Failure] = {}
        self.mirrored: dict[str, str] = {}
        self.private: dict[str, Login] = {}
        self.asked: list[str] = []
        self.signatures: dict[str, set[str]] = {}

    async def look_up(self, reference: str, organization_id: str, login: Login | None = None) -> ImageFacts:
        """See ``Images``."""
        self.asked.append(reference)
        if self.private.get(registry_of(parse_image(reference).domain), login) != login:
            raise denied(reference)
        if reference in self.failures:
            raise self.failures[reference](reference)
        return self.images.get(reference) or facts_of(reference)

    async def newest(
        self,
        reference: str,
        organization_id: str,
        login: Login | None = None,
        *,
        within_seconds: float = 0.0,
        itself: bool = False,
    ) -> Meaning | None:
        """See ``Images``; nobody is told to come again."""
        if login is None and not itself and reference in self.mirrored:
            return Meaning(self.mirrored[reference], second_hand=True)
        found = await self.look_up(reference, organization_id, login)
        name = found.pinned.partition("@")[0]
        return Meaning(f"{name}@{found.digests[0]}" if found.digests else found.pinned)

    async def signed_by(
        self, pinned: str, keys: Sequence[str], organization_id: str, login: Login | None = None
    ) -> Sequence[str]:
        """See ``Images``."""
        self.asked.append(f"signatures of {pinned}")
        if pinned in self.failures:
            raise self.failures[pinned](pinned)
        return sorted(self.signatures.get(pinned, set()).intersection(keys))

    async def sign_in(self, login: Login) -> bool:
        """See ``Images``."""
        if login.registry in self.failures:
            raise self.failures[login.registry](login.registry)
        if self.private.get(login.registry, login) != login:
            raise TerminalError("LoginRefused", f"{login.registry} does not take the user {login.username}")
        return login.registry in self.private


def facts_of(reference: str) -> ImageFacts:
    """What ``reference`` means unless a scenario says otherwise."""
    image = parse_image(reference)
    digest = image.digest or f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"
    program = f"/bin/{image.path.rpartition('/')[2]}"
    return ImageFacts(f"{image.name}@{digest}", "amd64", (program,), ("serve", image.tag or "latest"))
