"""Webhooks of sources over HTTP: who has the secret wakes one source, once; all others learn nothing."""

from __future__ import annotations

import base64
import hmac
import io
import json
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from controller.api.app import make_app
from controller.api.callers import Access
from controller.cli import main
from controller.settings import Settings
from tests.store.api.conftest import KEY, Tokens, World
from tests.store.conftest import Database
from tests.unit.api.test_hooks import SAID

GIVEN = "a-secret-that-the-forge-has-made"


class Hook:
    """A source's webhook, and a forge that knows it."""

    def __init__(self, world: World, name: str = "main", branch: str = "master") -> None:
        self.world = world
        self.name = f"acme/{name}"
        self.source = world.database.one(
            "INSERT INTO paas_sources (organization_id, name, repo_url, branch) VALUES (%s, %s, 'https://a.b/c', %s)"
            " RETURNING id::text", world.acme.organization, name, branch, role="panel",
        )  # fmt: skip
        self.address = f"/api/paas/webhooks/{self.source}"

    def send(self, said: Any, secret: str, event: str = "push", **more: str) -> Any:
        raw = json.dumps(said).encode()
        headers = {
            "Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": str(uuid4()),
            "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), raw, 'sha256').hexdigest()}", **more,
        }  # fmt: skip
        return self.world.client.post(self.address, content=raw, headers=headers)

    def wakes(self) -> int:
        """How often it was woken since this was asked last."""
        rows = self.world.database.execute(
            "DELETE FROM skypanel.change_log WHERE kind = 'source' AND id = %s RETURNING 1", self.source
        )
        return len(rows)

    def events(self) -> list[Any]:
        return self.world.database.execute(
            "SELECT message, count FROM skypanel.events WHERE reason = 'Woken' AND object_id = %s ORDER BY id",
            self.source,
        )


