"""The API on a real PostgreSQL: a client that is whoever its token says, in two organizations that have the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from controller.api.app import make_app
from controller.api.callers import Access
from controller.api.problems import ProblemError
from controller.settings import Settings
from controller.vault.keyring import Keyring, generate
from deploy.postgres import Server
from tests.store.conftest import PREFIX, Database, Tenant, make_tenant

ROLE = os.environ.get("API_ROLE", "api")
BASE = "/api/paas/organizations/acme/apps/shop/environments"
HERE = f"{BASE}/production"
KEY = generate()
KEYRING = Keyring(text=KEY)
ONLY = {"viewer": {"read"}, "deployer": {"read", "deploy"}}
"""What those may do who may not do everything."""


@dataclass(frozen=True)
class Somebody:
    actor: str
    organization: UUID | None
    organization_slug: str
    role: str
    means: str = "token"
    user_id: UUID | None = None
    impersonator: UUID | None = None
    until: datetime | None = None
    session: str = ""
    ends: datetime | None = None
    noted: bool = True

    @property
    def platform(self) -> bool:
        return self.organization is None


@dataclass
class Tokens:
    """Who has which."""

    known: dict[str, Somebody] = field(default_factory=dict)

    def authenticate(
        self, _conn: object, headers: Mapping[str, str], _settings: Settings, _address: str, _at: str
    ) -> Somebody:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.known:
            raise ProblemError("unauthenticated", "no valid token was given")
        return self.known[token]

    @staticmethod
    def may(caller: Somebody, verb: str, _kind: str, path: tuple[str, ...]) -> bool:
        return caller.platform or verb in ONLY.get(caller.role, {verb})

    @staticmethod
    def can(caller: Somebody, kind: str, path: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(v for v in ("read", "write", "delete") if Tokens.may(caller, v, kind, path))


@dataclass
class World:
    database: Database
    client: TestClient
    acme: Tenant
    globex: Tenant
    tokens: Tokens

    def ask(self, method: str, address: str, who: str = "owner", **more: Any) -> Any:
        headers = {**({"Authorization": f"Bearer {who}"} if who else {}), **more.pop("headers", {})}
        return self.client.request(method, address, headers=headers, **more)

    def tag(self, address: str = HERE) -> dict[str, str]:
        return {"If-Match": self.ask("GET", address).headers["ETag"]}


@pytest.fixture(scope="module")
def database_of_module(server: Server) -> Iterator[Database]:
    database = Database(server, f"{PREFIX}{os.getpid()}_api_{os.urandom(4).hex()}")
    server.create_database(database.name)
    yield database
    database.close()
    server.drop_database(database.name)


@pytest.fixture(scope="module")
def world(database_of_module: Database) -> Iterator[World]:
    yield from _world(database_of_module)


@pytest.fixture
def own_world(database: Database) -> Iterator[World]:
    yield from _world(database)


def _world(database: Database) -> Iterator[World]:
    acme, globex = make_tenant(database), make_tenant(database, "globex")
    tokens = Tokens()
    for name, tenant, slug, role in (
        ("owner", acme, "acme", "owner"),
        ("viewer", acme, "acme", "viewer"),
        ("deployer", acme, "acme", "deployer"),
        ("other", globex, "globex", "owner"),
    ):
        tokens.known[name] = Somebody(f"{name}@example", tenant.organization, slug, role)
    tokens.known["second"] = replace(tokens.known["owner"], means="token 2")
    tokens.known["platform"] = Somebody("root@example", None, "", "platform-admin")
    with TestClient(app_on(database, tokens), raise_server_exceptions=False) as client:
        yield World(database, client, acme, globex, tokens)


def app_on(database: Database, tokens: Tokens, **more: Any) -> FastAPI:
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn(ROLE)),
        skypanel_api_requests_per_minute=0,
        skypanel_keys=SecretStr(KEY),
        docker_host="tcp://127.0.0.1:1",
        **more,
    )
    access = Access(tokens.authenticate, tokens.may, tokens.can, lambda *_: True, lambda caller: caller)
    return make_app(settings, {}, access=access)
