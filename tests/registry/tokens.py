"""A token service for a registry: who shows a user and a password gets a token that ends soon.

As registries of the wild have it: the registry answers 401 and names this service, which signs what a user may pull.
It listens in as many networks as a test has places, under one address, and writes down from where it was asked.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

SERVICE, ISSUER = "registry-of-the-tests", "tokens-of-the-tests"
_LEEWAY = 60
"""Seconds that Debian's registry takes a token for after its end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was put to the service.

    Args:
        place: the network that it came from.
        user: who asked; empty: nobody said.
        given: what the token lets him do, such as ``private/web:pull``; None: there was no token for him.
    """

    place: str
    user: str
    given: tuple[str, ...] | None


@dataclass(eq=False)
class Tokens:
    """Who has which password, and whose what is.

    Args:
        port: of the loopback of every place.
        passwords: by user.
        owners: the user who may pull and push below a path, by the path's first part.
        seconds: that a token is good for.
    """

    port: int
    passwords: dict[str, str]
    owners: Mapping[str, str]
    seconds: int = 10
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        own = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .sign(self._key, SHA256())
        )
        self.certificate = own.public_bytes(Encoding.PEM)
        self._chain = base64.b64encode(own.public_bytes(Encoding.DER)).decode()

    @property
    def realm(self) -> str:
        """Where the registry sends to."""
        return f"http://127.0.0.1:{self.port}/token"

    def pulled(self, place: str) -> list[str]:
        """Scopes of the tokens that were given to a place for pulls alone; the last one last."""
        scopes = (scope for asked in self.asked if asked.place == place for scope in asked.given or ())
        return [scope for scope in scopes if scope.endswith(":pull")]

    def answer(self, place: str, authorization: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and document for a question."""
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if user and self.passwords.get(user) != password:
            self.asked.append(Asked(place, user, None))
            return 401, {"details": "wrong user or password"}
        wanted = [scope.split(":") for several in query.get("scope", []) for scope in several.split()]
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in wanted
            if user and self.owners.get(name.partition("/")[0]) == user
        ]
        given = tuple(f"{one['name']}:{','.join(one['actions'])}" for one in access)
        self.asked.append(Asked(place, user, given))
        return 200, {"token": self.token(user, access), "expires_in": self.seconds}

    def token(self, user: str, access: list[dict[str, Any]]) -> str:
        """A signed one, good from now on."""
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [self._chain]}
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": user, "access": access, "jti": str(time.time_ns())}
        body = f"{_part(head)}.{_part({**claims, 'iat': now, 'nbf': now, 'exp': now + self.seconds - _LEEWAY})}"
        r, s = decode_dss_signature(self._key.sign(body.encode(), ec.ECDSA(SHA256())))
        return f"{body}.{_url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    @contextmanager
    def listening(self, place: str, listener: socket.socket) -> Iterator[None]:
        """Answer at a socket that is bound; it was made in the network that is called ``place``."""
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                status, document = tokens.answer(place, self.headers.get("Authorization", ""), query)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: what is sent here are passwords."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _part(document: Mapping[str, Any]) -> str:
    return _url(json.dumps(document).encode())


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
