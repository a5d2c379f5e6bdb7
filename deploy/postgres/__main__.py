"""`python -m deploy.postgres`: bring the private PostgreSQL up and down by name."""

from __future__ import annotations

import argparse
import json
import sys

from deploy.postgres.binaries import PostgresError
from deploy.postgres.cluster import SUPERUSER
from deploy.postgres.server import DATABASE, LOGINS, OWNER, Server, lab_root, named

ROLES = (OWNER, *LOGINS)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; 0 is success, 1 a failure that was explained on stderr."""
    parser = argparse.ArgumentParser(prog="python -m deploy.postgres", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("up", "start it, make roles and database, print the URLs"),
        ("down", "stop it (--purge: and remove its data)"),
        ("stop", "stop it"),
        ("start", "start it"),
        ("restart", "stop and start it"),
        ("dsn", "print one URL"),
    ):
        sub = commands.add_parser(command, help=text, description=text)
        sub.add_argument("name")
        if command == "up":
            sub.add_argument("--json", action="store_true", help="print the URLs as one JSON object")
        if command == "down":
            sub.add_argument("--purge", action="store_true", help="remove its data too")
        if command == "dsn":
            sub.add_argument("--role", choices=(*ROLES, SUPERUSER), default=OWNER)
            sub.add_argument("--database", default=DATABASE)
    commands.add_parser("status", help="list the servers", description="list the servers")
    given = parser.parse_args(arguments)
    try:
        _run(given)
    except PostgresError as error:
        print(f"postgres: {error}", file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace) -> None:
    if given.command == "status":
        for folder in sorted(path for path in lab_root().glob("pg-*") if path.is_dir()):
            server = named(folder.name.removeprefix("pg-"))
            pid = server.pid()
            print(f"{server.name}\t{f'running, pid {pid}' if pid else 'stopped'}\t{folder}")
        return
    server = named(given.name)
    if given.command == "up":
        server.up()
        _print_urls(server, as_json=given.json)
    elif given.command == "dsn":
        print(server.dsn_for(given.role, given.database))
    elif not server.exists:
        print(f"postgres: there is no server {given.name}", file=sys.stderr)
    elif given.command == "down" and given.purge:
        server.destroy()
    elif given.command in ("down", "stop"):
        server.stop()
    else:
        {"start": server.start, "restart": server.restart}[given.command]()


def _print_urls(server: Server, *, as_json: bool) -> None:
    urls = {role: server.dsn_for(role) for role in ROLES}
    if as_json:
        print(json.dumps({"name": server.name, "socket_dir": str(server.socket_dir), "urls": urls}, indent=2))
        return
    for role, url in urls.items():
        print(f"{role:16}{url}")


if __name__ == "__main__":
    sys.exit(main())
