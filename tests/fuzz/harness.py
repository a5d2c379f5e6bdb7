"""Two tenants on a real PostgreSQL: one whose rows are written at random, and one that must not notice.

An example is a list of changes, each of one column of one table, written with the panel's role as far as the
constraints let it. Then both tenants are loaded together by the real store, read, rendered and planned on an empty
Swarm. What comes of the first is as declared, or its own refusal; the second is as it always was.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import anyio
import psycopg
from hypothesis import strategies as st
from psycopg import errors, sql
from psycopg.types.json import set_json_loads

from controller.declared import reader
from controller.postgres import decoding
from controller.records import Key, Loaded, Report
from controller.swarm.liveview import LiveView
from controller.swarm.plan import plan
from reconcilers import labels
from reconcilers.conditions import Status, ready, stalled
from reconcilers.environment.config import UNKNOWN_PROGRAM
from reconcilers.helper import PROGRAM, without_helper
from reconcilers.objects import Config, HomeNetwork, Network, Objects
from reconcilers.ports import LookAhead, Options
from reconcilers.registry import registered
from specs.kinds import KINDS
from specs.problems import InvalidSpec
from tests.fuzz import values
from tests.store.conftest import Database
from tests.store.leading import Contender
from tests.store.leading import process as leading

OPTIONS = Options(installation="fuzz")
LONGEST_MESSAGE = 20_000
LARGEST_RENDERED = 40_000_000
"""Bytes; 100 processes with the longest command of the environment come close to it."""
LONGEST_SECONDS = 20.0
_REFUSED = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.StatementTooComplex)


class Column(NamedTuple):
    """A column that the panel's role may write; ``type`` as PostgreSQL calls it, without its length."""

    table: str
    name: str
    type: str


class Change(NamedTuple):
    """A value for a column of all rows of the first tenant in its table."""

    column: Column
    value: Any


