"""One connection to a registry, and requests on it: HTTP/1.1, with a limit for everything that an answer can be.

Answers are parsed by httptools (llhttp). Nothing is decompressed: ``identity`` is asked for, and another encoding is
refused. Time-outs are the caller's, who cancels; so a connection that was cancelled is not used again.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.abc
import httptools
from anyio.streams.tls import TLSStream

from controller.kit.version import own_version
from controller.registry.places import Origin

CONNECT_SECONDS = 5.0
SILENT_SECONDS = 10.0
_HEAD_BYTES = 1 << 16
_READ_BYTES = 1 << 16
_AGENT = f"skypanel/{own_version().replace(' ', '-')}"

Dial = Callable[[str, int], Awaitable[anyio.abc.ByteStream]]


class NoAnswerError(Exception):
    """There was no answer, or not all of one; says what happened. ``refused``: nobody listens there."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class BadAnswerError(Exception):
    """There was an answer that nobody should take; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Args:
        status: of HTTP.
        headers: in order, names in lower case.
        body: all of it; empty for HEAD.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """The first of this name; empty when there is none."""
        return next((value for found, value in self.headers if found == name), "")

    def all(self, name: str) -> list[str]:
        """All of this name."""
        return [value for found, value in self.headers if found == name]


class Connection:
    """One connection, for one request after the other.

    Args:
        origin: who is at its other end.
        stream: to it.
    """

    def __init__(self, origin: Origin, stream: anyio.abc.ByteStream) -> None:
        self._origin = origin
        self._stream = stream
        self.usable = True
        self.used = False

    @classmethod
    async def open(
        cls, origin: Origin, addresses: Sequence[str], trust: ssl.SSLContext | None, dial: Dial
    ) -> Connection:
        """Connect to the first of ``addresses`` that lets us.

        Args:
            origin: whose addresses they are: its name goes into SNI, and the certificate is checked against it.
            addresses: which were looked at.
            trust: how TLS is done; None: without.
            dial: makes the connection.

        Raises:
            NoAnswerError: none lets us.
        """
        last = NoAnswerError("has no address")
        for address in addresses:
            try:
                with anyio.fail_after(CONNECT_SECONDS):
                    stream = await dial(address, origin.port)
                    if trust is not None:
                        stream = await _secured(stream, origin, trust)
                return cls(origin, stream)
            except TimeoutError:
                last = NoAnswerError(f"does not answer: no connection within {CONNECT_SECONDS:g} s")
            except NoAnswerError as error:
                last = error
            except OSError as error:
                last = _unconnected(error)
        raise last

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], *, most_bytes: int, body: bytes | None = None
    ) -> Answer:
        """One request; its whole answer.

        Args:
            method: ``GET``, ``HEAD`` or ``POST``.
            target: path and query.
            headers: beside those that every request has; none with a line break in it.
            most_bytes: that the body of the answer may have.
            body: that is sent; None: none.

        Raises:
            NoAnswerError: the connection broke, or ended within the answer.
            BadAnswerError: it is larger, is encoded, or is no HTTP.
        """
        self.usable, self.used = False, True
        every = {"Host": self._origin.authority, "User-Agent": _AGENT, "Accept-Encoding": "identity", **headers}
        if body is not None:
            every["Content-Length"] = str(len(body))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in every.items())
        try:
            await self._stream.send(head.encode("latin-1") + b"\r\n" + (body or b""))
            reading = await self._read(_Reading(bodiless=method == "HEAD", most_bytes=most_bytes))
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise NoAnswerError(f"broke the connection ({type(error).__name__})") from None
        self.usable = reading.complete and not reading.closing
        return Answer(reading.status, reading.headers, b"".join(reading.parts))

    async def close(self) -> None:
        """End it, without waiting for the other side."""
        await anyio.aclose_forcefully(self._stream)

    async def _read(self, reading: _Reading) -> _Reading:
        while not reading.complete:
            try:
                with anyio.fail_after(SILENT_SECONDS):
                    data = await self._stream.receive(_READ_BYTES)
            except TimeoutError:
                raise NoAnswerError(f"does not answer: nothing came for {SILENT_SECONDS:g} s") from None
            except anyio.EndOfStream:
                reading.end()
                break
            reading.feed(data)
        return reading


class _Reading:
    """An answer as it comes; the parser calls the methods that start with ``on_``."""

    def __init__(self, *, bodiless: bool, most_bytes: int) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.parts: list[bytes] = []
        self.complete = self.closing = False
        self._bodiless = bodiless
        self._most = most_bytes
        self._framed = False
        self._head_bytes = self._body_bytes = 0
        self._head_done = self._encoded = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            BadAnswerError: nobody should take this.
        """
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.closing = True
            if not self.complete:  # what follows an answer to HEAD is none
                raise BadAnswerError(f"what it sends is not HTTP ({type(error).__name__})") from None
        if not self._head_done and self._head_bytes > _HEAD_BYTES:
            raise BadAnswerError(f"the head of its answer has more than {_HEAD_BYTES} bytes")
        if self._encoded:
            raise BadAnswerError("its answer is compressed, which was not asked for")
        if self._body_bytes > self._most:
            raise BadAnswerError(f"its answer has more than {self._most} bytes")

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            NoAnswerError: within an answer.
        """
        if not self._head_done or self._framed:
            raise NoAnswerError("ended the connection within its answer")
        self.complete = self.closing = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._head_done = True
        self.status = self._parser.get_status_code()
        found = dict(self.headers)
        self._framed = "content-length" in found or "transfer-encoding" in found
        self.closing = found.get("connection", "").lower() == "close"
        if self._bodiless:
            self.complete = True
        elif (found.get("content-encoding") or "identity").lower() != "identity":
            self._encoded = True

    def on_body(self, body: bytes) -> None:
        if self._bodiless:  # an answer to HEAD has none, whatever comes
            self.closing = True
            return
        self._body_bytes += len(body)
        if self._body_bytes <= self._most:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        self.complete = True


async def _secured(stream: anyio.abc.ByteStream, origin: Origin, trust: ssl.SSLContext) -> anyio.abc.ByteStream:
    try:
        return await TLSStream.wrap(
            stream, server_side=False, hostname=origin.host, ssl_context=trust, standard_compatible=False
        )
    except ssl.SSLCertVerificationError as error:
        await anyio.aclose_forcefully(stream)
        raise NoAnswerError(
            f"has a certificate that is not trusted ({error.verify_message}): have its authority among those of the "
            "controller's system"
        ) from None
    except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
        await anyio.aclose_forcefully(stream)
        raise NoAnswerError("does not speak TLS") from None
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


def _unconnected(error: OSError) -> NoAnswerError:
    cause = error.__cause__ or error
    if isinstance(cause, ConnectionRefusedError):
        return NoAnswerError("refuses the connection: nobody listens there", refused=True)
    said = getattr(cause, "strerror", None) or type(cause).__name__
    return NoAnswerError(f"cannot be reached ({said})")
