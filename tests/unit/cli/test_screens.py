"""Every table of every command, as a terminal of 80, 120 and 200 columns shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from controller.access.binding_rows import BindingRow
from controller.access.token_rows import TokenRow
from controller.actions import permissions
from controller.actions.adopt import Adoption, Lost, Taken
from controller.actions.config import Place
from controller.actions.describe import Description
from controller.actions.doctor.findings import Check
from controller.actions.explain.changes import Happened
from controller.actions.explain.result import Explanation
from controller.actions.fuse import Waiting
from controller.actions.held import Held
from controller.actions.hooks import Made
from controller.actions.identity import Identity
from controller.actions.keys import KeyState
from controller.actions.preview import Preview
from controller.actions.processes import Running
from controller.actions.releases import Release
from controller.actions.standing import Tone
from controller.actions.swarm_view import Task
from controller.changes import Change, Difference
from controller.cli import (
    adopt,
    audit,
    auth,
    bindings,
    config,
    context,
    describe,
    doctor,
    events,
    explain,
    gc,
    identity,
    images,
    keys,
    listing,
    main,
    planned,
    progress,
    registries,
    releases,
    running,
    shown,
    source,
    states,
    tokens,
    trace,
)
from controller.cli.commands import commands
from controller.cli.contexts import Context, Contexts
from controller.cli.formats import Format
from controller.cli.output import console
from controller.cost import Change as Price
from controller.cost import Cost
from controller.declared import happened
from controller.declared.config_vars import Variable
from controller.declared.fields import FieldChange
from controller.declared.logins import RegistryLogin
from controller.declared.lookups import Event, Quota
from controller.declared.reader import DeclaredObject, ObjectStatus
from controller.declared.readiness import Progress
from controller.declared.writer import Target, Written
from controller.records import Claim, InventoryRow
from reconcilers.chain import Link, State
from specs.kinds import KINDS, TENANT, ancestors, children
from specs.vulnerabilities import VulnerabilityReport

WIDTHS = (80, 120, 200)
ID = UUID("0b8f7f0e-7d0c-4c52-a1d4-0d6f0c1b9a11")
THEN = datetime(2026, 10, 5, 9, 14, 2, tzinfo=UTC)
SERVICE = "nordwind-shop-production-web_8a2246525a"
LONG = (
    f"{SERVICE}: registry.example.com/team/web:9 failed and was taken back: No such image: "
    "registry.example.com/team/web:9; registry.example.com/team/web:2 runs meanwhile; change the spec to try again"
)
NAMES = {"Organization": "nordwind", "App": "shop", "Environment": "production", "Domain": "shop.nordwind.example"}

TOKENS = [
    TokenRow(
        "3fJq0vT9xYbK", "ci-deploy", "nordwind", None, "member", ["shop", "blog"], ["read", "deploy"],
        THEN, "ada", THEN, None, None, None, None, THEN - timedelta(days=1),
    ),
    TokenRow(
        "9aaq0vT9xYbK", "laptop", None, "ada@nordwind.example", "platform-viewer", None, None,
        THEN, "ada", THEN, THEN, None, THEN, "192.0.2.7", THEN,
    ),
]  # fmt: skip
BINDINGS = [
    BindingRow(
        "ci", "nordwind", "https://id.example.com", {"repository": ["nordwind/shop"], "ref": ["main", "next"]},
        "member", ["shop"], ["read", "deploy"], THEN, "ada",
    ),
    BindingRow("ops", None, "https://id.example.com", {"groups": ["ops"]}, "platform-admin", None, None, THEN, "ada"),
]  # fmt: skip
AUDITED: list[dict[str, Any]] = [
    {
        "position": 12,
        "at": "2026-10-05T09:14:02.000000Z",
        "did": "changed",
        "kind": "environment",
        "path": "nordwind/shop/production",
        "session_user": "panel",
        "said": {"actor": "ada"},
        "changes": {
            "image_ref": ["registry.example.com/team/web:2", "registry.example.com/team/web:9"],
            "instances": [1, 3],
            "cmd": [None, {"length": 5004, "sha256": "4f"}],
        },
    },
    {
        "position": None,
        "at": "2026-10-05T09:15:02.000000Z",
        "did": "refused",
        "tried": "apply",
        "kind": "app",
        "path": "nordwind/shop",
        "session_user": "panel",
        "message": "its organization nordwind does not exist",
    },
    {"at": "2026-10-05T09:16:02.000000Z", "did": "created", "kind": "plan", "path": "nano", "session_user": "panel"},
    {
        "at": "2026-10-05T09:16:02.000000Z",
        "did": "pruned",
        "kind": "audit",
        "session_user": "controller",
        "pruned": {"through": 5, "hash": "4f", "entries": 5},
    },
]
SCANNED = VulnerabilityReport(
    f"sha256:{'0123456789ab' * 5}0123",
    (f"sha256:{'0123456789ab' * 5}0123",),
    "trivy",
    THEN,
    {"critical": 2, "high": 17},
    {"critical": 1},
    "registry.example.com/team/web:9",
)


def release(version: int, **changes: Any) -> Release:
    """A release of nobody's."""
    made = Release(
        version=version,
        image="registry.example.com/team/web:9@sha256:" + "0" * 64,
        changed=(),
        settings={},
        processes=[],
        variables={},
        content_of=None,
        by="ada",
        why=None,
        commit=None,
        made_at=THEN,
        deployed_at=None,
        newest=False,
        digest="",
    )
    return replace(made, **changes)


