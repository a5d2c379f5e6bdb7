"""The few Docker Engine API calls the lab makes itself, over a unix socket, with documents as they are on the
wire.

The controller has its own client; this one exists so that the lab can be trusted to test that client.
"""

import http.client
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from deploy.engine.errors import EngineApiError, LabError


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("engine", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class EngineApi:
    """One engine, one connection a call.

    Args:
        path: the engine's unix socket.
        seconds: how long one read may take.
    """

    def __init__(self, path: Path, *, seconds: float = 120.0) -> None:
        self.path = path
        self.seconds = seconds

    def answers(self) -> bool:
        """Whether the engine replies to a ping now."""
        try:
            self.call("GET", "/_ping")
        except LabError:
            return False
        return True

    def get(self, path: str, **query: Any) -> Any:
        """GET; dictionaries and lists in the query become JSON."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """POST a document, or a stream of bytes."""
        return self.call("POST", path, body=body, query=query)

    def delete(self, path: str, **query: Any) -> Any:
        """DELETE."""
        return self.call("DELETE", path, query=query)

    def call(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """One call; returns the decoded document, or text when it is none.

        Raises:
            EngineApiError: the engine answered with an error.
            LabError: nothing answers on the socket.
        """
        if query:
            flat = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in query.items()}
            path = f"{path}?{urlencode(flat)}"
        headers = {}
        payload: bytes | Iterable[bytes] | None = None
        if isinstance(body, dict | list):
            payload, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif body is not None:
            payload, headers["Content-Type"] = body, "application/x-tar"
        connection = _UnixConnection(self.path, self.seconds)
        try:
            connection.request(method, path, body=payload, headers=headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"no engine answers on {self.path}: {error}") from error
        finally:
            connection.close()
        content: Any = data.decode(errors="replace")
        if "json" in response.headers.get("Content-Type", ""):
            try:
                content = json.loads(data) if data else None
            except ValueError:
                content = [json.loads(line) for line in data.splitlines() if line.strip()]
        if response.status >= 400:
            message = content.get("message", "") if isinstance(content, dict) else str(content)
            raise EngineApiError(method, path, response.status, message)
        return content
