"""An OpenID Connect issuer that listens: what it publishes can be changed, and it counts who asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.access.issuing import jwk


@dataclass
class Issuer:
    """One, at an address of this machine."""

    address: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk()])
    status: int = 200
    redirect: str = ""
    drips: bool = False
    """One byte after another, without an end."""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> bytes:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.address, "jwks_uri": f"{self.address}/jwks"}).encode()
        return json.dumps({"keys": self.keys}).encode()


@contextmanager
def listening() -> Iterator[Issuer]:
    """An issuer, until the end."""
    issuer, gone = Issuer(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.answer(self.path)
            self.send_response(302 if issuer.redirect else issuer.status)
            if issuer.redirect:
                self.send_header("Location", issuer.redirect)
            if not issuer.drips:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            with suppress(OSError):
                while issuer.drips and not gone.wait(0.01):
                    self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            gone.set()
            server.shutdown()
            thread.join()
