"""One connection to one origin: TLS that is verified, a token that goes nowhere else, answers of a bounded size.

A redirect is not followed, whatever it says: the token is for the address that somebody named.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller.client.errors import ClientError, Unreachable

if TYPE_CHECKING:
    import ssl

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer."""
_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[!-~]{1,16384}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_PATH = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an API is: all that a token of it is for."""

    scheme: str
    host: str
    port: int
    base: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.base}"


def origin_of(url: str, *, allow_http: bool = False) -> Origin:
    """What ``url`` names.

    Args:
        url: ``https://api.example.com``; a path before ``/api`` may follow.
        allow_http: without TLS also to other machines, where everybody on the way can read the token.

    Raises:
        ClientError: it is no address of an API, or not a safe one.
    """
    try:
        said = urlsplit(url.strip())
        port = said.port
    except ValueError:
        raise ClientError("that is no address", "write https://api.example.com") from None
    if said.scheme not in _PORTS or not said.hostname or not _HOST.fullmatch(said.hostname):
        raise ClientError("that is no address of an API", "write https://api.example.com")
    if said.username is not None or said.password is not None or said.query or said.fragment:
        raise ClientError("an address has no user, password or query here", "write https://api.example.com")
    base = said.path.rstrip("/").removesuffix("/api")
    if not _PATH.fullmatch(base):
        raise ClientError("that is no address of an API", "write https://api.example.com")
    found = Origin(said.scheme, said.hostname, port or _PORTS[said.scheme], base)
    if found.scheme == "http" and not allow_http and not is_loopback(found.host):
        raise ClientError(
            f"{found} would send the token where everybody on the way can read it",
            "use https://, or allow it for this address",
        )
    return found


def is_loopback(host: str) -> bool:
    """Whether it is this machine."""
    if host == "localhost":
        return True
    import ipaddress  # noqa: PLC0415 - who speaks TLS, as nearly all do, starts faster without

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Secret:
    """A token, which shows itself to nobody."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if text and not _TOKEN.fullmatch(text):
            raise ClientError("the token has characters that no token has", "give it alone, in one line")
        self._text = text

    def header(self) -> dict[str, str]:
        """For a request."""
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"

    def __reduce__(self) -> str:
        raise TypeError("a token is not pickled")


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer as it came; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Requests to one origin, one after the other.

    Args:
        origin: where to.
        token: who asks.
        timeout: seconds without a byte after which nobody is waited for.
        ca_file: certificates that are trusted instead of the system's.
    """

    def __init__(self, origin: Origin, token: Secret, *, timeout: float, ca_file: str | None = None) -> None:
        self.origin = origin
        self._token = token
        self._timeout = timeout
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._kept: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, more: float) -> Raw:
        """One request and its answer.

        Args:
            method: of HTTP.
            target: path and query below the origin.
            headers: beside those of every request.
            body: what is sent.
            more: seconds beyond the usual that the answer may take.

        Raises:
            Unreachable: nobody answered.
            ClientError: what answered is no API.
        """
        again = self._kept is not None  # a server may have closed it meanwhile
        while True:
            connection = self._kept or self._connection()
            self._kept = None
            try:
                answer = self._send(connection, method, target, headers, body, more)
                raw = answer.read(LARGEST + 1)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if again and _is_stale(error):
                    again = False
                    continue
                raise self._unreachable(error) from None
            if len(raw) > LARGEST:
                connection.close()
                raise ClientError(f"{self.origin} answers with more than {LARGEST} bytes")
            if answer.will_close:
                connection.close()
            else:
                self._kept = connection
            return self._checked(answer, raw)

    def lines(self, target: str, headers: Mapping[str, str], silence: float) -> Iterator[bytes] | Raw:
        """Lines of a stream as they come, or the answer where it is none; ``silence`` is how long none may come.

        Raises:
            Unreachable: nobody answered.
        """
        connection = self._connection()
        try:
            answer = self._send(connection, "GET", target, headers, None, silence)
            if answer.status != 200:
                raw = self._checked(answer, answer.read(LARGEST))
                connection.close()
                return raw
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from None
        return self._lines(connection, answer)

    def _lines(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while line := answer.readline(LARGEST):
                yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def _send(  # noqa: PLR0917 - all of it is of the request
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        more: float,
    ) -> http.client.HTTPResponse:
        if connection.sock is None:
            connection.timeout = self._timeout
            connection.connect()
        connection.sock.settimeout(self._timeout + more)
        connection.request(method, self.origin.base + target, body, {**headers, **self._token.header()})
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        if self.origin.scheme == "http":
            return http.client.HTTPConnection(self.origin.host, self.origin.port, timeout=self._timeout)
        if self._tls is None:
            import ssl  # noqa: PLC0415 - of whom it takes none, starts faster without

            try:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
            except OSError as error:
                raise ClientError(f"{self._ca_file} cannot be read: {error.strerror or error}") from None
        return http.client.HTTPSConnection(self.origin.host, self.origin.port, timeout=self._timeout, context=self._tls)

    def _checked(self, answer: http.client.HTTPResponse, raw: bytes) -> Raw:
        headers = {name.lower(): value for name, value in answer.getheaders()}
        if 300 <= answer.status < 400:
            raise ClientError(
                f"{self.origin} answers with a redirect, which is not followed with a token",
                "name the address that it leads to",
            )
        return Raw(answer.status, headers, raw)

    def _unreachable(self, error: BaseException) -> Unreachable:
        why = "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Unreachable(f"{self.origin} does not answer: {why}", "check the address, and that the API runs")


def _is_stale(error: BaseException) -> bool:
    return isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError)