ADOPTION = Adoption(
    [Taken("blog_web", "5o0ywdrejrtt", ("nordwind", "web", "production"), {"TOKEN": "never", "DATABASE_URL": "shown"})],
    [],
    [
        Lost(
            "blog_web",
            "volumes",
            "there are no volumes yet: what is written is lost with each task",
            "keep what must last outside",
        )
    ],
)
RELEASES = [
    release(5, content_of=3, newest=True, why="checkout fails for whoever has a cart of the day before"),
    release(4, changed=("image", "config DATABASE_URL, TLS_KEY", "processes"), commit="c0ffee" * 6, why="faster"),
    release(3, deployed_at=THEN),
]


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Standard output and error are a terminal that is so wide."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    return int(request.param)


def declared(kind: str) -> DeclaredObject:
    path = tuple(NAMES.get(k, k.lower()) for k in (*ancestors(kind), kind))
    spec = {"image": "registry.example.com/team/web:9", "replicas": 2, "process": "web", "cpu": "250m"}
    services = {SERVICE: {"running": 2, "desired": 2}}
    details = {"running": ["registry.example.com/team/web:2"], "services": services, "subnet": "10.64.0.0/24"}
    conditions = [
        {"type": "Ready", "status": "False", "reason": "RolledBack", "message": LONG},
        {"type": "Stalled", "status": "True", "reason": "RolledBack", "message": LONG},
    ]
    status = ObjectStatus(
        ready=False,
        reason="RolledBack",
        message=LONG,
        stalled=True,
        observed_generation=3,
        conditions=conditions,
        details=details,
        as_of=THEN,
    )
    return DeclaredObject(kind, ID, path, spec, 3, THEN, None, status)


def explanation(kind: str) -> Description:
    tasks = [
        Task(SERVICE, "1", "manager-1", "running", "running", THEN.isoformat(), "registry.example.com/team/web:2", ""),
        Task(SERVICE, "1", "manager-1", "shutdown", "rejected", THEN.isoformat(), "registry.example.com/team/web:9",
             "No such image: registry.example.com/team/web:9"),
        Task(SERVICE, "2", "worker-1", "shutdown", "running", THEN.isoformat(), "registry.example.com/team/web:2", ""),
    ]  # fmt: skip
    made = [InventoryRow("service", SERVICE, "6ew5hmp89dqaek1l2p7gpvths", "524844122f41416a", state="present")]
    return Description(
        object=declared(kind),
        parts=[declared(child) for child in children(kind)],
        events=[Event("Warning", "RolledBack", LONG, 3, THEN, THEN)],
        inventory=made,
        inventory_error="",
        tasks=tasks,
        engine_error="",
        quotas=[Quota("tasks", Decimal(7), 10), Quota("memory_mb", Decimal("512.000"), None)] if kind == TENANT else (),
    )


def written(action: Any, *changes: FieldChange) -> Written:
    return Written(Target("Environment", ("nordwind", "shop", "production")), ID, action, changes)


