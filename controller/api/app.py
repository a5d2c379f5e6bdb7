"""The application: what every request goes through, from its number to its answer.

number -> limit -> who asks -> what he says -> the use-case, in a worker thread -> how far it came -> answer

Each request borrows one connection and one thread, and gives both back before it waits for anything. A connection sees
what its caller may see: that is set before the use-case has it, and taken off after.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import psycopg
import structlog
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from controller.actions.refusals import recorded
from controller.actions.wait import lost
from controller.api import body as bodies
from controller.api import cookies, idempotency, problems, reading
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import Sent
from controller.api.callers import Access, Caller
from controller.api.database import Connections
from controller.api.documents import encode
from controller.api.hooks.serving import ADDRESS, PER_MINUTE, Delivery, Hooks
from controller.api.limits import Limiter
from controller.api.looks import Looks
from controller.api.openapi import document
from controller.api.operations import Operation
from controller.api.problems import ProblemError
from controller.api.proxies import ThroughProxies
from controller.api.routes import operations
from controller.api.streams.follower import Follower, Following
from controller.api.streams.hub import Hub
from controller.api.streams.response import StreamResponse
from controller.api.streams.serving import begin
from controller.api.tenants import acting
from controller.api.waiting import wait
from controller.declared import audit, readiness
from controller.declared.readiness import Progress
from controller.loop.loops import forever
from controller.postgres.tenancy import Tenancy, TenantConnection
from controller.postgres.tenancy import acting as acting_for
from controller.settings import Settings
from specs.kinds import TENANT_WORD
from specs.schema_export import schemas

log = structlog.get_logger(__name__)
T = TypeVar("T")

SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PRUNE_SECONDS = 3600.0
_LOGINS_A_MINUTE = 30
"""From one address; a quarter of them at once."""
_REFUSED_LOGINS_A_MINUTE = 60
"""Of nobody who is known, that are on record; from everywhere."""
_OURSELVES = Tenancy(None, platform=True, means="api")


def make_app(settings: Settings, of_kinds: Mapping[str, BaseModel] | None = None, *, access: Access) -> FastAPI:
    """The application.

    Args:
        settings: of the installation, and of the API.
        of_kinds: settings that kinds have of their own.
        access: who asks, and what he may do.

    Raises:
        ExpectedError: a setting that it needs is missing or wrong.
    """
    return Api(settings, of_kinds or {}, access).app


class Api:
    """What is behind the routes."""

    def __init__(self, settings: Settings, of_kinds: Mapping[str, BaseModel], access: Access) -> None:
        self._settings = settings
        self._of_kinds = of_kinds
        self._access = access
        self._connections = Connections(
            settings.skypanel_api_database_url.get_secret_value(), settings.skypanel_api_connections
        )
        self._threads = anyio.CapacityLimiter(settings.skypanel_api_connections)
        self._hub = Hub(
            self._connections.conninfo,
            lambda read: self._in_thread(lambda: self._for_streams(read)),
            settings.skypanel_api_streams,
            settings.skypanel_api_streams_per_caller,
        )
        self._limiter = Limiter(settings.skypanel_api_requests_per_minute)
        self._hooks = Hooks(settings.vault)
        self._deliveries = Limiter(PER_MINUTE)
        self._logins = Limiter(_LOGINS_A_MINUTE if self._limiter.per_minute else 0)
        self._refused_logins = Limiter(_REFUSED_LOGINS_A_MINUTE)
        self._looks = Looks(settings)
        # What replicas have in common. A cursor says nothing that its reader has not seen, and is no permission.
        url = settings.skypanel_api_database_url.get_secret_value()
        self._key = hashlib.sha256(f"cursors {url}".encode()).digest()
        self.key_of_claims = hashlib.sha256(f"idempotency {url}".encode()).digest()
        self.operations = operations()
        self._schemas = {name: encode(schema) for name, schema in schemas().items()}
        self._openapi = encode(document(self.operations))
        self.app = FastAPI(lifespan=self._lifespan, openapi_url=None, docs_url=None, redoc_url=None)
        self.app.state.end_streams = self._hub.end
        if settings.skypanel_api_trusted_proxies or settings.skypanel_api_socket:
            self.app.add_middleware(ThroughProxies, trusted=settings.skypanel_api_trusted_proxies)
        self._add_routes()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self._threads = anyio.CapacityLimiter(self._settings.skypanel_api_connections)
        self._connections.open()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forever, "api_answers", self._prune)
                tasks.start_soon(forever, "api_issuers", self._access.tend)
                tasks.start_soon(forever, "api_streams", self._hub.run)
                tasks.start_soon(forever, "api_hints", self._hub.listen)
                yield
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._connections.close)

    def _add_routes(self) -> None:
        by_address: dict[str, dict[str, Operation]] = {}
        for each in self.operations:
            by_address.setdefault(each.address, {})[each.method] = each
        for address, methods in by_address.items():
            allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]
            self.app.add_api_route(address, self._endpoint(methods), methods=allowed, include_in_schema=False)
        for address, page in {
            "/openapi.json": self._document,
            "/problems": self._problems,
            "/schemas/{name}": self._schema,
            "/problems/{name}": self._problem,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
        }.items():
            self.app.add_api_route(address, self._open(page), methods=["GET", "HEAD"], include_in_schema=False)
        self.app.add_api_route(ADDRESS, self._hooked, methods=["POST"], include_in_schema=False)
        self.app.add_exception_handler(HTTPException, self._unrouted)

    def _endpoint(self, methods: Mapping[str, Operation]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return await self._serve(methods["GET" if request.method == "HEAD" else request.method], request)

        return endpoint

    def _open(self, page: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            number = uuid.uuid4().hex
            try:
                if page != self._healthz:
                    self._limiter.page(request.client.host if request.client else "")
                return _respond(await page(request), number, {})
            except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a problem
                return _refuse(problems.of(error), request, number, {})

        return endpoint

    async def _hooked(self, request: Request) -> Response:
        """A delivery to a webhook: whose signature held before is counted apart from others of its address."""
        number, started = uuid.uuid4().hex, time.monotonic()
        address = request.client.host if request.client else ""
        hook = request.path_params["hook"]
        whose = f"\0webhook {hook} {address}"  # which no header can be
        limits: dict[str, str] = {}
        with structlog.contextvars.bound_contextvars(request=number):
            try:
                limits = self._limiter.headers(self._limiter.take(whose, address))
                body = await bodies.raw(request, self._settings.skypanel_api_body_bytes)
                form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                delivery = Delivery(hook, request.headers, form, body)
                response = _respond(await self._in_thread(lambda: self._delivered(delivery)), number, limits)
                self._limiter.known(whose)
            except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a problem
                response = _refuse(problems.of(error), request, number, limits)
            took = round((time.monotonic() - started) * 1000, 1)
            log.info("api.request", operation="webhook", status=response.status_code, ms=took, address=address)
        return response

    def _delivered(self, delivery: Delivery) -> Answer:
        with self._connections.lent() as conn:
            return self._hooks.take(conn, delivery, lambda: self._deliveries.take(None, delivery.hook))

    async def _unrouted(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "")
            said = ProblemError("method-not-allowed", f"this address has {allow}", headers={"Allow": allow})
        elif error.status_code == 404:
            said = problems.not_found()
        else:
            said = ProblemError("malformed", "the request cannot be read")
        return _refuse(said, request, uuid.uuid4().hex, {})

    async def _serve(self, operation: Operation, request: Request) -> Response:
        number, started = uuid.uuid4().hex, time.monotonic()
        address = request.client.host if request.client else ""
        limits: dict[str, str] = {}
        with structlog.contextvars.bound_contextvars(request=number):
            try:
                limits = self._limiter.headers(self._limiter.take(self._counted(request), address))
                if operation.logs_in:
                    self._logins.page(address)
                response = await self._answer(operation, request, number, address, limits)
            except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a problem
                response = _refuse(problems.of(error), request, number, limits)
            took = round((time.monotonic() - started) * 1000, 1)
            log.info("api.request", operation=operation.name, status=response.status_code, ms=took, address=address)
        return response

    def _counted(self, request: Request) -> str | None:
        """What a request is counted by; a page of somebody else uses up nothing of whoever looks at it."""
        origin, sent = self._settings.skypanel_console_origin, cookies.sent(request.headers)
        if sent is not None and not cookies.is_of_console(request.method, request.headers, origin):
            return None
        return _credential(request)

    async def _answer(
        self, operation: Operation, request: Request, number: str, address: str, limits: Mapping[str, str]
    ) -> Response:
        """What comes of it; what is wrong with what was sent is said to who is known alone."""
        sent: Sent | None = None
        query: dict[str, str] = {}
        early: ProblemError | None = None
        try:
            if operation.forms:
                sent = await bodies.receive(
                    request, operation.forms, self._settings.skypanel_api_body_bytes, optional=operation.optional
                )
            else:
                await bodies.nothing(request, self._settings.skypanel_api_body_bytes)
            query = reading.query(operation, list(request.query_params.multi_items()))
            reading.headers(operation, request.headers)
        except ProblemError as error:
            early = error
        work = _Work(self, operation, request, number, address, sent, query, early)
        try:
            answer = await self._in_thread(work.first)
        finally:
            if work.is_known:
                self._limiter.known(_credential(request))
        for ended in answer.ends:
            self._hub.end_session(ended)
        if answer.follows is not None:
            return await self._follow(work, answer.follows, number, limits)
        if answer.waiting is not None:
            waited = await wait(answer.waiting, lambda: self._in_thread(work.look), lambda: self._in_thread(work.lost))
            answer = replace(answer, body=answer.body | {"waited": waited}, waiting=None)
            answer = await self._in_thread(lambda: work.last(answer))
        return _respond(answer, number, limits)

    async def _follow(self, work: _Work, wants: Following, number: str, limits: Mapping[str, str]) -> Response:
        follower = Follower(work.known(), self._access, wants)
        await self._hub.join(follower)
        try:
            begun = await self._in_thread(lambda: work.begin(follower))
        except BaseException:
            self._hub.leave(follower)
            raise
        return StreamResponse(
            begun,
            follower,
            again=lambda: self._in_thread(work.again),
            leave=lambda: self._hub.leave(follower),
            headers={**SECURITY, "X-Request-Id": number, **limits},
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    def asked(self, conn: psycopg.Connection, caller: Caller, work: _Work) -> Asked:
        """What a handler is given."""
        return Asked(
            conn=conn,
            caller=caller,
            access=self._access,
            settings=self._settings,
            of_kinds=self._of_kinds,
            cursor_key=self._key,
            looks=self._looks,
            address=work.request.url.path,
            names=reading.names(work.request.path_params),
            query=work.query,
            headers=work.request.headers,
            body=work.sent,
            client=work.address,
        )

    @property
    def connections(self) -> Connections:
        """To the database."""
        return self._connections

    def known(self, conn: psycopg.Connection, operation: Operation, request: Request, address: str) -> Caller:
        """Who asks."""
        at = str(request.path_params.get(TENANT_WORD, ""))
        return self._access.authenticate(conn, _asked_by(operation, request), self._settings, address, at)

    def refuse_other_pages(self, operation: Operation, request: Request, caller: Caller) -> None:
        """Have what comes with a cookie, or is to be given one, come from the console."""
        origin = self._settings.skypanel_console_origin
        if origin and (caller.session or operation.logs_in):
            cookies.refuse_other_pages(request.method, request.headers, origin)

    def note(self, conn: psycopg.Connection, request: Request, caller: Caller) -> None:
        """His session is used, and by him: what goes on by itself, as streams do, is no use of it."""
        if caller.session and not caller.noted:
            self._access.used(conn, request.headers)

    def refused_login(self, conn: TenantConnection[Any], error: ProblemError, address: str, number: str) -> None:
        """Have it on record, but not without number."""
        with suppress(psycopg.Error, ProblemError):
            self._refused_logins.page("")
            with acting_for(conn, replace(_OURSELVES, address=address, request=number)), conn.transaction():
                audit.refuse(conn, "login", "", "", error.detail)

    async def _prune(self) -> None:
        """Forget keys that are a day old; any replica does it, and none has to."""
        while True:
            with suppress(psycopg.Error, OSError):
                await self._in_thread(self._prune_once)
            await anyio.sleep(_PRUNE_SECONDS)

    def _for_streams(self, read: Callable[[psycopg.Connection], T]) -> T:
        with self._connections.lent() as conn, acting_for(conn, _OURSELVES):
            return read(conn)

    def _prune_once(self) -> None:
        with self._connections.lent() as conn, acting_for(conn, _OURSELVES):
            idempotency.prune(conn)

    async def _document(self, _request: Request) -> Answer:
        return Answer(self._openapi)

    async def _schema(self, request: Request) -> Answer:
        """What an editor completes and checks spec files with; one names the others beside it."""
        found = self._schemas.get(request.path_params["name"])
        if found is None:
            raise problems.not_found()
        return Answer(found, media_type="application/schema+json")

    async def _problems(self, _request: Request) -> Answer:
        return _page([kind.page for kind in problems.types().values()])

    async def _problem(self, request: Request) -> Answer:
        kind = problems.types().get(request.path_params["name"])
        if kind is None:
            raise problems.not_found()
        return _page([kind.page])

    async def _healthz(self, _request: Request) -> Answer:
        return Answer(b"ok\n", media_type="text/plain; charset=utf-8")

    async def _readyz(self, _request: Request) -> Answer:
        try:
            await self._in_thread(self._ask_database)
        except (psycopg.Error, OSError):
            return Answer({"ready": False, "database": False}, 503)
        return Answer({"ready": True, "database": True})

    def _ask_database(self) -> None:
        with self._connections.lent() as conn:
            conn.execute("SELECT 1")


class _Work:
    """What is done for one request, in worker threads."""

    def __init__(  # noqa: PLR0917 - all of it is of the request
        self,
        api: Api,
        operation: Operation,
        request: Request,
        number: str,
        address: str,
        sent: Sent | None,
        query: dict[str, str],
        early: ProblemError | None,
    ) -> None:
        self._api = api
        self._operation = operation
        self.request = request
        self._number = number
        self.address = address
        self.sent: Any = None
        self._body = sent
        self.query = query
        self._early = early
        self._caller: Caller | None = None
        self._claim: idempotency.Claim | None = None
        self._waiting: Waiting | None = None

    def first(self) -> Answer:
        """Who asks, and what comes of it."""
        with self._api.connections.lent() as conn:
            self._caller = caller = self._known(conn)
            structlog.contextvars.bind_contextvars(actor=caller.actor)
            with acting(conn, caller, self.address, self._number):
                self._refuse_other_pages(conn, caller)
                if self._early is not None:
                    raise self._early
                self._api.note(conn, self.request, caller)
                if self._body is not None:
                    self.sent = self._body.read()
                if before := self._claimed(conn, caller):
                    return before
                try:
                    answer = self._handled(conn, caller)
                except BaseException:
                    self._release(conn)
                    raise
                self._waiting = answer.waiting
                return answer if answer.waiting else self._kept(conn, answer)

    def _refuse_other_pages(self, conn: psycopg.Connection, caller: Caller) -> None:
        try:
            self._api.refuse_other_pages(self._operation, self.request, caller)
        except ProblemError as error:
            if self._operation.method != "GET":
                self._record(conn, error)
            raise

    def _record(self, conn: psycopg.Connection, error: ProblemError) -> None:
        with suppress(psycopg.Error), conn.transaction():
            audit.refuse(conn, self._operation.name, "", "", f"{self.request.url.path}: {error.detail}")

    def _known(self, conn: TenantConnection[Any]) -> Caller:
        try:
            return self._api.known(conn, self._operation, self.request, self.address)
        except ProblemError as error:
            if self._operation.logs_in:
                self._api.refused_login(conn, error, self.address, self._number)
            raise

    @property
    def is_known(self) -> bool:
        """Whether ``first`` has found out who asks."""
        return self._caller is not None

    def known(self) -> Caller:
        """Who asks; ``first`` has found it out."""
        assert self._caller is not None
        return self._caller

    def again(self) -> Caller:
        """Who asks, looked up once more.

        Raises:
            ProblemError: nobody who is known any more.
        """
        with self._api.connections.lent() as conn:
            return self._api.known(conn, self._operation, self.request, self.address)

    def begin(self, follower: Follower) -> list[bytes]:
        """What a stream begins with."""
        with self._api.connections.lent() as conn, acting(conn, self.known(), self.address, self._number):
            return begin(conn, follower, self.request.headers.get("last-event-id"))

    def look(self) -> Sequence[Progress]:
        """How far what is waited for has come."""
        assert self._waiting is not None
        with self._api.connections.lent() as conn, acting(conn, self.known(), self.address, self._number):
            return readiness.progress(conn, self._waiting.keys)

    def lost(self) -> Sequence[str]:
        """What others have changed of it since."""
        assert self._waiting is not None
        with self._api.connections.lent() as conn, acting(conn, self.known(), self.address, self._number):
            return list(lost(conn, self._waiting.written))

    def last(self, answer: Answer) -> Answer:
        """Remember what is answered at last."""
        with self._api.connections.lent() as conn, acting(conn, self.known(), self.address, self._number):
            return self._kept(conn, answer)

    def _claimed(self, conn: psycopg.Connection, caller: Caller) -> Answer | None:
        key = self.request.headers.get("idempotency-key")
        if key is None or not self._operation.writes or self.query.get("dryRun") == "true":
            return None
        where = [self._operation.method, self.request.url.path, sorted(self.query.items())]
        wanted = idempotency.Claim.of(self._api.key_of_claims, caller, key, where, self.sent)
        before = idempotency.claim(conn, wanted)
        self._claim = None if before else wanted
        return before

    def _handled(self, conn: psycopg.Connection, caller: Caller) -> Answer:
        asked = self._api.asked(conn, caller, self)
        if set(asked.names) != set(self.request.path_params):
            raise problems.not_found()
        if not self._operation.writes or asked.flag("dryRun"):
            return self._operation.handler(asked)
        with recorded(conn, self._operation.name):
            try:
                return self._operation.handler(asked)
            except ProblemError as error:
                if error.name == "forbidden":
                    self._record(conn, error)
                raise

    def _kept(self, conn: psycopg.Connection, answer: Answer) -> Answer:
        if self._claim is None:
            return answer
        body = _encoded(answer)
        kept = body if answer.kept is None else encode(answer.kept)
        idempotency.keep(conn, self._claim, answer, kept)
        return replace(answer, body=body, kept=None)

    def _release(self, conn: psycopg.Connection) -> None:
        if self._claim is not None:
            with suppress(psycopg.Error):
                idempotency.release(conn, self._claim)


def _credential(request: Request) -> str | None:
    """What somebody is known by, once he is."""
    cookie = cookies.sent(request.headers)
    return request.headers.get("authorization") if cookie is None else f"cookie {cookie}"


def _asked_by(operation: Operation, request: Request) -> Headers:
    """Headers of the request; those who cannot send the one of the organization say it in the address."""
    if TENANT_WORD not in operation.queried or "x-organization-id" in request.headers:
        return request.headers
    said = [(b"x-organization-id", each.encode()) for each in request.query_params.getlist(TENANT_WORD)]
    return Headers(raw=[*request.headers.raw, *said])


def _page(parts: Sequence[str]) -> Answer:
    return Answer("\n".join(parts).encode(), media_type="text/markdown; charset=utf-8")


def _encoded(answer: Answer) -> bytes:
    if answer.body is None:
        return b""
    return answer.body if isinstance(answer.body, bytes) else encode(answer.body)


def _respond(answer: Answer, number: str, limits: Mapping[str, str]) -> Response:
    headers = {**SECURITY, "X-Request-Id": number, **limits, **answer.headers}
    return Response(_encoded(answer), answer.status, headers, media_type=answer.media_type)


def _refuse(error: ProblemError, request: Request, number: str, limits: Mapping[str, str]) -> Response:
    headers = {**SECURITY, "X-Request-Id": number, **limits, **error.headers}
    if error.type.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    said = encode(error.document(number, request.url.path))
    return Response(said, error.type.status, headers, media_type=problems.MEDIA_TYPE)
