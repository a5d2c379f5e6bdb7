"""Is the database fit: reachable, current, the right role, somebody leads, nothing is held back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import psycopg
from psycopg import errors

from controller.actions import audit, keys
from controller.actions.connection import connected
from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.actions.errors import ActionError
from controller.declared import controls, scans
from controller.postgres.connecting import connection_string
from controller.postgres.statements import statement
from controller.schema import migrate
from controller.schema.errors import MigrationError, PendingMigrationsError
from controller.schema.fitness import POOLER, hears
from controller.settings import Settings
from controller.vault.keyring import FILE_VARIABLE, VARIABLE, KeyFileError
from specs.kinds import KINDS, LOGIN, TENANT_WORD

_CLOCK_SECONDS = 2.0
_NAMED = 5
_LAST_ENTRIES, _LATE_SECONDS = 1000, 600.0
_OLD_TRANSACTIONS, _OLD_SECONDS = 100_000, 3600


def examine(settings: Settings) -> Iterator[Check]:
    """Every check of the database of DATABASE_URL."""
    try:
        with connected(settings.database_url.get_secret_value()) as conn:
            info = conn.info
            yield ok("database reachable", f"{info.dbname} on {info.host}, as {info.user}")
            yield from _checks(conn, settings)
    except ActionError as error:
        yield fail("database reachable", str(error), error.hint)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        yield fail("database reachable", said, "check DATABASE_URL, and that the server runs")


def _checks(conn: psycopg.Connection, settings: Settings) -> Iterator[Check]:
    version = conn.info.parameter_status("server_version") or ""
    if conn.info.server_version < migrate.OLDEST_SERVER:
        yield fail("database version", f"PostgreSQL {version}", "install PostgreSQL 14 or newer")
        return
    yield ok("database version", f"PostgreSQL {version}")
    yield clock_check(conn)
    try:
        migrate.check(conn)
    except PendingMigrationsError as error:
        yield fail("schema", str(error), "run it as the role that shall own the schema")
        return
    except MigrationError as error:  # says itself how to mend it
        yield fail("schema", str(error), "")
        return
    yield ok("schema", "current")
    yield role_check(conn)
    yield session_check(settings)
    yield transaction_check(conn)
    yield _known(lambda: lease_check(conn, settings.skypanel_installation), "leader")
    yield _known(lambda: hidden_check(conn), "rows")
    yield _known(lambda: tenants_check(conn), "tenants")
    yield _known(lambda: fuse_check(conn), "fuse")
    yield _known(lambda: pause_check(conn), "pauses")
    yield _known(lambda: keys_check(conn, settings), "keys")
    yield _known(lambda: organizations_check(conn), "organizations")
    yield _known(lambda: registries_check(conn), "image registries")
    yield _known(lambda: reports_check(conn, settings), "reports")
    yield _known(lambda: audit_check(conn), "audit")


def clock_check(conn: psycopg.Connection) -> Check:
    """Status times are the database's; a lease does not depend on this."""
    before = datetime.now(UTC)
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    after = datetime.now(UTC)
    assert row is not None
    apart = (row[0] - (before + (after - before) / 2)).total_seconds()
    if abs(apart) > _CLOCK_SECONDS:
        return warn("clock", f"the database's clock is {apart:+.1f} s from this host's", "run an NTP client on both")
    return ok("clock", f"{abs(apart) * 1000:.0f} ms between database and host")


def role_check(conn: psycopg.Connection) -> Check:
    """The controller writes status and never spec; the panel the other way round."""
    row = conn.execute(statement("schema/checks/privileges")).fetchone()
    assert row is not None
    role, is_superuser, spec, status, reads = row
    use = "run `skypanel up` as a role that has skypanel_controller and nothing else"
    if is_superuser:
        return warn("role", f"{role} is a superuser", use)
    if spec and status:
        return warn("role", f"{role} may write specs and status: good for `migrate` only", use)
    if status:
        return ok("role", f"{role} may write status and not specs, as the controller should")
    if spec:
        return ok("role", f"{role} may write specs and not status: good for `apply`, not for `up`")
    if reads:
        return ok("role", f"{role} may only read: good for `get`, not for `apply` and `up`")
    return fail("role", f"{role} may not read what the controller needs", "GRANT it skypanel_controller")


def session_check(settings: Settings) -> Check:
    """Is a session one's own? Behind a pooler that shares them no notification arrives."""
    conninfo = connection_string(settings.database_url.get_secret_value(), "skypanel-cli")
    if anyio.run(hears, conninfo):
        return ok("sessions", "notifications arrive")
    return fail("sessions", POOLER, "set DATABASE_URL to it")