# How the rows of one tenant are told in each table; %(o)s is its organization, %(e)s its environment.
_WHERE: dict[str, LiteralString] = {
    "organizations": "id = %(o)s",
    "paas_organizations": "organization_id = %(o)s",
    "paas_apps": "organization_id = %(o)s",
    "paas_environments": "id = %(e)s",
    "paas_processes": "environment_id = %(e)s",
    "paas_domains": "environment_id = %(e)s",
    "paas_plans": "id = (SELECT plan_id FROM paas_environments WHERE id = %(e)s)",
    "paas_volumes": "organization_id = %(o)s",
    "paas_addons": "environment_id = %(e)s",
    "paas_webhooks": "app_id IN (SELECT id FROM paas_apps WHERE organization_id = %(o)s)",
    "paas_deployments": "environment_id = %(e)s",
    "paas_runs": "environment_id = %(e)s",
    "caas_image_policies": "organization_id = %(o)s",
    "caas_network_policies": "organization_id = %(o)s",
    "caas_registry_credentials": "organization_id = %(o)s",
    "caas_volume_snapshots": "volume_id IN (SELECT id FROM paas_volumes WHERE organization_id = %(o)s)",
    "skypanel.config_vars": "environment_id = %(e)s",
    "paas_sources": "organization_id = %(o)s",
    "skypanel.source_hooks": "organization_id = %(o)s",
    "skypanel.source_forges": "organization_id = %(o)s",
    "skypanel.data_keys": "organization_id = %(o)s",
    "skypanel.reconcile_controls": "id IN (%(o)s, %(e)s)",
    "skypanel.api_tokens": "organization_id = %(o)s",
    "skypanel.role_bindings": "organization_id = %(o)s",
    # The operator's, of no tenant.
    "paas_stacks": "true", "paas_buildpacks": "true", "paas_stack_buildpacks": "true", "paas_addon_plans": "true",
    "paas_templates": "true", "paas_nodes": "true",
}  # fmt: skip
_MAKE: tuple[LiteralString, ...] = (
    "INSERT INTO paas_stacks (id, name, builder_image, run_image) VALUES (%(o)s, %(o)s::text, 'b', 'r')",
    "INSERT INTO paas_buildpacks (id, name, source_uri, version) VALUES (%(o)s, %(o)s::text, 'u', '1')",
    "INSERT INTO paas_stack_buildpacks (stack_id, buildpack_id, order_index) VALUES (%(o)s, %(o)s, 0)",
    "INSERT INTO paas_addon_plans (id, type, tier) VALUES (%(o)s, 'redis', %(o)s::text)",
    "INSERT INTO paas_templates (name, deploy_mode, image_ref) VALUES (%(o)s::text, 'image', 'web:1')",
    "INSERT INTO paas_nodes (name) VALUES (%(o)s::text)",
    "INSERT INTO paas_volumes (id, organization_id, name, size_gb) VALUES (%(o)s, %(o)s, 'data', 1)",
    "INSERT INTO caas_volume_snapshots (volume_id) VALUES (%(o)s)",
    "INSERT INTO paas_addons (environment_id, type, name, plan_id) VALUES (%(e)s, 'redis', 'cache', %(o)s)",
    """
    INSERT INTO paas_webhooks (app_id, provider, repo, branch, secret, secret_key_id)
    SELECT app_id, 'github', 'a/b', 'main', 'x', 'k' FROM paas_environments WHERE id = %(e)s
    """,
    "INSERT INTO paas_deployments (environment_id) VALUES (%(e)s)",
    "INSERT INTO paas_runs (environment_id, command) VALUES (%(e)s, '{a}')",
    "INSERT INTO paas_sources (organization_id, name, repo_url) VALUES (%(o)s, 'site', 'https://a.b/c')",
    "INSERT INTO skypanel.data_keys (organization_id, kek_id, wrapped) VALUES (%(o)s, '00000000', 'x')",
    "INSERT INTO skypanel.reconcile_controls (scope, kind, id) VALUES ('object', 'environment', %(e)s)",
)
# Made only for a change of them: they stall whom they belong to.
_MAKE_FOR: dict[str, LiteralString] = {
    "caas_image_policies": "INSERT INTO caas_image_policies (organization_id) VALUES (%(o)s)",
    "caas_network_policies": "INSERT INTO caas_network_policies (organization_id) VALUES (%(o)s)",
    "caas_registry_credentials": """
        INSERT INTO caas_registry_credentials (organization_id, registry, username, secret_ref)
        VALUES (%(o)s, 'registry.example.com', 'ada', 'vault')
    """,
    "skypanel.config_vars": """
        INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id) VALUES (%(e)s, 'NAME', 'x', 'k')
    """,
    "skypanel.api_tokens": """
        INSERT INTO skypanel.api_tokens (id, name, hash, organization_id, role, expires_at)
        SELECT left(translate(%(o)s::text, '-', ''), 12), 'ci', sha256(%(o)s::text::bytea), %(o)s, 'member',
               now() + interval '1 day'
    """,
    "skypanel.source_hooks": """
        INSERT INTO skypanel.source_hooks (id, source_id, key_id, ciphertext)
        SELECT gen_random_uuid(), id, 'k', 'x' FROM paas_sources WHERE organization_id = %(o)s
    """,
    "skypanel.source_forges": """
        INSERT INTO skypanel.source_forges (id, source_id, forge, api, key_id, ciphertext)
        SELECT gen_random_uuid(), id, 'github', 'https://a.b', 'k', 'x' FROM paas_sources WHERE organization_id = %(o)s
    """,
    "skypanel.role_bindings": """
        INSERT INTO skypanel.role_bindings (name, organization_id, issuer, claims, role)
        VALUES ('ci', %(o)s, 'https://id.example.com', '{"sub": ["ci"]}', 'member')
    """,
}
_TENANT: LiteralString = """
WITH u AS (INSERT INTO users (email, password_hash, name) VALUES (%(slug)s, 'x', 'Ops') RETURNING id),
     o AS (INSERT INTO organizations (name, slug, owner_id) SELECT %(slug)s, %(slug)s, id FROM u RETURNING id)
SELECT id::text FROM o
"""
_ENVIRONMENT: LiteralString = """
WITH p AS (INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES (%(slug)s, 0.25, 64) RETURNING id),
     a AS (INSERT INTO paas_apps (organization_id, name, slug) VALUES (%(o)s, 'Shop', 'shop') RETURNING id)
INSERT INTO paas_environments (app_id, plan_id, name, image_ref, port)
SELECT a.id, p.id, 'production', 'web:1', 8080 FROM a, p RETURNING id::text
"""
_REMOVE: LiteralString = """
DELETE FROM skypanel.reconcile_controls WHERE id IN ({o}, {e});
UPDATE paas_plans SET name = {slug} WHERE id = (SELECT plan_id FROM paas_environments WHERE id = {e});
DELETE FROM organizations WHERE id = {o};
DELETE FROM users WHERE email = {slug};
DELETE FROM paas_plans WHERE name = {slug};
DELETE FROM paas_stacks; DELETE FROM paas_buildpacks; DELETE FROM paas_addon_plans; DELETE FROM paas_templates;
DELETE FROM paas_nodes; DELETE FROM skypanel.tombstones
"""
_PARTS: LiteralString = """
WITH d AS (INSERT INTO paas_domains (environment_id, hostname) VALUES (%(e)s, %(slug)s || '.example'))
INSERT INTO paas_processes (environment_id, type) SELECT %(e)s, unnest(%(types)s::text[])
"""


