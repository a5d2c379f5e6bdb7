"""The stream, read over a real connection: what comes, to whom, from where it goes on, and how it ends."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from psycopg import sql

from controller.api.streams import follower, hub
from controller.declared import stream as declared_stream
from tests.labs import eventually, free_port
from tests.store.api.conftest import World, app_on

ENVIRONMENT = "acme/shop/production"


class Message(NamedTuple):
    event: str
    data: dict[str, Any]


class Stream:
    """One that is read."""

    def __init__(
        self,
        port: int,
        who: str,
        query: str = "",
        last: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {
            **(headers or {"Authorization": f"Bearer {who}"}),
            **({"Last-Event-ID": last} if last is not None else {}),
        }
        self._connection.request("GET", f"/api/stream{query}", headers=headers)
        self.answer = self._connection.getresponse()
        self.id = ""

    def next(self) -> Message | None:
        """The next message; None: it has ended."""
        event, data = "", ""
        while line := self.answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data = value
            elif name == "id":
                self.id = value
            elif not name and data:
                return Message(event, json.loads(data))
        return None

    def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """All that comes until one that is ``wanted``, that one among them."""
        seen: list[Message] = []
        while (message := self.next()) is not None:
            seen.append(message)
            if wanted(message):
                return seen
        raise AssertionError(f"it ended before: {seen}")

    def first(self) -> Stream:
        """Has begun: what is written from now on comes, and its place is known."""
        self.until(lambda m: m.event == "controller")
        return self.placed()

    def placed(self) -> Stream:
        """Has read the place that comes after what belongs together."""
        line = self.answer.readline().decode()
        assert line.startswith("id: "), line
        self.id = line[4:].strip()
        assert self.answer.readline() == b"\n"
        return self

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


class Served(NamedTuple):
    world: World
    port: int
    open: Callable[..., Stream]


@pytest.fixture
def served(own_world: World) -> Iterator[Served]:
    """The API on a port of its own, as its server runs it, but for signals."""
    app = app_on(own_world.database, own_world.tokens, skypanel_api_streams_per_caller=3)
    with serving(app) as port, ExitStack() as stack:

        def open_(*how: Any, **more: Any) -> Stream:
            stream = Stream(port, *how, **more)
            stack.callback(stream.close)
            return stream

        yield Served(own_world, port, open_)


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """On a port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=10))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, what="the server")
        yield port
    finally:
        app.state.end_streams("over")
        server.should_exit = True
        thread.join(20)


def say(world: World, reason: str, message: str = "so it is") -> None:
    """As the controller reports: a status and an event."""
    database, environment, acme = world.database, world.acme.environment, world.acme.organization
    database.execute(
        "INSERT INTO skypanel.object_status"
        " (kind, id, organization_id, observed_generation, ready, reason, message, epoch)"
        " VALUES ('environment', %s, %s, 1, false, %s, %s, 1)"
        " ON CONFLICT (kind, id) DO UPDATE SET reason = excluded.reason, message = excluded.message",
        environment, acme, reason, message, role="controller",
    )  # fmt: skip
    database.execute(
        "INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)"
        " VALUES ('environment', %s, %s, 'Normal', %s, %s)",
        environment, acme, reason, message, role="controller",
    )  # fmt: skip


def replicas(conn: psycopg.Connection, world: World, count: int) -> None:
    conn.execute("UPDATE paas_environments SET instances = %s WHERE id = %s", (count, world.acme.environment))


def of(kind: str, event: str = "object") -> Callable[[Message], bool]:
    return lambda m: m.event == event and m.data["kind"] == kind


def test_what_is_written_and_what_is_said_of_it_comes_and_its_owner_with_it(served: Served) -> None:
    stream = served.open("owner").first()
    replicas(served.world.database.session("panel"), served.world, 3)
    written = stream.until(of("Environment"))[-1].data
    assert written["path"] == ENVIRONMENT
    assert written["metadata"]["generation"] > written["status"]["observedGeneration"]
    assert stream.until(of("App"))[-1].data["path"] == "acme/shop"
    say(served.world, "RollingOut")
    told = stream.until(lambda m: m.event == "event")
    assert told[-1].data["reason"] == "RollingOut"
    assert told[-1].data["path"] == ENVIRONMENT
    assert not any("spec" in message.data for message in told)


