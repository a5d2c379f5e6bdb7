"""Vulnerability reports on a real database: who hands them in and how, what stays, what a policy may say.

The commands are those of docs/operations.md, with a stand-in for Trivy's own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from controller.actions.doctor.database import reports_check
from controller.cli import main
from controller.cli.errors import ExitCode
from controller.settings import Settings
from tests.docs.blocks import blocks
from tests.docs.session import follow
from tests.store import leading
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path
from tests.store.test_releases_cli import Run, run
from tests.unit.specs.test_trivy import CONFIG, INDEX, document, entry

__all__ = ["run"]
_PUT: LiteralString = (
    "SELECT skypanel.report_image(%s, ARRAY[%s], 'trivy', 'x', now() - make_interval(days => %s),"
    " '{1,0,0,0,0}', '{0,0,0,0,0}')"
)


def put(database: Database, digest: str = CONFIG, days: int = 0, role: str = "scanner") -> Any:
    return database.one(_PUT, digest, digest, days, role=role)


def test_a_scanner_hands_reports_in_and_nobody_else_does(database: Database, tenant: Tenant) -> None:
    assert put(database) is True
    for role in ("panel", "controller", "reader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            put(database, INDEX, role=role)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute("UPDATE caas_image_reports SET found = '{0,0,0,0,0}'", role=role)
        assert database.one("SELECT count(*) FROM caas_image_reports", role=role) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM caas_image_reports",
        "INSERT INTO caas_image_reports (digest) VALUES ('x')",
        "SELECT * FROM paas_environments",
        "SELECT * FROM organizations",
        "SELECT * FROM caas_image_verdicts",
        "SELECT * FROM skypanel.object_status",
        "SELECT skypanel.prune_image_reports(1, 1)",
    ],
)
def test_a_scanner_does_nothing_else(database: Database, tenant: Tenant, query: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute(query, role="scanner")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"digest": "sha256:short"}, "digest_form"),
        ({"digests": []}, "digests_form"),
        ({"digests": [CONFIG, *(f"sha256:{n:064}" for n in range(64))]}, "small"),
        ({"scanner": ""}, "scanner_bounded"),
        ({"reference": "x" * 1025}, "small"),
        ({"scanner": "x" * 65}, "small"),
        ({"found": [0, 0, 0, 0]}, "counts"),
        ({"found": [1_000_001, 0, 0, 0, 0]}, "counts"),
        ({"fixable": [1, 0, 0, 0, 0]}, "counts"),
        ({"scanned_at": datetime.now(UTC) + timedelta(hours=2)}, "scanned_at_past"),
        ({"scanned_at": "-infinity"}, "scanned_at_readable"),
        ({"scanned_at": "0044-03-15 BC"}, "scanned_at_readable"),
    ],
)
def test_a_row_is_bounded(database: Database, change: dict[str, Any], constraint: str) -> None:
    row = {
        "digest": CONFIG,
        "digests": [CONFIG],
        "scanner": "trivy",
        "reference": "web:1",
        "scanned_at": datetime.now(UTC),
    }
    row |= {"found": [0] * 5, "fixable": [0] * 5, **change}
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        database.session("scanner").execute(
            "SELECT skypanel.report_image(%(digest)s, %(digests)s::text[], %(scanner)s, %(reference)s, %(scanned_at)s,"
            " %(found)s::integer[], %(fixable)s::integer[])",
            row,
        )
    assert caught.value.diag.constraint_name == f"caas_image_reports_{constraint}"


@pytest.mark.anyio
async def test_old_reports_go_but_for_those_of_what_an_environment_names(database: Database, tenant: Tenant) -> None:
    put(database, days=90)
    put(database, INDEX, days=90)
    put(database, f"sha256:{'d' * 64}", days=10)
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture, digests)"
        " VALUES (%s, 'web:1', %s, 'amd64', %s)",
        tenant.environment,
        f"web@sha256:{'e' * 64}",
        [INDEX],
        role="controller",
    )
    async with leading.leader(database) as one:
        assert await one.store.prune("image_reports", 30, 100) == 1
        assert await one.store.prune("image_reports", 30, 100) == 0
    left = database.execute("SELECT digest FROM caas_image_reports ORDER BY scanned_at")
    assert [digest for (digest,) in left] == [INDEX, f"sha256:{'d' * 64}"]


def report(database: Database, monkeypatch: pytest.MonkeyPatch, *words: str, role: str = "scanner") -> int:
    monkeypatch.setenv("DATABASE_URL", database.dsn(role))
    return main(["images", *words])


def test_a_report_of_trivy_is_handed_in_and_listed(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document(entry("CRITICAL", "2.0"), entry("LOW"))))
    assert report(database, monkeypatch, "report", str(file)) == ExitCode.OK
    said = capsys.readouterr()
    assert f"image {CONFIG}: 1 (1 fixable) critical, 0 high, 0 medium, 1 low, 0 unknown" in said.out
    assert said.err == ""
    assert report(database, monkeypatch, "report", str(file)) == ExitCode.OK
    assert "nothing was changed" in capsys.readouterr().err
    assert report(database, monkeypatch, "list", INDEX, "-o", "json", role="reader") == ExitCode.OK
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["digests"], found["reference"]) == ([CONFIG, INDEX], "registry.example.com/shop/web:1")
    assert report(database, monkeypatch, "list", f"sha256:{'0' * 64}", role="reader") == ExitCode.OK
    assert "no report" in capsys.readouterr().out


_TRIVY = """\
trivy() {
    [[ "$*" = "image --scanners vuln --list-all-pkgs --format json --output report.json registry"* ]] || return 9
    cp trivy-wrote.json report.json
}
"""


def test_the_page_can_be_followed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "trivy-wrote.json").write_text(json.dumps(document(entry("CRITICAL", "2.0"))))
    scanner, reader = database.dsn("scanner"), database.dsn("reader")
    said = follow(
        blocks("docs/operations.md", "Vulnerability reports"),
        tmp_path,
        prelude=f"{_TRIVY}export DATABASE_URL='{reader}'\n",
        instead={"postgresql://ci_scanner@db.example.com/skypanel": f"'{scanner}'"},
    )
    assert "1 (1 fixable) critical" in said
    assert "registry.example.com/shop/web:1" in said


def test_what_is_no_report_or_comes_from_somebody_else_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    file.write_text("{}")
    assert report(database, monkeypatch, "report", str(file)) == ExitCode.ERROR
    assert "SchemaVersion" in capsys.readouterr().err
    file.write_text(json.dumps(document(CreatedAt="2999-01-01T00:00:00Z")))
    assert report(database, monkeypatch, "report", str(file)) == ExitCode.ERROR
    assert "Set the clock" in capsys.readouterr().err
    file.write_text(json.dumps(document()))
    assert report(database, monkeypatch, "report", str(file), role="panel") == ExitCode.ERROR
    assert "skypanel_scanner" in capsys.readouterr().err
    assert report(database, monkeypatch, "report", str(tmp_path / "none.json")) == ExitCode.ERROR
    assert database.one("SELECT count(*) FROM caas_image_reports") == 0


@pytest.mark.parametrize(
    "limits",
    [
        [],
        {"critical": -1},
        {"critical": 1.5},
        {"critical": "0"},
        {"critical": None},
        {"severe": 0},
        {"max_age_days": 0},
        {"only_fixable": 1},
        {"without_report": "hope"},
        {"without_report": None},
    ],
)
def test_a_policy_s_limits_are_numbers_or_refused(database: Database, tenant: Tenant, limits: Any) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            "INSERT INTO caas_image_policies (organization_id, vulnerabilities) VALUES (%s, %s)",
            tenant.organization,
            Jsonb(limits),
            role="panel",
        )


def test_limits_are_declared_as_yaml_and_come_back_the_same(
    database: Database, tenant: Tenant, run: Run, tmp_path: Path
) -> None:
    organization, file = path(database, 1), tmp_path / "policy.yaml"
    file.write_text(
        "apiVersion: skypanel.io/v1\nkind: ImagePolicy\n"
        f"metadata: {{name: default, organization: {organization}}}\n"
        "spec: {vulnerabilities: {critical: 0, onlyFixable: true, withoutReport: refuse}, enforcement: all}\n"
    )
    run("apply", "-f", str(file))
    limits = {"critical": 0, "only_fixable": True, "without_report": "refuse"}
    assert database.one("SELECT vulnerabilities FROM caas_image_policies") == limits
    assert "onlyFixable: true" in run("export", "imagepolicy", f"{organization}/default")
    assert "unchanged" in run("apply", "-f", str(file))


_MANY: LiteralString = (
    "INSERT INTO caas_image_reports (digest, digests, scanner, reference, scanned_at, found, fixable, created_at)"
    " SELECT d, ARRAY[d], 'trivy', 'x', now(), '{0,0,0,0,0}', '{0,0,0,0,0}', now() - make_interval(hours => %s)"
    " FROM (SELECT 'sha256:' || lpad(to_hex(n), 64, '0') AS d FROM generate_series(1, %s) n) made"
)


@pytest.mark.parametrize(("hours", "count", "said"), [(0, 20_000, "within an hour"), (2, 100_000, "of 100000 images")])
def test_a_scanner_s_login_does_not_fill_the_disk(
    database: Database,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    hours: int,
    count: int,
    said: str,
) -> None:
    database.execute("ALTER TABLE caas_image_reports DISABLE TRIGGER caas_image_reports_look_again")
    database.execute("DROP INDEX caas_image_reports_by_digest")  # so many are made sooner
    database.execute(_MANY, hours, count - 1)
    assert put(database) is True, "one is left"
    assert put(database) is True, "another one of the same image takes its place"
    with pytest.raises(psycopg.errors.CheckViolation, match=said):
        put(database, INDEX)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document()).replace(CONFIG, INDEX[:-1] + "0"))
    assert report(database, monkeypatch, "report", str(file)) == ExitCode.ERROR
    assert said in capsys.readouterr().err
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture, digests)"
        " VALUES (%s, 'web:1', 'web', 'amd64', %s)",
        tenant.environment,
        [INDEX],
        role="controller",
    )
    assert put(database, INDEX) is True, "what an environment names is always taken"


@pytest.mark.anyio
async def test_no_report_of_another_platform_pushes_the_one_of_this_content_out(
    database: Database, tenant: Tenant
) -> None:
    put(database, days=3)
    database.execute("UPDATE caas_image_reports SET digests = %s", [CONFIG, INDEX])
    for number in range(70):
        other = f"sha256:{number:064}"
        database.execute(
            "SELECT skypanel.report_image(%s, %s, 'trivy', 'x', now(), '{0,0,0,0,0}', '{0,0,0,0,0}')",
            other,
            [other, INDEX],
            role="scanner",
        )
    async with leading.leader(database) as one:
        found = await one.store.image_reports([INDEX, CONFIG])
    assert found[0].digest == CONFIG
    assert len(found) == 64


def test_doctor_warns_of_policies_that_wait_for_reports_which_nobody_hands_in(
    database: Database, tenant: Tenant
) -> None:
    def found() -> tuple[str, str, str]:
        check = reports_check(database.session("reader"), Settings())
        return check.level, check.message, check.mend

    assert found()[0] == "ok"
    database.execute(
        "INSERT INTO caas_image_policies (organization_id, vulnerabilities) VALUES (%s, %s)",
        tenant.organization,
        Jsonb({"critical": 0, "max_age_days": 7}),
        role="panel",
    )
    level, message, mend = found()
    assert level == "warn"
    assert "organization acme asks for reports of at most 7 days" in message
    assert "none was ever handed in" in message
    assert "skypanel images report" in mend
    put(database)
    assert found()[0] == "ok"
    database.execute("ALTER TABLE caas_image_reports DISABLE TRIGGER USER")
    database.execute("UPDATE caas_image_reports SET updated_at = now() - interval '8 days'")
    level, message, _ = found()
    assert (level, "the newest was handed in at" in message) == ("warn", True)