def far(name: str, reason: str, message: str, *, ready: bool = False, stalled: bool = False) -> Progress:
    return Progress(
        "environment", ID, f"nordwind/{name}/production", 3, False, 3, ready, reason, message, stalled, False, {}
    )


IMAGE = FieldChange("image", "registry.example.com/team/web:2", "registry.example.com/team/web:9")
PREVIEW = Preview(
    rows=[written("updated", IMAGE, FieldChange("replicas", 2, 4)), written("unchanged")],
    changes=[
        Change("create", "network", "org-nordwind_65b46f000a"),
        Change(
            "update",
            "service",
            SERVICE,
            differences=(
                Difference("TaskTemplate.ContainerSpec.Image", IMAGE.before, IMAGE.after),
                Difference("TaskTemplate.Resources.Limits.NanoCPUs", 250_000_000, 500_000_000),
                Difference("Mode.Replicated.Replicas", 2, 4),
            ),
        ),
    ],
    costs=[
        Cost(
            "nordwind",
            Price(Decimal("0.0138"), Decimal("0.0276")),
            Price(Decimal(10), Decimal(20)),
            ("nordwind/shop/staging",),
        ),
    ],
    problems=[f"environment nordwind-shop would stall, and stay as it is: {LONG}"],
    held=[Held("environment", "nordwind-shop-staging", "ImageNotFound", LONG)],
)
RUNNING = [
    Running(
        declared("Environment"), "web", 2, 1, "registry.example.com/team/web:9", Tone.NEEDS_YOU, "RolledBack", LONG
    ),
    Running(declared("Environment"), "worker", 1, None, "web:9", Tone.ON_ITS_WAY, "Pending", "was not looked at yet"),
    Running(declared("Environment"), "clock", 2, 2, "registry.example.com/team/web:9", Tone.READY, "Deployed", "2 run"),
]
HAPPENED = [
    happened.Happened(7, "environment", ID, "nordwind/shop/production", "Warning", "RolledBack", LONG, 3, THEN, THEN),
    happened.Happened(
        9, "domain", ID, "shop.nordwind.example", "Normal", "Routed", "the edge answers on it", 1, THEN, THEN
    ),
]
EXPLANATION = Explanation(
    declared("Environment"),
    [
        Link("controller", State.OK, "manager-1:812:5f0c11aa leads"),
        Link("image", State.BROKEN, f"ImageNotFound: {LONG}", "Its registry has no such tag.", "Push it"),
        Link("config", State.UNREACHED, ""),
        Link("task", State.FOLLOWS, f"0 of 1 run; {LONG}"),
    ],
    [Happened(THEN, "config var TOKEN of environment nordwind/shop/production was set (version 2)", "ann")],
    [f"services, tasks, nodes and networks: {LONG}"],
)
WAITING = Waiting(
    "environment", str(ID), "nordwind/shop/production", "nordwind", "reduced", 0, 2, 3, (), THEN, None, None
)
RECONCILE = {
    "startedAt": "2026-10-05T09:14:02.117+00:00",
    "firstStartedAt": "2026-10-05T09:14:02.117+00:00",
    "result": "requeue_after",
    "seconds": 0.0063,
    "nextSeconds": 0.15,
    "wokenBy": ["change"],
    "waitedSeconds": 0.0002,
    "times": 3,
    "live": {SERVICE: 412, f"{SERVICE}2": 413},
    "document": "present",
    "generation": 3,
    "inventory": 2,
    "reason": "RolledBack",
    "message": LONG,
    "steps": [
        {"name": "load", "seconds": 0.0011, "note": ""},
        {"name": "write", "seconds": 0.0014, "note": f"~ service {SERVICE}: replicas: 2 -> 4"},
    ],
    "reconcileId": "9f2b6c0e81d4",
    "epoch": 1795669924117052,
}
IDENTITY = Identity(
    Claim("here", str(ID), "here", "mgj53cero3jzpqcyg61cedchv", "skypanel", None, 1),
    "mgj53cero3jzpqcyg61cedchv", None, "other", "this database belongs to installation skypanel, not to other",
)  # fmt: skip
PLACE = Place((), ("organization nordwind", "app nordwind/shop", "environment nordwind/shop/production"))
VARIABLES = [
    Variable(0, "DATABASE_URL", 1, as_file=False, changed_at=THEN, effective=False),
    Variable(2, "DATABASE_URL", 12, as_file=False, changed_at=THEN),
    Variable(1, "TLS_KEY", 3, as_file=True, changed_at=THEN),
]
CHECKS = [
    Check("role", "ok", "operator may write specs and not status: good for `apply`, not for `up`"),
    Check("userns-remap", "warn", "off: root that breaks out of a container is root on the host",
          'set "userns-remap": "default" in daemon.json of each node and restart it (its images are pulled again)'),
]  # fmt: skip


