"""Whole HTTP/1.1 messages off a stream, with their bytes as they came."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

import httptools

_READ_BYTES = 1 << 18
_VERSION = re.compile(r"^/v[0-9.]+(?=/)")


@dataclass(slots=True)
class Request:
    """One request; ``path`` is without the API's version and without the query."""

    raw: bytes
    method: str
    url: str
    body: bytes

    @property
    def path(self) -> str:
        return _VERSION.sub("", self.url.partition("?")[0])

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method not in {"GET", "HEAD"}


@dataclass(slots=True)
class Answer:
    """One answer."""

    raw: bytes
    status: int
    body: bytes


@dataclass(slots=True)
class _Message:
    url: bytes = b""
    body: list[bytes] = field(default_factory=list)
    complete: bool = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.complete = True


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection that asks one thing at a time; None at its end."""
    message = _Message()
    parser = httptools.HttpRequestParser(message)
    raw = await _read(reader, parser, message)
    if not message.complete:
        return None
    return Request(raw, parser.get_method().decode(), message.url.decode(), b"".join(message.body))


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The answer to the request that was sent.

    Raises:
        ConnectionError: the other side closed the connection instead.
    """
    message = _Message()
    parser = httptools.HttpResponseParser(message)
    raw = await _read(reader, parser, message)
    if not message.complete:
        raise ConnectionError("no whole answer")
    return Answer(raw, parser.get_status_code(), b"".join(message.body))


async def _read(
    reader: asyncio.StreamReader, parser: httptools.HttpRequestParser | httptools.HttpResponseParser, message: _Message
) -> bytes:
    raw = []
    while not message.complete:
        data = await reader.read(_READ_BYTES)
        if not data:
            break
        raw.append(data)
        parser.feed_data(data)
    return b"".join(raw)


class Lines:
    """Lines of JSON out of the pieces of an answer that goes on for long."""

    def __init__(self) -> None:
        self.status = 0
        self.head = b""
        """As it came; what follows comes in chunks."""
        self.ended = False
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that are whole with ``data``; head and framing are left out."""
        self._lines = []
        if not self.status:
            self.head += data
        self._parser.feed_data(data)
        return self._lines

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.head = self.head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    def on_body(self, body: bytes) -> None:
        *lines, self._rest = (self._rest + body).split(b"\n")
        self._lines.extend(line + b"\n" for line in lines)

    def on_message_complete(self) -> None:
        self.ended = True


def answer(status: int, body: bytes) -> bytes:
    """An answer of our own, as the engine frames it."""
    head = f"HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


STREAM_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A piece of an endless answer."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
