"""A real git server for tests: ``git http-backend`` behind HTTP, and repositories that a test commits to.

server = GitServer(folder)
server.commit({"web.yaml": "..."})
server.url                         # http://127.0.0.1:port/specs.git
server.password = ("ada", "secret")
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_AUTHOR = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@acme.example",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@acme.example",
}


class GitServer:
    """One repository, ``specs.git``.

    Args:
        folder: where it is.

    Attributes:
        password: user and password that are asked for; None: nobody is asked.
        fault: ``cut``: an answer ends in the middle; ``hang``: none comes; ``move``: it sends on to another place.
        asked: headers of the requests so far.
        signs: settings of git that commits are signed with; empty: they are not.
        variables: of the environment of git beside ours.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "served"
        self.work = folder / "work"
        self.bare = self.root / "specs.git"
        self.password: tuple[str, str] | None = None
        self.fault = ""
        self.moves_to = "http://127.0.0.1:1/specs.git"
        self.asked: list[dict[str, str]] = []
        self.signs: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.released = threading.Event()
        self.root.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare), at=folder)
        self.git("init", "-q", "-b", "main", str(self.work), at=folder)
        self.git("remote", "add", "origin", str(self.bare))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stop to serve."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Of the repository."""
        return f"http://{self.authority}/specs.git"

    def git(self, *words: str, at: Path | None = None, stdin: bytes | None = None) -> str:
        """Run git in the folder that is worked in; what it prints."""
        done = subprocess.run(
            ["git", *words],
            cwd=at or self.work,
            env={"PATH": os.environ["PATH"], "HOME": str(self.work), **_AUTHOR, **self.variables},
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | None], *, push: str = "main") -> str:
        """Write files (None: take away), commit and push; the commit."""
        for name, content in files.items():
            path = self.work / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        self.git("add", "-A")
        settings = [word for name, value in self.signs.items() for word in ("-c", f"{name}={value}")]
        signing = ["-S"] if self.signs else []
        self.git(*settings, "commit", "-q", "--allow-empty", *signing, "-m", "a change")
        return self.push(push)

    def push(self, branch: str = "main") -> str:
        """Push what is there, whatever was there before; the commit."""
        self.git("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                server.asked.append(dict(self.headers))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if server.fault == "hang":
                    server.released.wait(60)
                    return
                if server.fault == "move":
                    self.send_response(302)
                    self.send_header("Location", server.moves_to + self.path.removeprefix("/specs.git"))
                    self.end_headers()
                    return
                if server.password is not None:
                    pair = base64.b64encode(":".join(server.password).encode()).decode()
                    if self.headers.get("Authorization") != f"Basic {pair}":
                        self.send_response(401)
                        self.send_header("WWW-Authenticate", 'Basic realm="git"')
                        self.end_headers()
                        return
                parts = urlsplit(self.path)
                environment = {
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(server.root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_CONFIG_NOSYSTEM": "1",
                    "GIT_CONFIG_GLOBAL": "/dev/null",
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": parts.path,
                    "QUERY_STRING": parts.query,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                }
                done = subprocess.run(
                    ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(fields.pop("Status", "200").split()[0]))
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):
                    cut = server.fault == "cut" and self.command == "POST"
                    self.wfile.write(content[: len(content) // 2] if cut else content)
                if server.fault == "cut":
                    self.close_connection = True

        return Handler
