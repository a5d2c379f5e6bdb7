"""HTTP/1.1 over the engine's unix socket, in the event loop: kept-alive connections, and no thread in between.

A call through a thread pool costs two hand-overs of the interpreter's lock each way, which is more than the engine
needs for its answer when hundreds of calls are on their way. Answers are parsed by httptools (llhttp).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httptools

_CONNECT_SECONDS = 5.0
_READ_BYTES = 1 << 18


class BrokenAnswerError(ConnectionError):
    """The engine closed the connection within an answer, or sent something that is no answer."""


class UnixHttp:
    """A pool of connections to one socket.

    Args:
        path: of the socket.
        connections: most at once; further calls wait for a free one.
    """

    def __init__(self, path: str, *, connections: int) -> None:
        self._path = path
        self._free = asyncio.Semaphore(connections)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def exchange(
        self,
        method: str,
        url: str,
        payload: bytes | None,
        *,
        timeout_seconds: float,
        before_send: Callable[[], None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """One request; the status and the body of its answer. Do not cancel it: shield it.

        ``before_send`` is called when a connection is there, right before the bytes leave; what it raises stops them.

        Raises:
            OSError: no connection, or it broke; what was asked for may have been done.
            TimeoutError: no answer in time; the same holds.
        """
        head = f"{method} {url} HTTP/1.1\r\nHost: docker\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        if payload is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        elif method != "GET":
            head += "Content-Length: 0\r\n"
        async with self._free:
            reader, writer = await self._connection()
            reusable = False
            try:
                async with asyncio.timeout(timeout_seconds):
                    if before_send is not None:
                        try:
                            before_send()
                        except BaseException:
                            reusable = True
                            raise
                    writer.write(head.encode("latin-1") + b"\r\n" + (payload or b""))
                    await writer.drain()
                    status, body, reusable = await _answer(reader)
            finally:
                if reusable:
                    self._idle.append((reader, writer))
                else:
                    writer.close()
        return status, body

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()  # the engine was restarted meanwhile
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await asyncio.open_unix_connection(self._path, limit=_READ_BYTES)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection can be used again."""
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        while not answer.complete:
            data = await reader.read(_READ_BYTES)
            if not data:
                break
            parser.feed_data(data)
    except httptools.HttpParserError as error:
        raise BrokenAnswerError(f"the engine's answer is not HTTP: {error}") from error
    status = parser.get_status_code()
    if not answer.complete and (not status or answer.framed):
        raise BrokenAnswerError("the engine closed the connection before its answer was complete")
    return status, b"".join(answer.parts), answer.complete and not answer.closing


class _Answer:
    """What the parser found; it calls these methods."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.complete = False
        self.closing = False
        self.framed = False
        """Whether the answer says where it ends; otherwise it ends with the connection."""

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self.framed = True
            case b"connection":
                # Asked afterwards, the parser has forgotten the answer and says that no connection is kept.
                self.closing = value.lower() == b"close"

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.complete = True
