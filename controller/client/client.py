"""The client: what every call shares, retries that do nothing twice, pages, waiting, and streams that go on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

from controller.client.answers import Answer, Message, events
from controller.client.errors import PREFIX, ApiProblem, ClientError, Unreachable
from controller.client.operations import Operations
from controller.client.problems import TYPES
from controller.client.transport import Raw, Secret, Transport, origin_of

JSON = "application/json"
_AGAIN = (429, 503)
_IN_PROGRESS = 409
_WAITS = 5.0
_SILENCE = 60.0
"""Seconds after which a stream that says nothing, not even that it is there, is begun anew."""


class Client(Operations):
    """Calls of the API by one caller; not for several threads at once.

    Args:
        url: of the API: ``https://api.example.com``.
        token: who asks; see docs/access.md.
        organization: slug or id of the one to act in, for who is a member of several.
        timeout: seconds without a byte after which nobody is waited for.
        patience: seconds in all for which a call is tried again where nobody answers or the API asks to come later.
        allow_http: without TLS also to other machines.
        ca_file: certificates that are trusted instead of the system's.
        agent: what the program calls itself.
        sleep: waits.

    Raises:
        ClientError: the address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        organization: str | None = None,
        timeout: float = 30.0,
        patience: float = 30.0,
        allow_http: bool = False,
        ca_file: str | None = None,
        agent: str = "skypanel-client",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(
            origin_of(url, allow_http=allow_http), Secret(token), timeout=timeout, ca_file=ca_file
        )
        self._patience = patience
        self._sleep = sleep
        self._headers = {"User-Agent": agent, "Accept": f"{JSON}, application/problem+json"}
        if organization:
            self._headers["X-Organization-ID"] = organization

    @property
    def origin(self) -> str:
        """Where the API is."""
        return str(self._transport.origin)

    def __repr__(self) -> str:
        return f"Client({self.origin})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = None,
        form: str = JSON,
        keyed: bool = False,
        reads: bool = False,
    ) -> Answer:
        """One call: what the methods of operations do, and for kinds that this client was not made with.

        Args:
            method: of HTTP.
            path: from ``/api`` on, with names quoted; see ``places``.
            query: parameters; those that are None are left out.
            headers: the same.
            body: a document, or a text or bytes as they are.
            form: media type of the body.
            keyed: it takes an ``Idempotency-Key``, and gets one, so that it may be sent again where the answer is lost.
            reads: it changes nothing, whatever its method is.

        Raises:
            ApiProblem: it is refused; a subclass by its type.
            Unreachable: nobody answers.
            ClientError: what answered is no API.
        """
        sent = {**self._headers, **{name: value for name, value in (headers or {}).items() if value is not None}}
        if keyed and "Idempotency-Key" not in sent:
            sent["Idempotency-Key"] = os.urandom(16).hex()
        said = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        raw = None
        if body is not None:
            raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
            sent["Content-Type"] = form
        target = path + (f"?{urlencode(said)}" if said else "")
        waits = float(said["wait"]) if said.get("wait", "").isdecimal() else 0.0
        repeatable = reads or method in ("GET", "HEAD") or "Idempotency-Key" in sent
        return self._until_answered(
            lambda: self._answered(self._transport.exchange(method, target, sent, raw, waits)), repeatable
        )

    def _until_answered(self, ask: Callable[[], Answer], repeatable: bool) -> Answer:
        deadline, pause = time.monotonic() + self._patience, 0.25
        while True:
            try:
                return ask()
            except ApiProblem as problem:
                wait = problem.retry_after
                later = problem.status in _AGAIN or (problem.status == _IN_PROGRESS and wait is not None)
                if not (repeatable and later) or time.monotonic() + (wait or pause) > deadline:
                    raise
            except Unreachable:
                wait = None
                if not repeatable or time.monotonic() + pause > deadline:
                    raise
            self._sleep(pause if wait is None else wait)
            pause = min(_WAITS, pause * 2)

    def _answered(self, raw: Raw) -> Answer:
        form = raw.headers.get("content-type", "").partition(";")[0].strip()
        body: Any = None
        if form.endswith("json"):
            try:
                body = json.loads(raw.body)
            except ValueError:
                raise ClientError(f"{self.origin} answers with what is no JSON") from None
        if raw.status >= 400:
            document = body if isinstance(body, dict) else {}
            name = str(document.get("type", "")).rpartition(PREFIX)[2]
            raise TYPES.get(name, ApiProblem)(document, raw.status, raw.headers)
        if body is None and raw.body:
            if form == "text/html":
                raise ClientError(
                    f"{self.origin} answers with a page and is no API", "name the address that /api is below"
                )
            body = raw.body.decode("utf-8", "replace")
        return Answer(body, raw.status, raw.headers)

    def pages(self, path: str, query: Mapping[str, object], cursor: str) -> Iterator[Any]:
        """All items of a list, page by page; ``cursor`` is the parameter that ``next`` of a page is."""
        following: Any = (query or {}).get(cursor)
        while True:
            page = self.call("GET", path, query={**query, cursor: following}).body
            yield from page["items"]
            if page.get("next") is None or page["next"] == following:
                return
            following = page["next"]

    def messages(self, path: str, query: Mapping[str, object], last_event_id: str | None) -> Iterator[Message]:
        """Messages of a stream, which is begun anew from the last one whenever it breaks off.

        It ends by itself where ``seconds`` are given and over. An ``end`` says why the server says no more.

        Raises:
            ApiProblem: it is refused.
            Unreachable: nobody has answered for as long as this client is patient.
        """
        said = {name: _text(value) for name, value in query.items() if value is not None}
        target = path + (f"?{urlencode(said)}" if said else "")
        last, pause = last_event_id or "", 0.25
        while True:
            headers = {**self._headers, "Accept": "text/event-stream"}
            if last:
                headers["Last-Event-ID"] = last
            ended = False
            lines = self._until_open(target, headers)
            try:
                for event, data, id_ in events(lines):
                    last, pause = id_ or last, 0.25
                    if data:
                        ended = event == "end"
                        yield Message(event, _document(data), last)
            except Unreachable:
                pass
            except ValueError as error:
                raise ClientError(f"{self.origin}: {error}") from None
            if "seconds" in said and ended:
                return
            self._sleep(pause)
            pause = min(_WAITS, pause * 2)

    def _until_open(self, target: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        opened: list[Iterator[bytes]] = []

        def ask() -> Answer:
            found = self._transport.lines(target, headers, _SILENCE)
            if isinstance(found, Raw):
                return self._answered(found)
            opened.append(found)
            return Answer(None, 200)

        self._until_answered(ask, repeatable=True)
        if not opened:
            raise ClientError(f"{self.origin} answers with no stream")
        return opened[0]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _document(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data
