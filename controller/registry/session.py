"""The requests of one look-up: who is asked, as whom, and where it sends us on to.

Connections live as long as the look-up. Credentials and tokens go to the registry, and to its token service; never to
where it redirects to.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import orjson

from controller.kit import clock
from controller.registry.addresses import Gate, PrivateError
from controller.registry.challenges import Challenge, challenges
from controller.registry.credentials import Credentials, Tokens
from controller.registry.errors import ImageDenied, ImageRefused, RegistryUnavailable
from controller.registry.places import PORTS, Origin, Repository
from controller.registry.wire import Answer, BadAnswerError, Connection, Dial, NoAnswerError

INSECURE_SETTING = "SKYPANEL_INSECURE_REGISTRIES"
_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_TOKEN_BYTES = 1 << 16
_HELD_SECONDS = 5.0
_LIMITED_SECONDS = 30.0
_MOST_HELD_SECONDS = 300.0
_MOST_PATIENT_SECONDS = 86_400.0
_URL = re.compile(r"[!-~]{1,8192}")
_MEND = "have whoever runs the registry look at it"


class Session:
    """One look-up in one repository.

    Args:
        gate: which hosts may be asked.
        trust: gives whose certificates are good.
        dial: makes connections.
        tokens: that were given before.
        repository: that is asked of.
        credentials: with which; None: nobody's.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        trust: Callable[[], Awaitable[ssl.SSLContext]],
        dial: Dial,
        tokens: Tokens,
        repository: Repository,
        credentials: Credentials | None,
    ) -> None:
        self._gate = gate
        self._trust = trust
        self._dial = dial
        self._tokens = tokens
        self._repository = repository
        self._credentials = credentials
        self._connections: dict[Origin, Connection] = {}
        self._home: Origin | None = None
        self._basic = ""
        self.asked = repository.authority
        """Who was asked last, for messages."""

    async def close(self) -> None:
        """Close the connections."""
        while self._connections:
            await self._connections.popitem()[1].close()

    async def get(self, method: str, path: str, *, accept: Sequence[str], most_bytes: int) -> Answer:
        """Ask the registry for what is at ``path`` of the repository, authorized where it asks for that.

        Args:
            method: ``GET`` or ``HEAD``.
            path: such as ``manifests/latest``.
            accept: media types.
            most_bytes: that the answer may have.

        Raises:
            RegistryUnavailable: no answer.
            ImageDenied: it wants somebody whom we are not.
            ImageRefused: an answer that nobody should take.
        """
        headers = {"Accept": ", ".join(accept)}
        target = f"/v2/{self._repository.path}/{path}"
        token = self._tokens.get(self._repository, self._credentials)
        authorization = f"Bearer {token}" if token else self._basic
        answer = await self._follow(method, target, headers, authorization, most_bytes)
        if answer.status == 401 and self.asked == self._at_home.authority:
            self._tokens.forget(self._repository, self._credentials)
            authorization = await self._authorization(answer)
            answer = await self._follow(method, target, headers, authorization, most_bytes)
        return answer

    async def sign_in(self) -> tuple[Answer, bool]:
        """The registry's answer at its door, and whether it asked for a user; raises as ``get``.

        No token that was given before is shown: it is about the password of now.
        """
        headers = {"Accept": "application/json"}
        answer = await self._follow("GET", "/v2/", headers, "", _TOKEN_BYTES)
        if answer.status != 401 or self.asked != self._at_home.authority:
            return answer, False
        authorization = await self._authorization(answer)
        return await self._follow("GET", "/v2/", headers, authorization, _TOKEN_BYTES), True

    @property
    def _at_home(self) -> Origin:
        assert self._home is not None
        return self._home

    # -- authorization -----------------------------------------------------------------------------------------------

    async def _authorization(self, refused: Answer) -> str:
        """What to say instead, by what the answer asks for."""
        asked = {found.scheme: found for found in reversed(challenges(refused.all("www-authenticate")))}
        said = f"{self.asked} answered 401"
        if bearer := asked.get("bearer"):
            return f"Bearer {await self._token(bearer)}"
        if "basic" in asked and self._credentials is not None:
            self._basic = self._credentials.basic  # it is asked for at every request
            return self._basic
        if "basic" in asked:
            raise ImageDenied(str(self._repository), f"{said} and asks for a user and a password")
        raise ImageDenied(str(self._repository), f"{said}, and asks for nothing that we know")

    async def _token(self, challenge: Challenge) -> str:
        registry = self.asked
        origin, target = self._place(challenge.parameters.get("realm", ""), "its token service")
        query = {
            "service": challenge.parameters.get("service", ""),
            "scope": self._repository.path and f"repository:{self._repository.path}:pull",
        }
        target += ("&" if "?" in target else "?") + urlencode({name: value for name, value in query.items() if value})
        headers = {"Accept": "application/json"}
        if self._credentials is not None:
            headers["Authorization"] = self._credentials.basic
        answer = await self._ask(origin, "GET", target, headers, _TOKEN_BYTES)
        said = f"{origin.authority}, the token service of {registry}, answered {answer.status}"
        if answer.status in (400, 401, 403, 404):
            raise ImageDenied(str(self._repository), said)
        if answer.status != 200:
            why = f"has a token service, {origin.authority}, that answered {answer.status}"
            raise unavailable(registry, answer, why)
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            document = None
        token = self._tokens.keep(self._repository, self._credentials, document) if isinstance(document, dict) else ""
        if not token:
            raise ImageRefused(str(self._repository), f"{said} without a token", _MEND)
        return token

    # -- where a request goes ----------------------------------------------------------------------------------------

    async def _follow(
        self, method: str, target: str, headers: dict[str, str], authorization: str, most_bytes: int
    ) -> Answer:
        origin = await self._registry()
        for _ in range(_REDIRECTS + 1):
            own = {"Authorization": authorization} if authorization and origin == self._at_home else {}
            answer = await self._ask(origin, method, target, {**headers, **own}, most_bytes)
            if answer.status not in _MOVED:
                return answer
            base = f"{origin.scheme}://{origin.authority}{target}"
            origin, target = self._place(urljoin(base, answer.header("location")), "where it redirects to")
        raise RegistryUnavailable(self._repository.authority, f"redirects more than {_REDIRECTS} times")

    def _place(self, url: str, what: str) -> tuple[Origin, str]:
        """Origin and target of a URL that a registry names."""
        try:
            parts = urlsplit(_URL.fullmatch(url)[0])  # type: ignore[index] # None is no address either
            origin = _origin(parts)
        except (ValueError, TypeError):
            raise ImageRefused(
                str(self._repository), f"{self.asked} names, as {what}, something that is no address of HTTP", _MEND
            ) from None
        return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def _registry(self) -> Origin:
        """Who the registry is: with TLS, and where that may be, without."""
        if self._home is None:
            parts = urlsplit(f"//{self._repository.authority}")
            secure = Origin("https", parts.hostname or "", parts.port or PORTS["https"])
            try:
                await self._connection(secure)
                self._home = secure
            except _UnconnectedError as error:
                plain = Origin("http", secure.host, parts.port or PORTS["http"])
                if not error.insecure or (error.refused and plain.port == secure.port):
                    raise self._unavailable(secure, error) from None
                self._home = plain
        return self._home

    async def _ask(self, origin: Origin, method: str, target: str, headers: dict[str, str], most_bytes: int) -> Answer:
        self.asked = origin.authority
        try:
            connection, again = await self._connection(origin)
            try:
                return await connection.request(method, target, headers, most_bytes=most_bytes)
            except NoAnswerError:
                if not again:
                    raise
            connection, _ = await self._connection(origin)  # it had been closed since its last answer
            return await connection.request(method, target, headers, most_bytes=most_bytes)
        except _UnconnectedError as error:
            raise self._unavailable(origin, error) from None
        except NoAnswerError as error:
            raise self._unavailable(origin, error) from None
        except BadAnswerError as error:
            raise ImageRefused(str(self._repository), f"{origin.authority}: {error}", _MEND) from None

    async def _connection(self, origin: Origin) -> tuple[Connection, bool]:
        """One that can be used, and whether it was used before."""
        found = self._connections.pop(origin, None)
        if found is not None and found.usable:
            self._connections[origin] = found
            return found, found.used
        if found is not None:
            await found.close()
        self.asked = origin.authority
        try:
            addresses = await self._gate.addresses(origin)
        except PrivateError as error:
            raise ImageRefused(str(self._repository), str(error), "use a public registry") from None
        insecure = self._gate.insecure(origin, addresses)
        if origin.scheme == "http" and not insecure:
            raise ImageRefused(
                str(self._repository),
                f"{origin.authority} would be asked without TLS",
                f"have the operator list it in {INSECURE_SETTING} if that may be",
            )
        trust: ssl.SSLContext | None = None
        if origin.scheme == "https":
            trust = _UNVERIFIED if insecure else await self._trust()
        try:
            made = await Connection.open(origin, addresses, trust, self._dial)
        except NoAnswerError as error:
            raise _UnconnectedError(error, insecure=insecure) from None
        self._connections[origin] = made
        return made, False

    @staticmethod
    def _unavailable(origin: Origin, error: NoAnswerError) -> RegistryUnavailable:
        seconds = 0.0 if error.refused else _HELD_SECONDS  # that costs nobody anything
        return RegistryUnavailable(origin.authority, str(error), again_seconds=seconds)


def unavailable(host: str, answer: Answer, why: str) -> RegistryUnavailable:
    """What an answer means that says "not now"; how long it is not asked again is the answer's to say, to a degree."""
    seconds = _LIMITED_SECONDS if answer.status == 429 else _HELD_SECONDS
    after = answer.header("retry-after")
    if after.isascii() and after.isdigit():
        seconds = float(after[:6])
    elif after:
        with suppress(ValueError, OverflowError):
            seconds = parsedate_to_datetime(after).timestamp() - clock.wall()
    seconds = max(seconds, 1.0)
    again, patient = min(seconds, _MOST_HELD_SECONDS), min(seconds, _MOST_PATIENT_SECONDS)
    return RegistryUnavailable(host, why, again_seconds=again, patient_seconds=patient)


class _UnconnectedError(NoAnswerError):
    """No connection; ``insecure``: it may be tried without TLS."""

    def __init__(self, error: NoAnswerError, *, insecure: bool) -> None:
        super().__init__(str(error), refused=error.refused)
        self.insecure = insecure


def _origin(parts: SplitResult) -> Origin:
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    return Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


_UNVERIFIED = _unverified()
"""For registries that may be asked without TLS at all."""