def columns(database: Database) -> list[Column]:
    """Every column of a declared table, and of organizations, that the panel's role may change."""
    rows = database.execute(
        "SELECT a.attrelid::regclass::text, a.attname::text, format_type(a.atttypid, NULL)"
        "  FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid"
        " WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        "   AND (r.relnamespace = 'skypanel'::regnamespace OR r.relname ~ '^((paas|caas)_|organizations$)')"
        "   AND has_column_privilege('skypanel_panel', a.attrelid, a.attnum, 'UPDATE')"
        "   AND format_type(a.atttypid, NULL) <> 'uuid'"
        " ORDER BY 1, a.attnum"
    )
    return [Column(*row) for row in rows]


def changes(found: Sequence[Column]) -> st.SearchStrategy[list[Change]]:
    """Some values for some columns; what decides what runs is drawn more often."""
    often = [c for c in found if c.table in ("paas_environments", "paas_processes", "paas_domains", "paas_plans")]
    one = st.sampled_from([*often, *often, *often, *found])
    return st.lists(
        one.flatmap(lambda column: st.builds(Change, st.just(column), values.of(column.name, column.type))),
        min_size=1,
        max_size=8,
    )


@dataclass
class Tenant:
    """An organization with one environment."""

    slug: str
    organization: str
    environment: str

    @property
    def keys(self) -> tuple[Key, Key]:
        return Key("organization", self.organization), Key("environment", self.environment)

    @property
    def named(self) -> dict[str, str]:
        """As statements name them."""
        return {"slug": self.slug, "o": self.organization, "e": self.environment}