def of_get() -> None:
    terminal = console()
    print(listing.tables({kind: [declared(kind)] for kind in KINDS}, wide=False, width=terminal.width), end="")  # noqa: T201


def of_doctor() -> None:
    for check in CHECKS:
        doctor.show(check)


CONTEXTS = Contexts(
    "prod",
    {
        "prod": Context("prod", url="https://api.example.com", token="skp_not_a_real_one", organization="nordwind"),
        "ops": Context("ops", database="postgresql://panel:secret@db/x"),
    },
)
WHO = {
    "actor": "ci-deploy", "role": "member", "means": "token", "organization": {"id": str(ID), "name": "nordwind"},
    "where": "https://api.example.com",
}  # fmt: skip
SCREENS: dict[str, tuple[Callable[[], None], Sequence[str]]] = {
    "get": (of_get, ["nordwind/shop/production", "2 (wanted web:9)", "10.64.0.0/24", "shop.nordwind.example"]),
    "context list": (
        lambda: context.show_contexts(CONTEXTS, CONTEXTS.known["prod"], Format.TABLE),
        ["prod", "https://api.example.com", "token", "ops", "postgresql://panel:***@db/x", "nordwind"],
    ),
    "whoami": (
        lambda: context.show_who(WHO, Format.TABLE),
        ["ci-deploy (member of organization nordwind), at https://api.example.com"],
    ),
    "ps": (
        lambda: running.show_processes(RUNNING, Format.TABLE),
        ["nordwind/shop/production", "web", "1/2", "needs you", "-/1", "on its way", "2/2", "Pending: was not"],
    ),
    "events": (
        lambda: events.show_events(HAPPENED, Format.TABLE),
        ["RolledBack environment nordwind/shop/production", "change the spec to try again (3 times)"],
    ),
    "events --follow": (
        lambda: events.show_as_they_come(HAPPENED, Format.TABLE),
        ["RolledBack environment nordwind/shop/production", "change the spec to try again"],
    ),
    "apply": (
        lambda: shown.show_written([written("updated", IMAGE), written("unchanged")], Format.TABLE),
        ["environment nordwind/shop/production  updated  image:", "1 unchanged"],
    ),
    "plan": (
        lambda: planned.show_plan(PREVIEW, Format.TABLE),
        ["~ environment nordwind/shop/production", "image: ", "cpu: 250m -> 500m", "replicas: 2 -> 4",
         "0.0138 -> 0.0276", "10.00 -> 20.00", "nordwind/shop/staging: no plan",
         "1 row and 2 objects on the Swarm would change"],
    ),
    "doctor": (of_doctor, ["ok   role", "warn userns-remap", "fix: set"]),
    "trace": (lambda: trace.show(RECONCILE), ["load", "write", f"~ service {SERVICE}:", "reconcile_id 9f2b6c0e81d4"]),
    "config": (
        lambda: config.show_variables(PLACE, VARIABLES, Format.TABLE),
        ["DATABASE_URL", "variable", "environment nordwind/shop/production", "TLS_KEY", "file", "(overridden)"],
    ),
    "registries": (
        lambda: registries.show_registries(
            "nordwind", [RegistryLogin("ghcr.io", "ada", True, 3, THEN, "LoginRefused", "…")], Format.TABLE
        ),
        ["REGISTRY", "ghcr.io", "ada", "set (version 3)", "LoginRefused"],
    ),
    "source sync": (
        lambda: source.show_look("source nordwind/main", "Applied", "2 file(s) are as c0ffee declares them"),
        ["source nordwind/main", "Applied", "c0ffee"],
    ),
    "source hook": (
        lambda: source.show_hook(
            "nordwind/main", Made("/api/paas/webhooks/0f", "whsec_c2VjcmV0", THEN), "api.example.com", given=False
        ),
        ["whsec_c2VjcmV0"],
    ),
    "audit list": (
        lambda: audit.show(AUDITED, Format.TABLE),
        ["ada (panel)", "environment nordwind/shop/production", "image_ref", "instances 1", "refused (apply)"],
    ),
    "auth roles": (
        lambda: auth.show(permissions.rows(), Format.TABLE),
        ["KIND", "environment", "owner, admin, platform-admin", "viewer, platform-viewer", "rollback"],
    ),
    "tokens list": (
        lambda: tokens.show(TOKENS, Format.TABLE),
        ["3fJq0vT9xYbK", "nordwind/ci-deploy", "member", "2026-10-05", "never", "(platform)/laptop", "revoked"],
    ),
    "bindings list": (
        lambda: bindings.show(BINDINGS, Format.TABLE),
        ["nordwind/ci", "of https://id.example.com", "repository=nordwind/shop", "ref=main|next", "deploy in shop",
         "(platform)/ops"],
    ),
    "images": (
        lambda: images.show_reports([SCANNED], Format.TABLE),
        ["IMAGE", "0123456789ab", "CRITICAL", "2 (1 fixable)", "OTHERS", "REFERENCE"],
    ),
    "releases": (
        lambda: releases.show_releases(RELEASES, Format.TABLE),
        ["RELEASE", "content of 3", "on its way",
         "image registry.example.com/team/web:9,", "DATABASE_URL", "never ready", "replaced"],
    ),
    "gc": (
        lambda: gc.report([WAITING], THEN, 40, form=Format.TABLE),
        ["environment", "nordwind/shop/production", "it loses a part", "2 processes stop", "host names"],
    ),
    "identity": (lambda: identity.show(IDENTITY, Format.TABLE), ["swarm", "mgj53cero3jzpqcyg61cedchv", "--accept"]),
    "keys status": (
        lambda: keys.show([KeyState("0123abcd", "current", 3), KeyState("89abcdef", "missing", 1)], Format.TABLE),
        ["KEY", "ORGANIZATIONS", "0123abcd", "current", "89abcdef", "missing", "from a backup"],
    ),
    "adopt": (
        lambda: adopt.show(ADOPTION),
        ["SERVICE", "blog_web", "nordwind/web/production", "DATABASE_URL, TOKEN", "NOT KEPT OF", "volumes",
         "there are no volumes yet: what is written is lost with each task (keep what must last outside)"],
    ),
    "explain": (
        lambda: explain.show(EXPLANATION),
        ["environment nordwind/shop/production is not ready: Its registry has no such tag", "mend: Push it",
         "seen: ImageNotFound:", "controller ok", "image broken see above", "config not reached", "task follows",
         "config var TOKEN", "(by ann)", "Not seen:"],
    ),
    **{
        f"describe {kind.lower()}": (
            lambda kind=kind: describe.show(explanation(kind)),  # type: ignore[misc]
            ["Ready False  RolledBack:", "Stalled True  for the same reason", f"{SERVICE}.1", "rejected",
             "stopping", "6ew5hmp89dqa", "Warning", "change the spec"],
        )
        for kind in KINDS
    },
}  # fmt: skip
LINES = {
    "login",
    "logout",
    "edit",
    "open",
    "api",
    "up",
    "migrate",
    "version",
    "setup",
    "reconcile",
    "pause",
    "resume",
    "validate",
    "schema",
    "user",
    "export",
    "import",
    "init",
    "rollback",
    "restart",
    "run",
}
"""These print lines, each by itself, through ``say``."""
AS_ANOTHER = {
    **dict.fromkeys(("delete", "restore", "promote", "deploy", "scale"), "apply"),
    **dict.fromkeys(("apps", "orgs", "watch", "domains", "runs"), "get"),
    "diff": "plan",
}


