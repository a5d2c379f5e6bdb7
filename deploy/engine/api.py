"""The few Docker Engine API calls the lab makes itself, over a unix socket, with documents as they are on the
wire.

The controller has its own client; this one exists so that the lab can be trusted to test that client.
"""

import http.client
import json
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
        path = _with_query(path, query or {})
        headers = {}
        payload: bytes | Iterable[bytes] | None = None
        if isinstance(body, dict | list):
            payload, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif body is not None:
            payload, headers["Content-Type"] = body, "application/x-tar"
        with self._request(method, path, payload, headers) as response:
            data = response.read()
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

    def download(self, path: str, target: Path, **query: Any) -> None:
        """GET a long answer into a file.

        Raises:
            EngineApiError, LabError: as `call`.
        """
        path = _with_query(path, query)
        with self._request("GET", path, None, {}) as response:
            if response.status >= 400:
                raise EngineApiError("GET", path, response.status, response.read().decode(errors="replace"))
            with target.open("wb") as file:
                shutil.copyfileobj(response, file, 1 << 20)

    @contextmanager
    def _request(
        self, method: str, path: str, payload: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self.path, self.seconds)
        try:
            connection.request(method, path, body=payload, headers=headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"no engine answers on {self.path}: {error}") from error
        finally:
            connection.close()


def _with_query(path: str, query: dict[str, Any]) -> str:
    flat = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in query.items()}
    return f"{path}?{urlencode(flat)}" if flat else path