def test_nobody_hears_of_what_is_another_organization_s(served: Served) -> None:
    other, platform = served.open("other").first(), served.open("platform").first()
    say(served.world, "RollingOut")
    served.world.database.execute(
        "UPDATE paas_environments SET instances = 2 WHERE id = %s", served.world.globex.environment, role="panel"
    )
    heard = other.until(of("Environment"))
    assert "acme" not in str(heard)
    platform.until(lambda m: m.event == "object" and m.data["path"] == "globex/shop/production")
    assert served.open("nobody").answer.status == 401


def test_who_asks_for_a_kind_or_a_path_hears_of_that_alone(served: Served) -> None:
    events = served.open("owner", "?kind=app").first()
    elsewhere = served.open("owner", "?path=acme/other").first()
    say(served.world, "RollingOut")
    assert {m.data["kind"] for m in events.until(of("App"))} == {"App"}
    served.world.ask("PUT", "/api/paas/organizations/acme/apps/other", json={"spec": {}})
    assert {m.data["path"] for m in elsewhere.until(of("App"))} == {"acme/other"}
    assert served.open("owner", "?kind=tree").answer.status == 400


def test_it_goes_on_where_it_was_and_passes_over_nothing_that_commits_late(served: Served) -> None:
    world = served.world
    late = world.database.connect("panel")
    with late, late.transaction():
        replicas(late, world, 5)  # begun before, and seen by nobody yet
        stream = served.open("owner").first()
        say(world, "RollingOut")
        stream.until(lambda m: m.event == "event")
        stream.placed().close()
    say(world, "Deployed", "and then this")
    again = served.open("owner", last=stream.id)
    seen = again.until(lambda m: m.event == "event" and m.data["reason"] == "Deployed")
    assert {m.event for m in seen} == {"object", "event"}
    generations = [m.data["metadata"]["generation"] for m in seen if of("Environment")(m)]
    (now,) = world.database.execute("SELECT generation FROM paas_environments WHERE id = %s", world.acme.environment)
    assert generations[-1] == now[0]


@pytest.mark.parametrize(
    "last", ["", "1", "0.5.1:1:", "x" * 1000, "{at}.{db}.9:1:", "{at}.1.1:1:", "{at}.{db}.1:99999999999:", "-1.2.3:4:"]
)
def test_an_id_that_cannot_be_gone_on_from_is_said_to_be_none(served: Served, last: str) -> None:
    stream = served.open("owner").first()
    at, database, _ = stream.id.split(".")
    again = served.open("owner", last=last.format(at=at, db=database))
    assert [m.event for m in again.until(lambda m: m.event == "controller")] == ["reset", "controller"]
    say(served.world, "RollingOut")
    assert again.until(of("Environment"))


def test_what_is_gone_is_said_and_whether_anybody_vouches(served: Served) -> None:
    stream = served.open("owner").first()
    database = served.world.database
    domain = database.one(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'gone.example') RETURNING id",
        served.world.acme.environment,
        role="panel",
    )
    stream.until(of("Domain"))
    database.execute("DELETE FROM paas_domains WHERE id = %s", domain, role="panel")
    assert stream.until(of("Domain", "gone"))[-1].data["id"] == str(domain)
    database.execute(
        "INSERT INTO skypanel.lease (name, holder, epoch, expires_at)"
        " VALUES ('x', 'one', 1, now() + interval '10 seconds')"
    )
    assert stream.until(lambda m: m.event == "controller")[-1].data["alive"] is True


RESET = "read again what you show"


def add_environments(served: Served, count: int) -> None:
    served.world.database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref) SELECT %s, 'e' || n, '127.0.0.1:5000/skypanel/web:1'"
        " FROM generate_series(1, %s) AS n",
        served.world.acme.app,
        count,
        role="panel",
    )