@dataclass
class FuzzHarness:
    """The database, the leader's process, and what was counted.

    Args:
        guarded: with the constraints; without, rows are as they may have been before there were any, but for times,
            which the migration mended.
    """

    database: Database
    guarded: bool
    runner: asyncio.Runner
    process: Contender
    live: LiveView
    found: list[Column]
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    _number: int = 0
    _neighbour: Tenant | None = None
    _as_ever: Mapping[str, Any] = field(default_factory=dict)

    def example(self, drawn: Sequence[Change]) -> None:
        """Write, load, read, render, plan; fails when anything but the defined comes of it."""
        neighbour = self._neighbour or self._settle()
        tenant = self._make(drawn)
        began = time.monotonic()
        try:
            for change in drawn:
                self._write(tenant, change)
            found = self.runner.run(self._load([*tenant.keys, *neighbour.keys]))
            for key in tenant.keys:
                self.outcomes[self._judge(key, found[key])] += 1
            assert self._told(neighbour, found) == self._as_ever, "the neighbour is not as it was"
            touched = {change.column.table for change in drawn}
            for kind in (name for name, cls in KINDS.items() if cls.binding.deleted_in in touched):
                # as `skypanel get` reads them
                reader.objects(self.database.session("reader"), kind, everything=True)
        finally:
            self._remove(tenant)
        self.slowest = max(self.slowest, time.monotonic() - began)
        assert self.slowest < LONGEST_SECONDS

    def _settle(self) -> Tenant:
        """The neighbour, and what it means."""
        self._neighbour = self._make([])
        found = self.runner.run(self._load(self._neighbour.keys))
        self._as_ever = self._told(self._neighbour, found)
        return self._neighbour

    def _run(self, query: LiteralString | sql.Composed, given: Mapping[str, Any]) -> Any:
        cursor = self.database.session("panel").execute(query, given)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def _make(self, drawn: Sequence[Change]) -> Tenant:
        self._number += 1
        given: dict[str, Any] = {"slug": f"t{self._number}", "types": ["web", "worker"] if self._number % 2 else []}
        with self.database.session("panel").transaction():
            given["o"] = UUID(self._run(_TENANT, given))
            given["e"] = UUID(self._run(_ENVIRONMENT, given))
            self._run(_PARTS, given)
            tables = {change.column.table for change in drawn}
            for statement in _MAKE if tables - _RENDERED else ():
                self._run(statement, given)
            for table in tables & _MAKE_FOR.keys():
                self._run(_MAKE_FOR[table], given)
        return Tenant(given["slug"], str(given["o"]), str(given["e"]))

    def _write(self, tenant: Tenant, change: Change) -> None:
        """One column of the tenant's rows, unless the database refuses it."""
        table, name, type_ = change.column
        query = sql.SQL("UPDATE {} SET {} = %(value)s::{} WHERE {}").format(
            sql.Identifier(*table.split(".")),
            sql.Identifier(name),
            sql.SQL(type_),
            sql.SQL(_WHERE[table]),
        )
        try:
            self._run(query, {**tenant.named, "value": change.value})
        except _REFUSED as error:
            self.refused[type(error).__name__] += 1

    def _remove(self, tenant: Tenant) -> None:
        """All of it, and what was made beside it, in one go."""
        owner = self.database.session("skypanel_owner")
        owner.execute(sql.SQL(_REMOVE).format(**{name: sql.Literal(value) for name, value in tenant.named.items()}))

    async def _load(self, keys: Sequence[Key]) -> dict[Key, Loaded]:
        """All of ``keys`` at once, twice: with the changes that came, and by themselves. Both are the same."""
        store = self.process.store
        more = True
        while more:
            changed, more = await store.consume()
            assert all(change.key.kind for change in changed)
        first, second = [await self._at_once(keys) for _ in range(2)]
        assert _plain(first) == _plain(second)
        return second

    async def _at_once(self, keys: Sequence[Key]) -> dict[Key, Loaded]:
        found: dict[Key, Loaded] = {}

        async def load(key: Key) -> None:
            found[key] = await self.process.store.load(key)

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(load, key)
        return found

    def _told(self, tenant: Tenant, found: Mapping[Key, Loaded]) -> dict[str, Any]:
        """Hashes of all that a tenant means."""
        told: dict[str, Any] = {}
        for key in tenant.keys:
            assert found[key].unreadable is None
            objects = self._wanted(key, found[key])
            told |= {service.name: service.hash for service in objects.services}
            told |= {network.name: network for network in objects.of(Network)}
        assert told
        return told

    def _wanted(self, key: Key, loaded: Loaded) -> Objects:
        reconciler = registered()[key.kind]
        ahead = LookAhead(OPTIONS, self.live, subnets={loaded.key.id: "10.64.0.0/24"})
        return reconciler.preview(reconciler.read(loaded.document, OPTIONS), ahead)

    def _judge(self, key: Key, loaded: Loaded) -> str:
        """One word for what comes of an object; fails for what must not come of any."""
        assert loaded.declared
        if loaded.deleted:
            return "deleted"
        assert loaded.document is not None
        json.dumps(loaded.document)
        refusal = loaded.unreadable
        if refusal is None:
            try:
                objects = self._wanted(key, loaded)
            except InvalidSpec as error:
                refusal = error
        if refusal is not None:
            self._check_refusal(key, loaded, refusal)
            return refusal.reason
        self._check_objects(key, loaded, objects)
        return "as declared"

    def _check_refusal(self, key: Key, loaded: Loaded, refusal: InvalidSpec) -> None:
        """It is said in bounds, can be written down, and leaves what is live alone."""
        assert refusal.problems
        assert str(refusal)
        assert len(str(refusal)) < LONGEST_MESSAGE
        assert "pydantic" not in str(refusal)
        conditions = stalled(refusal.reason, str(refusal))
        self.runner.run(self._report(key, loaded, conditions))
        assert loaded.document is not None
        registered()[key.kind].salvage(loaded.document, (), OPTIONS, HomeNetwork("id", "name"))

    def _check_objects(self, key: Key, loaded: Loaded, objects: Objects) -> None:
        changes_ = plan((key.kind, key.id), objects, self.live, []).changes
        assert len(changes_) >= len(objects.services)
        assert all(len(str(change)) < LONGEST_MESSAGE for change in changes_)
        for service in objects.services:
            assert len(service.name) <= 63
            text = json.dumps(service.spec)
            assert len(text) < LARGEST_RENDERED
            assert "{{" not in json.dumps([service.spec["TaskTemplate"]["ContainerSpec"].get("Mounts"), service.name])
        if key.kind == "environment":
            self._check_against_rows(key.id, objects)
        self.runner.run(self._report(key, loaded, ready("Deployed", "it runs")))

    def _check_against_rows(self, environment: str, objects: Objects) -> None:
        """The documents say what the columns say, read here without any of the code that renders."""
        query = (  # of a command, none and empty are the same
            "SELECT c.type, e.image_ref, coalesce(nullif(c.command, '{}'), e.entrypoint),"
            " CASE WHEN c.args <> '{}' THEN c.args WHEN coalesce(c.command, '{}') = '{}' THEN e.cmd END,"
            " CASE WHEN e.suspended OR a.suspended OR o.suspended THEN 0"
            "  WHEN c.id IS NULL THEN e.instances ELSE c.instances END,"
            " e.run_as, coalesce(e.memory_mb, p.memory_mb, 256), e.init, e.read_only_root, e.tmpfs_paths,"
            " coalesce(c.stop_signal, e.stop_signal), e.ulimits, e.sysctls, e.extra_hosts, e.files, e.region, e.pool,"
            " e.spread"
            "  FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
            "  JOIN paas_organizations o ON o.organization_id = a.organization_id"
            "  LEFT JOIN paas_plans p ON p.id = e.plan_id"
            "  LEFT JOIN paas_processes c ON c.environment_id = e.id AND c.deleted_at IS NULL WHERE e.id = %s"
        )
        declared = {row[0] or "web": row[1:] for row in self.database.execute(query, environment)}
        rendered = {}
        contents = {config.name: config.data for config in objects.of(Config)}
        for service in objects.services:
            task = service.spec["TaskTemplate"]
            inner = task["ContainerSpec"]
            behind = inner.get("Command") == [PROGRAM]
            process = service.spec["Labels"][labels.PROCESS]
            if behind:  # a program that the image has is not known ahead
                image, command, args, *rest = declared[process]
                declared[process] = (image, [*(command or [UNKNOWN_PROGRAM]), *(args or [])], None, *rest)
            rendered[process] = (
                inner["Image"],
                list(without_helper([PROGRAM, *inner["Args"]])) if behind else inner.get("Command"),
                None if behind else inner.get("Args"),
                service.replicas,
                inner.get("User"),
                task["Resources"]["Limits"]["MemoryBytes"] // 2**20,
                inner["Init"],
                inner["ReadOnly"],
                [(mount["Target"], mount["TmpfsOptions"]["SizeBytes"] >> 20) for mount in inner["Mounts"]],
                *_settings(task, contents),
            )
        plain = {
            process: (
                *row[:1],
                row[1] or None,
                row[2] or None,
                *row[3:8],
                sorted(map(_tmpfs, row[8])),
                *_declared(row[9:]),
            )
            for process, row in declared.items()
        }
        assert rendered == plain

    async def _report(self, key: Key, loaded: Loaded, conditions: Any) -> None:
        status = Status(key.kind, key.id, loaded.organization_id, loaded.generation, conditions, {})
        await self.process.store.report(Report(key, loaded.organization_id, [status]))


