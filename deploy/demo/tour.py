"""The story of the demo, from top to bottom: ground, schema, controller, examples, replies, damage, next steps."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy import engine, postgres
from deploy.demo import controller, damage, environment, platform
from deploy.demo.errors import DemoError
from deploy.demo.next_steps import next_steps
from deploy.demo.paths import ROOT, DemoPaths, shown
from deploy.demo.report import Report
from deploy.demo.requests import visit_until_routed
from deploy.engine.paths import exclusive, lab_paths
from deploy.postgres.server import named
from specs.kinds.domain import Domain
from specs.loader import Located

EXAMPLES = Path("specs/examples")
REMOVED = ("acme", "hello", "production")
SCALED = ("acme", "shop", "production")
SCALED_TO = 5
PROCESS = "web"
READY_SECONDS = 60.0


def up(paths: DemoPaths, port: int, folder: Path) -> None:
    """Bring up what is not yet there, and show it.

    Raises:
        DemoError, LabError, PostgresError: a step failed; what is up stays up, and the next run goes on from there.
    """
    report = Report()
    examples = platform.read_examples(folder if folder.is_absolute() else ROOT / folder)
    with exclusive(lab_paths(paths.name).root / f".{paths.name}-tour.lock"):
        report.heading("1. A private Docker Swarm with Traefik, and PostgreSQL")
        edge, server = _ground(paths, port, report)
        listen = controller.listen_address(paths)

        report.heading("2. The schema, and the controller")
        _run(report, ["migrate"], environment.settings(edge, server, "skypanel_owner", listen))
        with report.step("the controller, in the background") as step:
            own = environment.environment(environment.settings(edge, server, "controller", listen))
            done = controller.ensure(paths, own)
            step.said = f"{done}, pid {paths.pid_file.read_text().strip()}, log {shown(paths.log)}"
        platform.add_operator(server)
        environment.write_for_shell(paths, environment.settings(edge, server, "operator", listen))

        report.heading("3. Say what should run")
        owners = platform.add_owners(server, examples)
        report.line(f"accounts that own the examples' organizations: {', '.join(owners)}", style="dim")
        apply = ["apply", "-f", shown(folder), "--wait", "--timeout", "3m"]
        _run(report, apply, environment.settings(edge, server, "panel", listen))

        report.heading("4. Ask for each example through Traefik")
        _visit(edge, examples, report)

        report.heading("5. Break it by hand on the engine, and watch the repair")
        _damage(edge, server, examples, report)

        report.heading(f"It is up, after {report.seconds:.1f} s, and stays up. Try next:")
        report.console.print(next_steps(paths, edge.http_port, controller.address(listen)), markup=False)


def down(paths: DemoPaths) -> None:
    """End everything of the demo and remove its data; harmless when there is none."""
    report = Report()
    with exclusive(lab_paths(paths.name).root / f".{paths.name}-tour.lock"):
        with report.step("the controller ends"):
            controller.stop(paths)
        with report.step("the engine ends, with everything that runs on it"):
            engine.down(paths.name)
        with report.step("the database ends, and its data is removed"):
            server = named(paths.name)
            if server.cluster.folder.exists():
                server.destroy()
        paths.remove()


def _ground(paths: DemoPaths, port: int, report: Report) -> tuple[platform.Edge, postgres.Server]:
    with (
        report.step("engine, images, edge, database (the first time: a minute or two)"),
        ThreadPoolExecutor(max_workers=1) as other,  # neither needs the other
    ):
        database = other.submit(platform.bring_up_database, paths)
        edge = platform.bring_up_engine(paths, port)
        server = database.result()
    report.line(f"{edge.engine}, one node, {edge.lab.docker_host}")
    report.line(f"Traefik answers on http://127.0.0.1:{edge.http_port}/")
    if edge.http_port != port:
        report.line(f"(not on {port}, which is taken or was not this demo's port when it was made)", style="yellow")
    report.line(f"PostgreSQL on a socket in {server.socket_dir}")
    return edge, server


def _run(report: Report, arguments: list[str], own: dict[str, str]) -> None:
    """Run the project's program where the person can see it."""
    report.command(" ".join(["skypanel", *arguments]))
    done = subprocess.run(environment.skypanel(*arguments), env=environment.environment(own), cwd=ROOT, check=False)
    if done.returncode:
        raise DemoError(f"`skypanel {' '.join(arguments)}` ended with {done.returncode}; its message is above")


def _visit(edge: platform.Edge, examples: list[Located], report: Report) -> None:
    for domain in (e.resource for e in examples if isinstance(e.resource, Domain)):
        hostname = domain.metadata.name
        report.command(f"curl http://{hostname}:{edge.http_port}/")
        reply = visit_until_routed(edge.http_port, hostname)
        report.line(f"{reply.text}  ({reply.milliseconds:.0f} ms)")


def _damage(edge: platform.Edge, server: postgres.Server, examples: list[Located], report: Report) -> None:
    """Remove one service, scale another."""
    present = {e.resource.key.path for e in examples if e.resource.kind == "Environment"}
    if not {REMOVED, SCALED} <= present:
        report.line("not shown: these examples do not have the environments that it is done to", style="yellow")
        return
    removed, scaled = _environment(server, REMOVED), _environment(server, SCALED)
    begun = datetime.now(UTC)
    api = edge.lab.api()
    _show(report, damage.remove(api, damage.service_of(api, removed["id"], PROCESS)))
    _show(report, damage.scale(api, damage.service_of(api, scaled["id"], PROCESS), SCALED_TO))
    with report.step("all tasks run again") as step:
        _wait_ready(server, REMOVED)
        _wait_ready(server, SCALED)
        step.said = "Ready=True for both"
    for domain in (e.resource for e in examples if isinstance(e.resource, Domain)):
        visit_until_routed(edge.http_port, domain.metadata.name)
    report.line("and every example still answers through Traefik. The events say so:")
    for event in platform.ask(server, "events", objects=[removed["id"], scaled["id"]], after=begun):
        report.line(f"{event['at']}  {event['type']}  {event['reason']}: {event['message']}")


def _wait_ready(server: postgres.Server, path: tuple[str, str, str]) -> None:
    if not controller.wait(lambda: bool(_environment(server, path)["ready"]), seconds=READY_SECONDS):
        message = _environment(server, path)["message"]
        raise DemoError(f"{'/'.join(path)} is not ready {READY_SECONDS:.0f} s after the repair: {message}")


def _show(report: Report, repair: damage.Repair) -> None:
    report.command(repair.command)
    done = "recreated" if repair.action == "create" else "repaired"
    report.line(f"{done} after {repair.milliseconds:.0f} ms (from that change to the repairing one, by Swarm's clock)")


def _environment(server: postgres.Server, path: tuple[str, str, str]) -> dict[str, Any]:
    organization, app, name = path
    rows = platform.ask(server, "environment", organization=organization, app=app, name=name)
    if not rows:
        raise DemoError(f"the environment {'/'.join(path)} is not in the database any more: run `make demo` again")
    return rows[0]