@pytest.fixture
def cli(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``skypanel source hook``; what it prints on standard output, without the line break."""
    monkeypatch.setenv("SKYPANEL_KEYS", KEY)
    monkeypatch.setenv("DATABASE_URL", world.database.dsn("panel"))

    def run(*words: str, stdin: str = "", code: int = 0) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        assert main(["source", "hook", *words]) == code
        said = capsys.readouterr()
        return (said.out if code == 0 else said.err).strip()

    return run


@pytest.fixture
def hook(world: World) -> Iterator[Hook]:
    found = Hook(world, f"s{uuid4().hex[:8]}")
    found.wakes()
    yield found
    world.database.execute("DELETE FROM paas_sources WHERE id = %s", found.source)


def test_a_push_wakes_the_source_once_and_an_event_names_the_delivery(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    assert secret.startswith("whsec_")
    hook.wakes()
    answer = hook.send(SAID["github push"], secret, **{"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"})
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"woken": True, "message": "the source looks at its repository now"}
    assert hook.wakes() == 1
    told = "GitHub: delivery 72d3162e-cc78-11e3-81ab-4c9367dc0958 (push of refs/heads/master) woke it"
    assert hook.events() == [(told, 1)]
    other = {**SAID["github push"], "after": "1" * 40}
    assert hook.send(other, secret).json()["woken"]
    ((message, count),) = hook.events()
    assert (message == told, count) == (False, 2), "the newest of some minutes is named, the others are counted"


def test_what_comes_again_wakes_nothing_under_whatever_number(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    one = {"X-GitHub-Delivery": "one"}
    assert hook.send(SAID["github push"], secret, **one).json()["woken"]
    hook.wakes()
    for again in (one, {}, {"X-GitHub-Delivery": "two"}, {"X-GitHub-Event": "ping"}):
        answer = hook.send(SAID["github push"], secret, **again)
        assert (answer.status_code, answer.json()["woken"]) == (202, False)
    answer = hook.send({**SAID["github push"], "after": "2" * 40}, secret, **one)
    assert answer.json()["message"] == "this delivery was taken before"
    assert hook.wakes() == 0
    kept = hook.world.database.one("SELECT count(*) FROM skypanel.source_deliveries WHERE source_id = %s", hook.source)
    assert kept == 2


def test_deliveries_that_are_remembered_have_a_bound(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    hook.world.database.execute(
        "INSERT INTO skypanel.source_deliveries (source_id, digest, at) SELECT %s, sha256(n::text::bytea),"
        " now() - n * interval '1 minute' FROM generate_series(1, 1500) n", hook.source,
    )  # fmt: skip
    assert hook.send(SAID["github push"], secret).json()["woken"]
    count, oldest = hook.world.database.execute(
        "SELECT count(*), now() - min(at) < '24 hours' FROM skypanel.source_deliveries WHERE source_id = %s",
        hook.source,
    )[0]
    assert (count, oldest) == (1000, True)


@pytest.mark.parametrize(("event", "name", "woken"), [
    ("push", "github push", True), ("push", "github tag", False), ("ping", "github ping", False),
    ("release", "github ping", True),
])  # fmt: skip
def test_only_what_plainly_is_of_something_else_wakes_nothing(
    hook: Hook, cli: Any, event: str, name: str, woken: bool
) -> None:
    secret = cli(hook.name)
    hook.wakes()
    answer = hook.send(SAID[name], secret, event)
    assert (answer.status_code, answer.json()["woken"], hook.wakes()) == (202, woken, int(woken)), answer.text


def test_every_forge_wakes_with_what_it_signs(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    client = hook.world.client

    def ask(name: str, headers: dict[str, str]) -> None:
        answer = client.post(hook.address, content=json.dumps(SAID[name]).encode(), headers=headers)
        assert (answer.status_code, answer.json().get("woken")) == (202, True), (name, answer.text)

    def of(name: str) -> str:
        return hmac.new(secret.encode(), json.dumps(SAID[name]).encode(), "sha256").hexdigest()

    ask("gitea push", {"X-Gitea-Signature": of("gitea push"), "X-Gitea-Event": "push", "X-GitHub-Event": "push"})
    hook.world.database.execute("DELETE FROM skypanel.source_deliveries")
    ask("gitea push", {"X-Forgejo-Signature": of("gitea push"), "X-Forgejo-Event": "push"})
    ask("gitlab push", {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret, "X-Gitlab-Event-UUID": "1"})
    key = base64.b64decode(secret.removeprefix("whsec_"))
    at = int(time.time())
    raw = f"msg_1.{at}.".encode() + json.dumps(SAID["gitlab push"]).encode()
    text = base64.b64encode(hmac.digest(key, raw, "sha256")).decode()
    standard = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,AAAA v1,{text}"}
    ask("gitlab push", {"X-Gitlab-Event": "Push Hook", **standard})
    hook.world.database.execute("DELETE FROM skypanel.source_deliveries")
    ask("gitlab push", standard)
    for name, event in (("bitbucket push", "repo:push"), ("bitbucket dc push", "repo:refs_changed")):
        ask(name, {"X-Event-Key": event, "X-Hub-Signature": f"sha256={of(name)}"})
    ask("github ping", {"Authorization": f"Bearer {secret}"})
    ask("github ping", {"Authorization": f"Bearer {secret}"})


def test_two_secrets_count_while_one_is_replaced_and_none_when_it_is_gone(hook: Hook, cli: Any) -> None:
    said = [{**SAID["github push"], "after": str(n) * 40} for n in range(9)]
    first = cli(hook.name)
    assert "has a webhook" in cli(hook.name, code=1)
    assert cli(hook.name, "--rotate", "--from", "-", stdin=f"{GIVEN}\n") == "the secret is set"
    assert [hook.send(said[n], secret).status_code for n, secret in enumerate((first, GIVEN))] == [202, 202]
    third = cli(hook.name, "--rotate")
    assert [hook.send(said[2 + n], s).status_code for n, s in enumerate((first, GIVEN, third))] == [404, 202, 202]
    last = cli(hook.name, "--rotate", "--overlap", "0")
    assert [hook.send(said[5 + n], s).status_code for n, s in enumerate((third, last))] == [404, 202]
    cli(hook.name, "--remove")
    assert hook.send(said[7], last).status_code == 404
    assert "has no webhook" in cli(hook.name, "--remove", code=1)
    assert "has no webhook" in cli(hook.name, "--rotate", code=1)
    cli(hook.name, "--from", "-", stdin="short", code=1)
    entries = hook.world.database.execute(
        "SELECT did, entry::text FROM skypanel.audit WHERE entry ->> 'table' LIKE '%source_hooks' ORDER BY at"
    )
    assert {did for did, _ in entries} >= {"created", "changed", "deleted"}
    database = hook.world.database
    everything = str(entries) + str(database.execute("SELECT h::text, e::text FROM skypanel.source_hooks h FULL JOIN"
                                                     " skypanel.events e ON false"))  # fmt: skip
    assert not [secret for secret in (first, GIVEN, third, last) if secret in everything]


def test_whatever_is_wrong_has_the_same_answer(hook: Hook, cli: Any, world: World) -> None:
    secret = cli(hook.name)
    gone, folder = Hook(world, f"g{uuid4().hex[:8]}"), Hook(world, f"f{uuid4().hex[:8]}")
    their = cli(gone.name)
    cli(folder.name)
    world.database.execute("UPDATE paas_sources SET deleted_at = now() WHERE id = %s", gone.source)
    hook.wakes()
    answers = [hook.send(SAID["github push"], "wrong-" + secret), hook.send(SAID["github push"], their)]
    answers += [gone.send(SAID["github push"], their), gone.send(SAID["github push"], secret)]
    answers += [folder.send(SAID["github push"], secret)]
    answers += [world.client.post(hook.address, content=b"{}"), world.client.post(hook.address)]
    answers += [hook.send(SAID["github push"], secret, **{"X-Hub-Signature-256": ""})]
    for place in (uuid4(), hook.source.upper(), "x", "0" * 300, "%00"):
        answers.append(world.client.post(f"/api/paas/webhooks/{place}", content=b"{}"))
    said = [
        (a.status_code, {k: v for k, v in a.json().items() if k not in ("request", "instance")},
         sorted(set(a.headers) - {"ratelimit", "ratelimit-policy"}))
        for a in answers
    ]  # fmt: skip
    assert all(each == said[0] for each in said), said
    assert said[0][0] == 404
    assert hook.wakes() == 0
    assert hook.events() == []
    assert world.client.get(hook.address).status_code == 405
    assert world.client.post(f"{hook.address}?secret={secret}", content=b"{}").status_code == 404
    large = hook.send({"x": "y" * 1_100_000}, secret)
    assert large.status_code == 413


def test_a_suspended_source_is_not_woken_and_deep_or_broken_bodies_are(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    hook.wakes()
    raw = b"[" * 100_000
    headers = {
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), raw, 'sha256').hexdigest()}",
    }
    answer = hook.world.client.post(hook.address, content=raw, headers=headers)
    assert answer.json()["woken"], "what does not say plainly that it is of something else wakes"
    hook.world.database.execute("UPDATE paas_sources SET suspended = true WHERE id = %s", hook.source)
    hook.wakes()
    answer = hook.send(SAID["github push"], secret)
    assert (answer.status_code, answer.json()["message"], hook.wakes()) == (202, "the source is suspended", 0)


def test_a_flood_of_good_deliveries_is_told_to_wait(hook: Hook, cli: Any) -> None:
    secret = cli(hook.name)
    codes = [hook.send({**SAID["github push"], "n": n}, secret).status_code for n in range(35)]
    assert codes[:30] == [202] * 30
    assert 429 in codes[30:]
    assert len(hook.events()) == 1


def test_it_takes_no_longer_to_be_refused_by_a_webhook_that_is_there(hook: Hook, cli: Any) -> None:
    """Medians of many, one after the other: what is left between them is less than what a network adds to each."""
    cli(hook.name)
    absent = Hook.__new__(Hook)
    absent.world, absent.address = hook.world, f"/api/paas/webhooks/{uuid4()}"
    took: dict[str, list[float]] = {"there": [], "absent": []}
    for _ in range(60):
        for name, each in (("there", hook), ("absent", absent)):
            begun = time.perf_counter()
            each.send(SAID["github push"], "wrong")
            took[name].append(time.perf_counter() - begun)
    there, missing = (statistics.median(took[name]) for name in ("there", "absent"))
    assert abs(there - missing) < 0.002 + 0.5 * missing, (there, missing)


def test_without_a_key_none_is_looked_at_and_none_is_told_from_another(database: Database) -> None:
    given = Settings(skypanel_api_database_url=SecretStr(database.dsn("api")), docker_host="tcp://127.0.0.1:1")
    tokens = Tokens()
    access = Access(tokens.authenticate, tokens.may, tokens.can, lambda *_: True, lambda caller: caller)
    with TestClient(make_app(given, {}, access=access), raise_server_exceptions=False) as client:
        answer = client.post(f"/api/paas/webhooks/{uuid4()}", content=b"{}")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-key")
