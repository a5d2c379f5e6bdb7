"""A small internet in this process: names, public addresses, and one server with TLS that says what a test wants.

Every name leads to a public address of its own and every address to the server, so that whoever is asked is asked as
in the wild: by a name that is resolved, with a certificate that is checked.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.registry.addresses import Gate, Reach
from controller.registry.client import RegistryClient
from controller.registry.documents import CONFIGS, INDEXES, MANIFESTS
from controller.registry.images import RegistryImages
from controller.registry.mirror_settings import read_mirrors
from controller.registry.mirrors import Mirrors
from tests.registry.engine import StandIn

REGISTRY, AUTH, BLOBS = "registry.example.com", "auth.example.com", "blobs.example.com"
TLS_HELLO = 0x16
MIRROR = "mirror.example.com"
NAMES = (REGISTRY, AUTH, BLOBS, "registry-1.docker.io", MIRROR)
IMAGE = f"{REGISTRY}/team/app:1"


@dataclass(frozen=True, slots=True)
class Request:
    """One that came; header names in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]


Sent = bytes | Iterable[bytes]
Says = Callable[[Request], Sent]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer; ``content_type`` and so on."""
    named = {"content_length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items() if value)
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(slots=True)
class Server:
    """What a registry has; whatever a test changes of it, it says.

    Args:
        config, manifest: documents of the one image that it has.
        says: answers first where it gives something.
    """

    config: dict[str, Any] = field(
        default_factory=lambda: {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}}
    )
    manifest: dict[str, Any] = field(default_factory=dict)
    says: Callable[[Request], Sent | None] = lambda _: None
    asked: list[Request] = field(default_factory=list)

    @property
    def config_body(self) -> bytes:
        return json.dumps(self.config).encode()

    @property
    def manifest_body(self) -> bytes:
        config = {"mediaType": CONFIGS[1], "digest": digest(self.config_body), "size": len(self.config_body)}
        document = {"schemaVersion": 2, "mediaType": MANIFESTS[1], "config": config, "layers": [], **self.manifest}
        return json.dumps({name: value for name, value in document.items() if value is not None}).encode()

    def answer(self, request: Request) -> Sent:
        """What is said to a request."""
        self.asked.append(request)
        if (said := self.says(request)) is not None:
            return said
        return self.honest(request)

    def honest(self, request: Request) -> bytes:
        """As a good registry."""
        manifest, config = self.manifest_body, self.config_body
        match request.path.split("/")[-2:]:
            case ["manifests", name] if name in ("1", digest(manifest)):
                kind = str(json.loads(manifest).get("mediaType") or MANIFESTS[1])
                whole = reply(200, manifest, content_type=kind, docker_content_digest=digest(manifest))
                return whole if request.method == "GET" else whole.removesuffix(manifest)
            case ["blobs", name] if name == digest(config):
                return reply(200, config, content_type="application/octet-stream")
        return reply(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "a-secret"}]}')


class Internet:
    """Names and their addresses; what leads where is open to tests.

    Args:
        port: of the server.
        trust: whose certificates are good.
        server: what answers.
    """

    def __init__(self, port: int, trust: ssl.SSLContext, server: Server) -> None:
        self._port = port
        self._trust = trust
        self.server = server
        self.names: dict[str, list[str]] = {name: [f"93.184.216.{n}"] for n, name in enumerate(NAMES, 1)}
        self.dialled: list[tuple[str, int]] = []

    async def resolve(self, host: str) -> Sequence[str]:
        """As a resolver."""
        if host[0].isdigit() or ":" in host:
            return [host]
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.names[host]

    async def dial(self, address: str, port: int) -> anyio.abc.ByteStream:
        """As the network."""
        self.dialled.append((address, port))
        return await anyio.connect_tcp("127.0.0.1", self._port)

    def client(self, *allowed: str) -> RegistryClient:
        """One that lives here."""
        return RegistryClient(Gate(Reach(allowed=allowed), self.resolve), trust=self._trust, dial=self.dial)

    def images(self, *allowed: str, engine: StandIn | None = None, mirrors: Sequence[str] = ()) -> RegistryImages:
        """The port, asking here."""
        reach = Reach(allowed=allowed)
        named = Mirrors(reach, read_mirrors(mirrors), resolve=self.resolve, trust=self._trust, dial=self.dial)
        return RegistryImages(engine or StandIn(), reach, self.client(*allowed), named)


@contextmanager
def listening(context: ssl.SSLContext | None, server: Server) -> Iterator[int]:
    """Serve on a port; a thread a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, server), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext | None, server: Server) -> None:
    with suppress(OSError):
        while True:
            taken, _ = listener.accept()
            threading.Thread(target=_serve, args=(taken, context, server), daemon=True).start()


def _serve(taken: socket.socket, context: ssl.SSLContext | None, server: Server) -> None:
    with (
        suppress(OSError, ValueError),
        taken,
        context.wrap_socket(taken, server_side=True) if context else taken as sock,
    ):
        sock.settimeout(10)
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                if not (data := sock.recv(65536)) or data[0] == TLS_HELLO:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            said = server.answer(Request(method, headers["host"], path, headers))
            for part in [said] if isinstance(said, bytes) else said:
                sock.sendall(part)
            if not isinstance(said, bytes):
                return


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs certificates here."""

    trust: ssl.SSLContext
    serving: ssl.SSLContext


def authority(folder: Path) -> Authority:
    """A new one, with a certificate for all names."""
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    root = _certificate(issuer, issuer, key, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    leaf = _certificate(issuer, x509.Name([]), own, key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) for name in NAMES]), critical=False
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "ca.pem").write_bytes(root.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.pem").write_bytes(
        own.private_bytes(pem, *plain) + leaf.sign(key, hashes.SHA256()).public_bytes(pem)
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.pem")
    return Authority(ssl.create_default_context(cafile=str(folder / "ca.pem")), serving)


def _certificate(issuer: x509.Name, subject: x509.Name, key: Any, signer: Any) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def index_of(*entries: Mapping[str, Any]) -> dict[str, Any]:
    """Changes that make an index of a manifest."""
    return {"mediaType": INDEXES[1], "config": None, "layers": None, "manifests": list(entries)}
