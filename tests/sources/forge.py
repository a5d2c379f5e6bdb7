"""A forge that takes statuses of commits, on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Forge:
    """A forge on this machine; ``answer`` is what it says to the next ones."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (201, {}, b'{"id": 1}')
        self.silent = threading.Event()
        self.silent.set()
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                forge.asked.append((self.path, dict(self.headers.items()), json.loads(body)))
                forge.silent.wait(10)
                status, headers, said = forge.answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.authority}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.silent.set()
        self._server.shutdown()
        self._server.server_close()

    def states(self) -> list[tuple[str, str]]:
        """Commit and state of each that was said since this was asked last."""
        found = [(path.rpartition("/")[2], body["state"]) for path, _, body in self.asked]
        self.asked.clear()
        return found
