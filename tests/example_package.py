"""The example of docs/extending.md, installed into a folder as pip leaves it there, and the postmaster it talks to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.installed import ROOT, install

FOLDER = ROOT / "tests" / "example"
SETTINGS = {"ACME_MAIL_KEY": "k" * 32}


def files() -> dict[str, str]:
    """Its files, by their paths in the package's folder."""
    found = (path for path in sorted(FOLDER.rglob("*")) if path.suffix in {".py", ".sql"})
    return {str(path.relative_to(FOLDER)): path.read_text(encoding="utf-8") for path in found}


def install_example(folder: Path) -> None:
    """Put it into ``folder``."""
    install(folder, "acme-mail", "acme_mail", files())


class Postmaster(ThreadingHTTPServer):
    """Accounts by domain; it serves while it is entered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Account)
        self.accounts: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Account(BaseHTTPRequestHandler):
    """One call."""

    server: Postmaster

    def do_GET(self) -> None:
        found = self.server.accounts.get(self._domain)
        self._answer(404 if found is None else 200, found)

    def do_POST(self) -> None:
        self._answer(200, self.server.accounts.setdefault(self._domain, self._account()))

    def do_PUT(self) -> None:
        self.server.accounts[self._domain] = self._account()
        self._answer(200, self.server.accounts[self._domain])

    def do_DELETE(self) -> None:
        self.server.accounts.pop(self._domain, None)
        self._answer(200, None)

    @property
    def _domain(self) -> str:
        return self.path.rpartition("/")[2]

    def _account(self) -> dict[str, str]:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return {**document, "id": f"account-of-{self._domain}"}

    def _answer(self, status: int, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""
