"""What the database's proxy does to a statement, as a client and as the database see it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import Server
from tests.proxies.postgres import PostgresProxy, Rule

INSERT = "INSERT INTO said VALUES (%s)"


@pytest.fixture
def proxy(postgres: Server) -> Iterator[PostgresProxy]:
    """Before the tests' PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="sky-") as folder:
        made = PostgresProxy(Path(folder) / ".s.PGSQL.5432", postgres.socket_dir / ".s.PGSQL.5432").start()
        yield made
        made.stop()


@pytest.fixture
def connect(postgres: Server, proxy: PostgresProxy) -> Iterator[Callable[[], psycopg.Connection]]:
    """Connections through it, to a database with one table."""
    postgres.create_empty_database("proxied")
    with direct(postgres) as connection:
        connection.execute("CREATE TABLE said (word text)")
    made: list[psycopg.Connection] = []

    def make() -> psycopg.Connection:
        made.append(psycopg.connect(f"postgresql://postgres@/proxied?host={proxy.path.parent}", autocommit=True))
        return made[-1]

    yield make
    for connection in made:
        connection.close()
    postgres.drop_database("proxied")


@contextmanager
def direct(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn_for("postgres", "proxied"), autocommit=True) as connection:
        yield connection


def said(server: Server) -> list[str]:
    with direct(server) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM said")]


@pytest.mark.parametrize(("forward", "done"), [(True, ["word"]), (False, [])])
def test_a_statement_whose_answer_is_lost_is_done_or_not_as_the_rule_says(
    postgres: Server, proxy: PostgresProxy, connect: Callable[[], psycopg.Connection], forward: bool, done: list[str]
) -> None:
    rule = proxy.add(Rule("INSERT INTO said", forward=forward))
    with pytest.raises(psycopg.OperationalError):
        connect().execute(INSERT, ["word"])
    assert (rule.hits, said(postgres)) == (1, done)
    connect().execute(INSERT, ["again"])
    assert said(postgres) == [*done, "again"]


def test_a_prepared_statement_is_known_by_its_text(
    postgres: Server, proxy: PostgresProxy, connect: Callable[[], psycopg.Connection]
) -> None:
    connection = connect()
    for number in range(3):
        connection.execute(INSERT, [str(number)], prepare=True)
    proxy.add(Rule("INSERT INTO said"))
    with pytest.raises(psycopg.OperationalError):
        connection.execute(INSERT, ["3"], prepare=True)
    assert said(postgres) == ["0", "1", "2", "3"]


def test_what_is_done_when_it_is_hit_comes_between_the_statement_and_its_answer(
    postgres: Server, proxy: PostgresProxy, connect: Callable[[], psycopg.Connection]
) -> None:
    seen: list[list[str]] = []
    proxy.add(Rule("INSERT INTO said", lost=False, then=lambda: seen.append(said(postgres))))
    connect().execute(INSERT, ["word"])
    assert seen == [["word"]]


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_healed(
    proxy: PostgresProxy, connect: Callable[[], psycopg.Connection]
) -> None:
    connection = connect()
    proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connect()
    proxy.heal()
    assert connect().execute("SELECT 1").fetchone() == (1,)