def _tmpfs(entry: str) -> tuple[str, int]:
    path, _, size = entry.partition(":size=")
    return path, int(size.removesuffix("Mi") or 64)


def _declared(row: Sequence[Any]) -> tuple[Any, ...]:
    """Of a row, in a form that can be compared: signal, limits, kernel settings, host names, files, places."""
    signal, ulimits, sysctls, hosts, files, region, pool, spread = row
    limits = {**(ulimits or {})}
    limits = {"nofile": limits.get("nofile") or 8192, "memlock": (limits.get("memlock_mb") or 0) * 2**20, "core": 0}
    wanted = {"pool": pool, "region": region}
    return (
        signal,
        {name: limit for name, limit in limits.items() if limit or name == "core"},
        {name: str(value) for name, value in (sysctls or {}).items()},
        {f"{address} {name}" for name, address in (hosts or {}).items()},
        {path: text.encode() for path, text in (files or {}).items()},
        [f"node.labels.io.skypanel.{name} == {value}" for name, value in wanted.items() if value is not None],
        [] if spread is None else [{"Spread": {"SpreadDescriptor": f"node.labels.io.skypanel.{spread}"}}],
    )


def _settings(task: Mapping[str, Any], contents: Mapping[str, bytes | None]) -> tuple[Any, ...]:
    """The same of a rendered task."""
    inner, place = task["ContainerSpec"], task.get("Placement", {})
    given = {each["File"]["Name"]: contents.get(each["ConfigName"]) for each in inner.get("Configs", ())}
    return (
        inner.get("StopSignal"),
        {limit["Name"]: limit["Hard"] for limit in inner["Ulimits"]},
        inner.get("Sysctls", {}),
        set(inner.get("Hosts", ())),
        {path: data for path, data in given.items() if not path.startswith("/.skypanel/")},
        place.get("Constraints", []),
        place.get("Preferences", []),
    )