def goes_on(served: Served, stream: Stream) -> None:
    """What is written from now on comes, and the place that came with the last message leads on."""
    say(served.world, "RollingOut")
    told = stream.until(lambda m: m.event == "event")
    assert {m.data["path"] for m in told if m.event != "reset"} <= {ENVIRONMENT, "acme/shop"}
    stream.placed().close()
    say(served.world, "Deployed")
    again = served.open("owner", last=stream.id)
    assert "reset" not in {
        m.event for m in again.until(lambda m: m.event == "event" and m.data["reason"] == "Deployed")
    }


def test_more_than_is_read_at_once_is_said_to_all_and_then_it_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_AT_ONCE", 10)
    stream, other = served.open("owner").first(), served.open("other").first()
    add_environments(served, 20)
    for each in (stream, other):
        assert RESET in each.until(lambda m: m.event == "reset")[-1].data["why"]
        each.placed()
    goes_on(served, stream)


@pytest.mark.parametrize(("kept", "told"), [(0.1, "reset"), (3300.0, "object")])
def test_streams_outlive_a_database_that_is_away_and_say_when_it_was_for_too_long(
    served: Served, monkeypatch: pytest.MonkeyPatch, kept: float, told: str
) -> None:
    stream, database = served.open("owner").first(), served.world.database
    panel = database.session("panel")
    with database.server.connect() as admin:
        name = sql.Identifier(database.name)
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'api'",
                [database.name],
            )
            monkeypatch.setattr(declared_stream, "KEPT_SECONDS", kept)
            replicas(panel, served.world, 4)
            eventually(lambda: not answers(served), what="the API has noticed")
        finally:
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    seen = stream.until(lambda m: m.event in {"reset", "object"})
    assert seen[-1].event == told


def answers(served: Served) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)) as connection:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200


def test_what_cannot_be_read_again_and_again_is_said_to_all_and_then_it_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece that takes longer than a statement may: by a function that fails as the server's time limit does."""
    monkeypatch.setattr(hub, "IDLE_SECONDS", 0.05)
    stream, database = served.open("owner").first(), served.world.database
    asked = "skypanel.stream_since(pg_snapshot)"
    was = database.one("SELECT pg_get_functiondef(%s::regprocedure)", asked)
    database.execute(
        "CREATE OR REPLACE FUNCTION skypanel.stream_since(p_seen pg_snapshot)"
        " RETURNS TABLE (kind text, id uuid, organization_id uuid, event bigint)"
        " LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        " AS $$ BEGIN RAISE query_canceled USING MESSAGE = 'canceling statement due to statement timeout'; END $$"
    )
    replicas(database.session("panel"), served.world, 6)
    assert RESET in stream.until(lambda m: m.event == "reset")[-1].data["why"]
    database.session("skypanel_owner").execute(was)
    goes_on(served, stream)


def test_a_reader_who_does_not_read_is_dropped_with_a_word(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "MOST_WAITING", 2000)
    stream = served.open("owner").first()
    add_environments(served, 20)
    assert "read faster" in stream.until(lambda m: m.event == "end")[-1].data["why"]
    assert stream.next() is None


def test_a_token_that_is_taken_away_reads_no_longer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "AGAIN_SECONDS", 0.2)
    stream = served.open("second").first()
    assert served.open("second", "?seconds=1").first().until(lambda m: m.event == "end")[-1].data["why"]
    served.world.tokens.known.pop("second")
    assert "token" in stream.until(lambda m: m.event == "end")[-1].data["why"]


def test_one_caller_has_no_more_streams_than_he_may_and_leaves_others_theirs(served: Served) -> None:
    streams = [served.open("owner").first() for _ in range(3)]
    assert served.open("owner").answer.status == 429
    served.open("viewer").first()
    streams[0].close()
    eventually(lambda: served.open("owner").answer.status == 200, what="who has gone is noticed")