def transaction_check(conn: psycopg.Connection) -> Check:
    """Does a transaction that stays open keep the server from cleaning up? Reading the change log takes longer then."""
    row = conn.execute(statement("schema/checks/oldest_transaction")).fetchone()
    if row is None or (row[2] < _OLD_TRANSACTIONS and (row[3] or 0) < _OLD_SECONDS):
        return ok("transactions", "none has been open for long")
    pid, user, age, seconds = row
    since = f" for {seconds / 60:.0f} minutes" if seconds is not None else ""
    return warn(
        "transactions",
        f"process {pid} of role {user} has held one open{since}, {age:,} transactions ago",
        f"let it end, or SELECT pg_terminate_backend({pid})",
    )


def lease_check(conn: psycopg.Connection, installation: str) -> Check:
    """Does somebody lead?"""
    row = conn.execute(statement("store/lease/read"), {"name": installation}).fetchone()
    start = "start one: skypanel up"
    if row is None:
        return warn("leader", f"no controller of installation {installation} has ever led", start)
    holder, epoch, age, left = row
    if left <= 0:
        return warn("leader", f"nobody leads; {holder} did until {-left:.0f} s ago (epoch {epoch})", start)
    return ok("leader", f"{holder}, epoch {epoch}, renewed {age:.1f} s ago")


def fuse_check(conn: psycopg.Connection) -> Check:
    """Is something held back?"""
    row = conn.execute(statement("store/fuse/read")).fetchone()
    assert row is not None
    tripped_at, live, owners, unconfirmed, objects = row
    if not unconfirmed:
        return ok(
            "fuse",
            f"confirmed removals go on, of so many owners: {owners}" if owners else "nothing is held back",
        )
    since = f"; tripped at {tripped_at:%Y-%m-%d %H:%M:%S %Z}" if tripped_at else ""
    return warn(
        "fuse",
        f"removals are held back, {objects} of {live} live objects, of so many owners: {unconfirmed}{since}",
        "review it with `skypanel gc`, and confirm it with `skypanel gc --confirm`",
    )