def _plain(found: Mapping[Key, Loaded]) -> dict[Key, tuple[Loaded, str]]:
    """In a form that can be compared."""
    return {key: (replace(loaded, unreadable=None), str(loaded.unreadable)) for key, loaded in found.items()}


_RENDERED = {
    "organizations",
    "paas_organizations",
    "paas_plans",
    "paas_apps",
    "paas_environments",
    "paas_processes",
    "paas_domains",
}


@contextmanager
def place(database: Database, *, guarded: bool) -> Iterator[FuzzHarness]:
    """A place on a migrated database without tenants."""
    if not guarded:
        rows = database.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid::regclass::text ~ '^(paas|caas)_|^skypanel.(config|gitops)'"
            "   AND pg_get_constraintdef(oid) !~ '3000-01-01'"
        )
        for table, name in rows:
            database.session("skypanel_owner").execute(sql.SQL(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        process = runner.run(stack.enter_async_context(leading(database, seconds=86_400)))
        assert runner.run(process.lease.acquire())
        live = LiveView(OPTIONS.installation, lambda _owners: None)
        set_json_loads(decoding.shown, database.session("reader"))  # as the commands do
        try:
            yield FuzzHarness(database, guarded, runner, process, live, columns(database))
        finally:
            runner.run(stack.aclose())


def peak_megabytes() -> float:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
