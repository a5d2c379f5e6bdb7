"""What is below a path and in no file is deleted with what the files declare, and nothing else is."""

from __future__ import annotations

import json

import pytest

from controller.cli.errors import ExitCode
from tests.store.conftest import Database
from tests.store.test_specwriter_cli import Run, run

__all__ = ["run"]
TOP = "apiVersion: skypanel.io/v1\nkind: "
ORGANIZATION = f"{TOP}Organization\nmetadata: {{name: acme}}\nspec: {{owner: ops@acme.example}}\n"


def app(name: str, *environments: str) -> str:
    documents = [f"{TOP}App\nmetadata: {{name: {name}, organization: acme}}\n"]
    for environment in environments:
        own = f"name: {environment}, app: {name}, organization: acme"
        documents.append(f"{TOP}Environment\nmetadata: {{{own}}}\nspec: {{image: web:1, port: 8080}}\n")
        documents.append(
            f"{TOP}Domain\nmetadata: {{name: {environment}.{name}.example, environment: {environment}, app: {name}, "
            "organization: acme}\n"
        )
    return "---\n".join(documents)


@pytest.fixture
def there(run: Run) -> Run:
    """Two apps with two environments each."""
    shop, blog = app("shop", "production", "staging"), app("blog", "production", "staging")
    run("apply", "-f", "-", stdin=f"{ORGANIZATION}---\n{shop}---\n{blog}")
    return run


def left(database: Database) -> list[str]:
    rows = database.execute(
        "SELECT kind, path FROM skypanel.names WHERE kind IN ('app', 'environment', 'domain') AND NOT deleted"
    )
    return sorted(f"{kind} {path.split('/')[-1] if kind == 'domain' else path}" for kind, path in rows)


def test_what_no_file_names_below_the_path_goes_and_what_is_beside_it_stays(there: Run, database: Database) -> None:
    before = left(database)
    files = app("shop", "production")
    planned = there("plan", "-f", "-", "--prune", "acme/shop", stdin=files, code=ExitCode.CHANGES)
    assert "acme/shop/staging" in planned
    assert left(database) == before, "a plan deletes nothing"
    done = json.loads(there("apply", "-f", "-", "--prune", "acme/shop", "-o", "json", stdin=files))
    assert [row["name"] for row in done if row["action"] == "deleted"] == ["acme/shop/staging"]
    gone = {"environment acme/shop/staging", "domain staging.shop.example"}
    assert left(database) == sorted({*before} - gone)
    again = json.loads(there("apply", "-f", "-", "--prune", "acme/shop", "-o", "json", stdin=files))
    assert {row["action"] for row in again} == {"unchanged"}


def test_an_owner_of_what_is_declared_stays_though_no_file_names_it(there: Run, database: Database) -> None:
    files = app("blog", "staging").partition("---\n")[2]  # its environment, without the app
    there("apply", "-f", "-", "--prune", "acme", stdin=files)
    assert left(database) == ["app acme/blog", "domain staging.blog.example", "environment acme/blog/staging"]


def test_what_has_config_vars_in_the_files_stays(
    there: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYPANEL_KEYS", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    variables = f"{TOP}ConfigVars\nmetadata: {{environment: staging, app: shop, organization: acme}}\n"
    files = "---\n".join([app("shop", "production"), f"{variables}spec: {{variables: {{LOG_LEVEL: info}}}}\n"])
    there("apply", "-f", "-", "--prune", "acme/shop", stdin=files)
    assert "environment acme/shop/staging" in left(database)


def test_what_a_source_declares_stays(there: Run, database: Database) -> None:
    source = database.one(
        "INSERT INTO paas_sources (organization_id, name, repo_url)"
        " SELECT id, 'main', 'https://git.example.com/x.git' FROM organizations WHERE slug = 'acme' RETURNING id::text"
    )
    database.execute(
        "INSERT INTO skypanel.source_commits (source_id, organization_id, commit, files, objects)"
        " SELECT id, organization_id, repeat('a', 40), 1, 1 FROM paas_sources",
        role="postgres",
    )
    database.execute(
        "INSERT INTO skypanel.source_objects (kind, id, source_id, organization_id)"
        " SELECT kind, id, %s, organization_id FROM skypanel.names WHERE path = 'acme/shop/staging'",
        source,
        role="postgres",
    )
    there("apply", "-f", "-", "--prune", "acme/shop", stdin=app("shop", "production"))
    assert "environment acme/shop/staging" in left(database)
    there("apply", "-f", "-", "--prune", "acme", stdin=app("blog", "production", "staging"))
    assert [line for line in left(database) if "shop" in line] == ["app acme/shop", "environment acme/shop/staging"]


def test_what_a_source_sets_config_vars_of_stays(there: Run, database: Database) -> None:
    database.execute(
        "WITH s AS (INSERT INTO paas_sources (organization_id, name, repo_url)"
        " SELECT id, 'main', 'https://git.example.com/x.git' FROM organizations WHERE slug = 'acme'"
        " RETURNING id, organization_id)"
        " INSERT INTO skypanel.source_variables (owner_kind, owner_id, name, source_id, organization_id, variable_id)"
        " SELECT n.kind, n.id, 'LOG_LEVEL', s.id, s.organization_id, gen_random_uuid() FROM s, skypanel.names n"
        " WHERE n.path = 'acme/shop/staging'",
        role="postgres",
    )
    database.execute(
        "INSERT INTO skypanel.source_commits (source_id, organization_id, commit, files, objects)"
        " SELECT id, organization_id, repeat('a', 40), 1, 0 FROM paas_sources",
        role="postgres",
    )
    there("apply", "-f", "-", "--prune", "acme/shop", stdin=app("shop", "production"))
    assert "environment acme/shop/staging" in left(database)


@pytest.mark.parametrize(
    ("path", "said"),
    [("acme/shp", "there is no app acme/shp"), ("acme//shop", "is not a path that has something below it")],
)
def test_a_path_that_is_none_writes_and_deletes_nothing(there: Run, database: Database, path: str, said: str) -> None:
    before = left(database)
    files = app("shop", "production", "new")
    assert said in there("apply", "-f", "-", "--prune", path, stdin=files, code=ExitCode.ERROR)
    assert left(database) == before


def test_where_something_is_refused_nothing_is_deleted(there: Run, database: Database) -> None:
    before = left(database)
    files = app("shop", "production") + f"---\n{TOP}App\nmetadata: {{name: x, organization: nobody}}\n"
    there("apply", "-f", "-", "--prune", "acme/shop", stdin=files, code=ExitCode.ERROR)
    assert left(database) == before