def hidden_check(conn: psycopg.Connection) -> Check:
    """Do our views see every row? What they do not see looks deleted."""
    rows = conn.execute(
        "SELECT table_name, min(view_owner) FROM skypanel.hidden_tables GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if not rows:
        return ok("rows", "no row-level security hides rows from the views")
    tables = ", ".join(row[0] for row in rows)
    return fail(
        "rows",
        f"row-level security of {tables} may hide rows from the owner of the views; nothing is removed meanwhile",
        f"let a superuser run: ALTER ROLE {rows[0][1]} BYPASSRLS;",
    )


def tenants_check(conn: psycopg.Connection) -> Check:
    """Does every table with rows of organizations show the API those of one alone?"""
    open_to_all = [row[0] for row in conn.execute(statement("schema/checks/unguarded"))]
    if open_to_all:
        more = f" and {len(open_to_all) - _NAMED} more" if len(open_to_all) > _NAMED else ""
        return fail(
            "tenants",
            f"no policies keep organizations apart in {', '.join(open_to_all[:_NAMED])}{more}",
            "run `skypanel migrate` as the schema's owner, which makes them; stop `skypanel api` until then",
        )
    unheld = [row[0] for row in conn.execute(statement("schema/checks/unheld"))]
    if unheld:
        return fail(
            "tenants",
            f"policies do not hold {', '.join(unheld)}, which has skypanel_api",
            f"let a superuser run: ALTER ROLE {unheld[0]} NOSUPERUSER NOBYPASSRLS;",
        )
    return ok("tenants", "policies keep organizations apart in every table that the API sees")


def pause_check(conn: psycopg.Connection) -> Check:
    """Is everything looked after?"""
    found = controls.pauses(conn)
    if not found:
        return ok("pauses", "nothing is paused")
    widest = found[0]
    if widest.scope == "installation":
        why = f" ({widest.reason})" if widest.reason else ""
        return warn(
            "pauses",
            f"{widest.by} paused the whole installation at {widest.at:%Y-%m-%d %H:%M:%S %Z}{why}",
            "resume it with `skypanel resume --all`",
        )
    organizations = sum(pause.scope == TENANT_WORD for pause in found)
    return ok("pauses", f"{organizations} organization(s) and {len(found) - organizations} object(s) are paused")


def keys_check(conn: psycopg.Connection, settings: Settings) -> Check:
    """Can everything be opened that is set?"""
    try:
        found = keys.status(conn, settings.vault.keyring)
    except KeyFileError as error:
        return fail("keys", str(error), "")
    lost = {key.id: key.organizations for key in found if key.state == "missing"}
    if lost:
        said = ", ".join(f"{key} (of {count})" for key, count in lost.items())
        return fail(
            "keys",
            f"keys that open config vars are missing, of so many organizations: {said}",
            f"add their lines to {FILE_VARIABLE} or {VARIABLE}, from a backup",
        )
    if not found:
        return ok("keys", "there is none, and none is needed: `skypanel keys generate` makes one for config vars")
    return ok("keys", f"{found[0].id} is current; all data keys can be opened")


def organizations_check(conn: psycopg.Connection) -> Check:
    """Is there something to work for?"""
    row = conn.execute("SELECT count(*) FROM skypanel.names WHERE kind = %s AND NOT deleted", [TENANT_WORD]).fetchone()
    assert row is not None
    if row[0]:
        return ok("organizations", str(row[0]))
    return warn("organizations", "there is none yet", "skypanel user add ADDRESS, then skypanel apply a file with one")


def registries_check(conn: psycopg.Connection) -> Check:
    """Do registries take the users that organizations have there?"""
    row = conn.execute(statement("schema/checks/not_ready"), {"kind": KINDS[LOGIN].word(), "most": _NAMED}).fetchone()
    assert row is not None
    users, refused, said = row
    if not refused:
        return ok("image registries", f"so many users of them that organizations have: {users}; none is refused")
    more = f" and {refused - len(said)} others" if refused > len(said) else ""
    return warn(
        "image registries",
        f"of {users} users of them that organizations have, {refused} are not ready: {', '.join(said)}{more}",
        "set the right password: `skypanel registries set ORGANIZATION HOST --username USER`",
    )


def reports_check(conn: psycopg.Connection, settings: Settings) -> Check:
    """Does somebody hand vulnerability reports in, where image policies wait for them?"""
    own = settings.options.image_policy.vulnerabilities
    asked = {f"organization {name}": limits for name, limits in scans.asked_for(conn).items()}
    asked |= {"the installation": own} if own is not None and own.forbids else {}
    newest = scans.newest(conn)
    if not asked:
        return ok("reports", "no image policy asks for vulnerability reports")
    late = {
        whose: f"reports of at most {limits.max_age_days} days"
        for whose, limits in asked.items()
        if newest is None or newest[1] > limits.max_age_days
    }
    if newest is None:
        came = "none was ever handed in"
    else:
        came = f"the newest was handed in at {newest[0]:%Y-%m-%d %H:%M:%S %Z}"
    if not late:
        return ok("reports", f"{came}; {len(asked)} image policies ask for them")
    named = [f"that of {whose} asks for {what}" for whose, what in list(late.items())[:_NAMED]]
    more = f", and {len(late) - _NAMED} others" if len(late) > _NAMED else ""
    return warn(
        "reports",
        f"image policies wait for vulnerability reports, and {came}: {', '.join(named)}{more}",
        "scan what runs, and hand each report in with a login of skypanel_scanner: `trivy image --scanners vuln "
        "--list-all-pkgs --format json --output report.json IMAGE`, `skypanel images report report.json`",
    )


def audit_check(conn: psycopg.Connection) -> Check:
    """Is the end of the audit as it was written, and does it go on?"""
    try:
        found = audit.verify(conn, most=_LAST_ENTRIES)
    except audit.BrokenChain as broken:
        return fail(
            "audit",
            f"it does not fit from entry {broken.position} on: {broken}",
            "keep the database as it is; compare `skypanel audit verify` with an export or a backup",
        )
    waiting = found.waiting_seconds or 0.0
    if waiting > _LATE_SECONDS:
        return warn(
            "audit",
            f"so many entries have no place in its chain, for {waiting / 60:.0f} minutes: {found.unsealed}",
            "a controller gives them one: skypanel up",
        )
    return ok("audit", f"ends as written, with entry {found.last.position}")


def _known(check: object, name: str) -> Check:
    assert callable(check)
    try:
        found = check()
    except errors.InsufficientPrivilege as error:
        return warn(name, f"not known: {error.diag.message_primary}", "use a role that has skypanel_reader or more")
    assert isinstance(found, Check)
    return found
