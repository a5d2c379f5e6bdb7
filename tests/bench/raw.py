"""The floor's client: the bytes of a request over a kept-alive unix socket, and nothing else in between."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

API = "/v1.44"
CONNECTIONS = 8
_CHUNK = 1 << 18


class RawError(Exception):
    """The engine answered a raw call with an error."""


def request(method: str, path: str, body: Any = None) -> bytes:
    """The bytes of a request; made beforehand, so that a measured call only sends them."""
    payload = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {API}{path} HTTP/1.1\r\nHost: docker\r\nContent-Length: {len(payload)}\r\n"
    if payload:
        head += "Content-Type: application/json\r\n"
    return head.encode() + b"\r\n" + payload


class RawConnection:
    """One connection to an engine's unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._rest = b""

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> bytes:
        """Send a request; the body of its answer.

        Raises:
            RawError: the status is 400 or more.
        """
        self._socket.sendall(data)
        return self._answer(data)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request that need not be fast; the decoded answer."""
        answer = self.send(request(method, path, body))
        return json.loads(answer) if answer else None

    def lines(self, path: str) -> Any:
        """The documents of an endless answer, one a chunk, as they come."""
        self._socket.sendall(request("GET", path))
        self._socket.settimeout(None)
        self._until(b"\r\n\r\n")
        while size := int(self._until(b"\r\n"), 16):
            chunk = self._exactly(size + 2)
            yield json.loads(chunk)

    def _answer(self, data: bytes) -> bytes:
        head = self._until(b"\r\n\r\n")
        lower = head.lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in lower:
            parts = []
            while size := int(self._until(b"\r\n"), 16):
                parts.append(self._exactly(size + 2)[:-2])
            self._exactly(2)
            body = b"".join(parts)
        else:
            _, found, after = lower.partition(b"content-length: ")
            body = self._exactly(int(after.partition(b"\r\n")[0]) if found else 0)
        if status >= 400:
            line = data.partition(b"\r\n")[0].decode()
            raise RawError(f"{line}: {status} {body.decode(errors='replace').strip()}")
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._receive()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        if len(self._rest) < size:
            parts = [self._rest]
            missing = size - len(self._rest)
            while missing > 0:
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise ConnectionError("the engine closed the connection")
                parts.append(data)
                missing -= len(data)
            self._rest = b"".join(parts)
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _receive(self) -> None:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the engine closed the connection")
        self._rest += data


def send_all(path: Path, requests: Sequence[bytes], *, connections: int = CONNECTIONS) -> list[bytes]:
    """Send all over some connections at once, each taking the next when it has its answer; the answers' bodies."""
    numbers = count()
    answers = [b""] * len(requests)

    def work() -> None:
        with RawConnection(path) as connection:
            while (number := next(numbers)) < len(requests):
                answers[number] = connection.send(requests[number])

    with ThreadPoolExecutor(connections) as pool:
        for done in [pool.submit(work) for _ in range(connections)]:
            done.result()
    return answers