def lines_of(text: str) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in text.splitlines()]


def test_every_command_has_its_screens_here() -> None:
    there = {name.partition(" ")[0] for name in SCREENS} | LINES | AS_ANOTHER.keys()
    assert there == set(commands())


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_fits_the_terminal_and_says_what_matters(
    name: str, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    show, wanted = SCREENS[name]
    show()
    lines = lines_of(capsys.readouterr().out)
    assert [line for line in lines if len(line) > width] == []
    text = " ".join(" ".join(lines).split())
    assert [words for words in wanted if " ".join(words.split()) not in text] == []
    assert not any(before == "" == line for before, line in pairwise(lines)), "no holes"


@pytest.mark.parametrize("name", SCREENS)
def test_a_pipe_gets_one_line_a_thing_and_no_colours(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    SCREENS[name][0]()
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "…" not in out


@pytest.fixture
def screen(width: int) -> Callable[[Sequence[Progress]], list[str]]:
    """What ``--wait`` shows."""

    def render(found: Sequence[Progress], height: int = 50) -> list[str]:
        out = Console(width=width, height=height, file=StringIO(), force_terminal=True, color_system=None)
        out.print(progress.progress_table(found, "⠋", width, height))
        return out.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]

    return render


def test_what_a_tenant_wrote_does_nothing_to_a_terminal_that_shows_progress(
    screen: Callable[[Sequence[Progress]], list[str]],
) -> None:
    (line,) = screen([far("shop", "Failed", "it said \x1b[2J\x9b2J\x1b]0;title")])
    assert not {"\x1b", "\x9b"} & set(line)


def test_progress_shows_mark_name_and_state_whole_and_cuts_the_message(
    width: int, screen: Callable[[Sequence[Progress]], list[str]]
) -> None:
    lines = screen([
        far("shop", "RollingOut", LONG),
        far("jobs", "Deployed", "2 task(s) of 1 service(s) run web:1", ready=True),
        far("api", "RolledBack", "another", stalled=True),
    ])  # fmt: skip
    assert [line[:42] for line in lines] == [
        "⠋  environment nordwind/shop/production  R",
        "✓  environment nordwind/jobs/production  D",
        "✗  environment nordwind/api/production   R",
    ]
    assert "RollingOut" in lines[0]
    assert ("…" in lines[0]) == (width < 200 or len(LONG) > 140)
    assert max(map(len, lines)) <= width


def test_a_name_that_leaves_no_room_loses_its_beginning(
    width: int, screen: Callable[[Sequence[Progress]], list[str]]
) -> None:
    (line,) = screen([far("s" * width, "ProgressDeadlineExceeded", LONG)])
    assert "/production  ProgressDeadlineExceeded  " in line
    assert len(line) <= width


def test_what_is_said_of_many_is_said_once(screen: Callable[[Sequence[Progress]], list[str]]) -> None:
    lines = screen([far(f"app{number}", "FuseTripped", LONG) for number in range(4)])
    assert [line.endswith("as above") for line in map(str.rstrip, lines)] == [False, True, True, True]


def test_more_than_the_terminal_has_lines_are_counted_and_what_waits_is_first(
    width: int, screen: Callable[..., list[str]]
) -> None:
    found = [far(f"app{number}", "Deployed", "runs", ready=True) for number in range(100)]
    lines = screen([*found, far("late", "RollingOut", "0/1 run")], 10)
    assert len(lines) == 9
    assert "nordwind/late/production" in lines[0]
    assert "and 93 more" in lines[-1]


def test_an_error_is_parted_at_words(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "nordwind/shop/production"]) == 1
    lines = lines_of(capsys.readouterr().err)
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()).endswith("(environment nordwind/shop/production)")


def test_where_there_is_little_room_a_service_is_called_by_its_process() -> None:
    details: dict[str, Any] = {"services": {SERVICE: {}, "nordwind-shop-production-clock-2_8a2246525a": {}}}
    message = f"{SERVICE}: 1/2 run; nordwind-shop-production-clock-2_8a2246525a: 0/1 run"
    assert states.brief(message, "nordwind/shop/production", details) == "web: 1/2 run; clock-2: 0/1 run"


def test_a_time_is_an_age(width: int) -> None:
    found = replace(declared("App"), created_at=datetime.now(UTC) - timedelta(minutes=5))
    assert listing.tables({"App": [found]}, wide=False, width=width).rstrip().endswith("5m")
