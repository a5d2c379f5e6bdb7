"""Registries, asked by the distribution protocol (OCI distribution-spec 1.1, and docker's before it).

    client = RegistryClient(Gate(Reach()))
    async with client.asking(Repository.of(parse_image("nginx:1"))) as asking:
        digest = await asking.digest_of("1")

What an answer can be is bounded in every direction, and what it says of itself is checked: nobody knows who runs a
registry that a tenant names.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from controller.kit import clock
from controller.registry.addresses import Gate
from controller.registry.credentials import Credentials, Tokens
from controller.registry.documents import DIGEST, INDEXES, MANIFESTS, Document
from controller.registry.errors import ImageDenied, ImageNotFound, ImageRefused, LoginRefused, RegistryUnavailable
from controller.registry.places import PORTS, Repository
from controller.registry.session import Session, unavailable
from controller.registry.wire import Answer, Dial

LOOK_SECONDS = 25.0
"""For all requests of one look-up; a reconcile gives a port 30."""
MANIFEST_BYTES = 4 << 20
CONFIG_BYTES = 8 << 20

_AT_ONCE = 4
_HELD_SECONDS = 5.0
_MOST_HELD = 1024
_CODES = frozenset(
    {
        "BLOB_UNKNOWN", "DENIED", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID",
        "NAME_UNKNOWN", "TOOMANYREQUESTS", "UNAUTHORIZED", "UNSUPPORTED",
    }
)  # fmt: skip
_CODE = re.compile(rb'"code"\s*:\s*"([A-Z_]{1,30})"')
_MEND = "push the image anew, or have whoever runs the registry look at it"


class RegistryClient:
    """All registries.

    Args:
        gate: which hosts may be asked.
        trust: whose certificates are good; None: those that the system trusts.
        dial: makes connections to addresses that were looked at.
        look_seconds: for all requests of one look-up; None: ``LOOK_SECONDS``.
        held_seconds: for how long, at least, one that did not answer in time, or said so, is not asked again.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        trust: ssl.SSLContext | None = None,
        dial: Dial = anyio.connect_tcp,
        look_seconds: float | None = None,
        held_seconds: float = 0.0,
    ) -> None:
        self._look_seconds = LOOK_SECONDS if look_seconds is None else look_seconds
        self._held_seconds = held_seconds
        self._gate = gate
        self._trust = trust
        self._dial = dial
        self._tokens = Tokens()
        self._turns: dict[str, anyio.Semaphore] = {}
        self._held: dict[str, tuple[float, RegistryUnavailable]] = {}

    @asynccontextmanager
    async def asking(self, repository: Repository, credentials: Credentials | None = None) -> AsyncIterator[Asking]:
        """Ask of one repository; raises as ``_session``."""
        async with self._session(repository, credentials) as session:
            yield Asking(session, repository)

    async def sign_in(self, registry: str, credentials: Credentials) -> bool:
        """Whether a registry asks for a user; if so, it takes this one.

        Raises:
            RegistryUnavailable: as ``asking``.
            LoginRefused: it does not take him, or is no registry.
        """
        async with self._session(Repository(registry, ""), credentials) as session:
            try:
                answer, asked = await session.sign_in()
            except ImageDenied as error:
                raise LoginRefused(registry, credentials.username, error.said) from None
            if answer.status in (408, 429) or answer.status >= 500:
                raise unavailable(session.asked, answer, f"answered {answer.status}")
            if answer.status != 200:
                raise LoginRefused(registry, credentials.username, f"{session.asked} answered {answer.status}")
            return asked

    @asynccontextmanager
    async def _session(self, repository: Repository, credentials: Credentials | None) -> AsyncIterator[Session]:
        """Ask of one repository, within a time for all and with few others that ask the same registry.

        Raises:
            RegistryUnavailable: as the methods do, and when a registry did not answer a short while ago.
        """
        host = repository.authority
        session = Session(
            gate=self._gate,
            trust=self._trusted,
            dial=self._dial,
            tokens=self._tokens,
            repository=repository,
            credentials=credentials,
        )
        try:
            async with self._turn(host):  # waiting for others is not the registry's delay
                with anyio.fail_after(self._look_seconds):
                    self._refuse_held(host)
                    try:
                        yield session
                    finally:
                        with anyio.CancelScope(shield=True):
                            await session.close()
        except TimeoutError:
            why = f"does not give what is asked for within {self._look_seconds:g} s"
            self._hold(host, late := RegistryUnavailable(host, why, again_seconds=_HELD_SECONDS))
            raise late from None
        except RegistryUnavailable as error:
            if error.host in _spellings(host):
                self._hold(host, error)
            raise

    async def _trusted(self) -> ssl.SSLContext:
        """The system's authorities are read when they are needed: that takes a tenth of a second."""
        if self._trust is None:
            self._trust = await anyio.to_thread.run_sync(ssl.create_default_context)
        return self._trust

    @asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        """One of few at once with a registry: one that is slow, or counts, is not asked by everybody."""
        turn = self._turns.setdefault(host, anyio.Semaphore(_AT_ONCE))
        try:
            async with turn:
                yield
        finally:
            if turn.value == _AT_ONCE and not turn.statistics().tasks_waiting:
                self._turns.pop(host, None)

    def _hold(self, host: str, error: RegistryUnavailable) -> None:
        if error.again_seconds and host not in self._held:
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            seconds = max(error.again_seconds, self._held_seconds)
            self._held[host] = (clock.monotonic() + seconds, error)

    def _refuse_held(self, host: str) -> None:
        """A host that said when to ask again, or did not answer in time, is not asked before."""
        until, error = self._held.get(host, (0.0, None))
        if error is None:
            return
        if clock.monotonic() < until:
            raise RegistryUnavailable(error.host, error.why)
        del self._held[host]


