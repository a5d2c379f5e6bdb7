"""``skypanel tokens`` and ``skypanel auth`` on a real database: a token is shown once, and read from standard input."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.access.token_text import is_token
from controller.cli import main
from tests.docs.blocks import blocks
from tests.docs.session import follow
from tests.store.conftest import Database, Tenant
from tests.unit.access.test_panel_tokens import SECRET, signed

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``skypanel ...`` as the panel, expect an exit code, get what it printed on both."""
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))

    def command(*words: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        ended = main(list(words))
        captured = capsys.readouterr()
        assert ended == code, captured.err
        return captured.out, captured.err

    return command


def test_a_token_is_alone_on_standard_output_and_never_shown_again(run: Run) -> None:
    out, said = run("tokens", "create", "ci", "-n", "acme", "--verb", "deploy", "--app", "shop")
    token = out.strip()
    assert is_token(token)
    assert token not in said
    assert "it is shown this once" in said
    (listed,) = json.loads(run("tokens", "list", "-n", "acme", "-o", "json")[0])
    assert (listed["name"], listed["role"], listed["verbs"], listed["apps"]) == ("ci", "member", ["deploy"], ["shop"])
    assert listed["id"] in token
    second = run("tokens", "rotate", listed["id"], "--overlap", "0")[0].strip()
    assert is_token(second)
    assert second != token
    everything = [*run("tokens", "list", "-a"), *run("tokens", "list", "-a", "-o", "json"), *run("audit", "list")]
    assert not any(secret[17:] in text for secret in (token, second) for text in everything)
    assert f"token {listed['id']} (ci) revoked" in run("tokens", "revoke", listed["id"])[0]
    assert "there is no token" in run("tokens", "list")[0]
    assert "revoked" in run("tokens", "list", "--all")[0]


def test_can_i_answers_for_who_has_the_token(run: Run, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    token = run("tokens", "create", "ci", "-n", "acme", "--verb", "read", "--app", "shop")[0]
    ask = ("auth", "can-i")
    assert run(*ask, "read", "env/acme/shop/production", "--token-stdin", stdin=token)[0] == "yes\n"
    out, said = run(*ask, "deploy", "env", "acme/shop/production", "--token-stdin", stdin=token, code=1)
    assert (out, "limited to less" in said) == ("no\n", True)
    assert "is not of acme" in run(*ask, "read", "env/other/shop/production", "--token-stdin", stdin=token, code=1)[1]
    assert "not a member" in run(*ask, "read", "app", "-n", "other", "--token-stdin", stdin=token, code=1)[1]
    for wrong in ("", "x", token[:-3], signed()):
        assert "no valid token" in run(*ask, "read", "app", "--token-stdin", stdin=wrong, code=1)[1]
    monkeypatch.setenv("JWT_SECRET", SECRET)
    mine = signed({"userId": str(tenant.user), "email": "x", "exp": 4_000_000_000})
    assert run(*ask, "delete", "env/acme/shop/production", "--token-stdin", stdin=mine)[0] == "yes\n"
    assert run(*ask, "write", "organization", "--token-stdin", stdin=mine, code=1)[0] == "no\n"


def test_can_i_answers_for_a_role_without_a_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert run("auth", "can-i", "deploy", "env", "--role", "member")[0] == "yes\n"
    assert run("auth", "can-i", "read", "env/acme/shop/production", "--role", "viewer")[0] == "yes\n"
    out, said = run("auth", "can-i", "delete", "app", "--role", "member", code=1)
    assert (out, "these may: owner, admin, platform-admin" in said) == ("no\n", True)
    assert "there is no scale of plan" in run("auth", "can-i", "scale", "plan", "--role", "owner", code=1)[1]
    assert "did you mean" in run("auth", "can-i", "raed", "plan", "--role", "owner", code=1)[1]
    assert "for whom?" in run("auth", "can-i", "read", "plan", code=1)[1]
    assert {row["kind"] for row in json.loads(run("auth", "roles", "-o", "json")[0])} >= {"plan", "environment"}


def test_a_secret_that_everybody_knows_is_refused_without_repeating_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret in ("your-super-secret-jwt-key-change-in-production", "tooshort7"):
        monkeypatch.setenv("JWT_SECRET", secret)
        said = run("auth", "can-i", "read", "app", "--token-stdin", stdin="x", code=1)[1]
        assert "JWT_SECRET" in said
        assert secret not in said


def test_the_page_can_be_followed(database: Database, tenant: Tenant, tmp_path: Path) -> None:
    (trusted,) = [
        block for block in blocks("docs/access.md", "Tokens of an OpenID Connect issuer") if block.language == "ini"
    ]
    settings = "".join(f"export {line}\n" for line in trusted.text.splitlines())
    prelude = f"export DATABASE_URL='{database.dsn('panel')}'\n{settings}"
    typed = [
        block
        for heading in ("Roles", "API tokens", "Tokens of an OpenID Connect issuer")
        for block in blocks("docs/access.md", heading)
        if block.language == "sh"
    ]
    said = follow(typed, tmp_path, prelude=prelude)
    assert said.count("yes\n") == 3
    assert "acme/ci" in said
    assert "groups=dev|sre" in said
    assert is_token((tmp_path / "token").read_text().strip())