class Asking:
    """One look-up in one repository."""

    def __init__(self, session: Session, repository: Repository) -> None:
        self._session = session
        self._repository = repository

    async def digest_of(self, tag: str) -> str:
        """What a tag means now; empty when the registry does not say so by itself.

        Raises:
            ReconcileError: as ``document``.
        """
        answer = await self._session.get("HEAD", f"manifests/{tag}", accept=MANIFESTS + INDEXES, most_bytes=0)
        if answer.status in (400, 405, 501):  # some do not know HEAD
            return ""
        self._judge(answer, f"{self._repository}:{tag}")
        digest = answer.header("docker-content-digest")
        return digest if DIGEST.fullmatch(digest) else ""

    async def manifest(self, reference: str) -> Document:
        """A manifest or an index, by tag or by digest.

        Raises:
            RegistryUnavailable: the registry did not answer, or answered that it cannot now.
            ImageNotFound: there is none.
            ImageDenied: it is not given to us.
            ImageRefused: it is not what it is said to be.
        """
        image = f"{self._repository}{'@' if ':' in reference else ':'}{reference}"
        answer = await self._session.get(
            "GET", f"manifests/{reference}", accept=MANIFESTS + INDEXES, most_bytes=MANIFEST_BYTES
        )
        self._judge(answer, image)
        said = answer.header("docker-content-digest")
        wanted = [reference] if DIGEST.fullmatch(reference) else []
        for digest in [*wanted, *([said] if DIGEST.fullmatch(said) else [])]:
            _check_digest(image, answer.body, digest)
        digest = wanted[0] if wanted else f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        media_type = answer.header("content-type").partition(";")[0].strip().lower()
        return Document(digest, media_type, answer.body)

    async def referrers(self, digest: str) -> bytes:
        """What the registry says refers to a manifest; empty where it has no such answer: then a tag has it.

        Raises:
            ReconcileError: as ``manifest``; not ``ImageNotFound``.
        """
        answer = await self._session.get("GET", f"referrers/{digest}", accept=INDEXES, most_bytes=MANIFEST_BYTES)
        if answer.status in (400, 404, 405, 501):
            return b""
        self._judge(answer, f"{self._repository}@{digest}")
        return answer.body

    async def blob(self, digest: str, size: int) -> bytes:
        """A small blob.

        Args:
            digest: of it.
            size: as its descriptor says.

        Raises:
            ReconcileError: as ``manifest``.
        """
        image = f"{self._repository}@{digest}"
        if not 0 < size <= CONFIG_BYTES:
            raise ImageRefused(image, f"its config has {size} bytes, and at most {CONFIG_BYTES} are read", _MEND)
        answer = await self._session.get("GET", f"blobs/{digest}", accept=("*/*",), most_bytes=size)
        self._judge(answer, image)
        if len(answer.body) != size:
            raise ImageRefused(image, f"it has {len(answer.body)} bytes, and its manifest says {size}", _MEND)
        _check_digest(image, answer.body, digest)
        return answer.body

    def _judge(self, answer: Answer, image: str) -> None:
        """Refuse an answer that is not what was asked for."""
        if answer.status == 200:
            return
        host = self._session.asked
        code = _CODE.search(answer.body[:4096])
        named = f" {word}" if code and (word := code[1].decode()) in _CODES else ""
        said = f"{host} answered {answer.status}{named}"
        if answer.status in (401, 403):
            raise ImageDenied(image, said)
        if answer.status == 404:
            raise ImageNotFound(image, said)
        if answer.status in (408, 429) or answer.status >= 500:
            raise unavailable(host, answer, f"answered {answer.status}{named}")
        raise ImageRefused(image, said, _MEND)


def _spellings(host: str) -> tuple[str, ...]:
    """As errors call it, which say no port that is a scheme's own."""
    return host, *(host.removesuffix(f":{port}") for port in PORTS.values())


def _check_digest(image: str, body: bytes, digest: str) -> None:
    algorithm, _, wanted = digest.partition(":")
    if hashlib.new(algorithm, body).hexdigest() != wanted:
        raise ImageRefused(image, f"what the registry sends is not {digest}", _MEND)
