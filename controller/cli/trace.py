"""``trace``: the last reconciles of one object, from the memory of the controller that runs here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import typer
from rich.text import Text

from controller.cli.failures import CliError
from controller.cli.get import one
from controller.cli.kinds import a, complete, form, full_path, kind_of
from controller.cli.output import Format, console, emit, say, table
from controller.cli.session import Output, database, settings

_SECONDS = 5.0
_SERVED = ("Organization", "Environment")
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
_COLOURS = {"success": "green", "requeue_after": "", "terminal_error": "red", "panic": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="trace")(trace)


def trace(
    kind: Annotated[str, typer.Argument(help="Its kind, such as env, or KIND/UUID.", autocompletion=complete)],
    name: Annotated[str | None, typer.Argument(help="Path of names, such as acme/shop/production.")] = None,
    *,
    source: Annotated[
        str, typer.Option("--from", help="Where the controller listens; else SKYPANEL_LISTEN.", metavar="HOST:PORT")
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show the last reconciles of one object: what woke them, what they saw, planned and did, and for how long.

    The controller keeps the last five of an object in memory, the newest is shown last. It tells programs on its own
    machine only.

    **Examples**

        skypanel trace environment acme/shop/production

        skypanel trace environment/0b8f7f0e-7d0c-4c52-a1d4-0d6f0c1b9a11 --from 127.0.0.1:9470

        skypanel trace org acme -o json
    """
    word, object_id, title = _object(kind, name)
    address = _address(source or settings().skypanel_listen)
    answer = _ask(address, word, object_id)
    if answer["role"] != "leader" and not answer["reconciles"]:
        _refer(address, answer)
    if output is not Format.TABLE:
        emit({"kind": word, "id": object_id, **answer}, output)
        return
    say(f"{title}, by the {answer['role']} {answer['holder']} (epoch {answer['epoch']})")
    if not answer["reconciles"]:
        say("no reconcile of it since this process leads, or it was too long ago")
    for entry in answer["reconciles"]:
        _show(entry)


def _object(kind: str, name: str | None) -> tuple[str, str, str]:
    """Word of the kind, id, and how to call it.

    Raises:
        CliError: no such object, or none that is reconciled.
    """
    word, _, object_id = kind.partition("/")
    found_kind = kind_of(word)
    if found_kind not in _SERVED:
        owner = "environment" if found_kind != "Plan" else "organization"
        raise CliError(
            f"{a(found_kind)} is not reconciled by itself",
            f"trace the {owner} that it belongs to: skypanel trace {owner} {form(owner.title())}",
        )
    if object_id and name is None:
        try:
            return found_kind.lower(), str(UUID(object_id)), f"{found_kind.lower()} {UUID(object_id)}"
        except ValueError:
            raise CliError(
                f"{object_id!r} is not a UUID", f"write KIND/UUID, or a path: {found_kind.lower()} {form(found_kind)}"
            ) from None
    if object_id or not name:
        raise CliError("say which one", f"skypanel trace {found_kind.lower()} {form(found_kind)}, or KIND/UUID alone")
    path = full_path(found_kind, name)
    with database() as conn:
        found = one(conn, found_kind, path)
    return found_kind.lower(), str(found.id), f"{found_kind.lower()} {'/'.join(path)} ({found.id})"


def _address(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit():
        raise CliError(f"{listen!r} is not an address", "write host:port, such as 127.0.0.1:9470")
    host = _ANY.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ask(address: str, kind: str, object_id: str) -> dict[str, Any]:
    url = f"http://{address}/debug/reconciles?{urlencode({'kind': kind, 'id': object_id})}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine: no proxy between
    try:
        with direct.open(url, timeout=_SECONDS) as reply:
            found: dict[str, Any] = json.loads(reply.read())
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace").strip()
        if error.code == 404:
            raise CliError(f"what answers at {address} is not a controller of this version", "see --from") from None
        raise CliError(f"the controller at {address} says: {said}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CliError(
            f"no controller answers at {address}: {reason}",
            "run this on the machine where `skypanel up` runs, with its SKYPANEL_LISTEN, or say --from HOST:PORT",
        ) from None
    return found


def _refer(address: str, answer: dict[str, Any]) -> None:
    """A stand-by has nothing to show: say who has.

    Raises:
        CliError: always.
    """
    if answer["leader"]:
        raise CliError(
            f"the controller at {address} stands by; {answer['leader']} leads (host:process:number)",
            "run this on that host, with the SKYPANEL_LISTEN of that process",
        )
    raise CliError(
        f"the controller at {address} stands by, and nobody leads at the moment", "try again in some seconds"
    )


def _show(entry: dict[str, Any]) -> None:
    say()
    started = entry["startedAt"].replace("T", " ").replace("+00:00", " UTC")
    result = Text(entry["result"], style=_COLOURS.get(entry["result"], "yellow"))
    console().print(
        Text.assemble((started, "bold"), "  ", result, f" in {_milliseconds(entry['seconds'])}", _again(entry))
    )
    woken = " and ".join(entry["wokenBy"]) or "nothing known"
    say(f"  woken by {woken}, after {_milliseconds(entry['waitedSeconds'])} in the queue")
    if entry["times"] > 1:
        first = entry["firstStartedAt"].replace("T", " ").replace("+00:00", " UTC")
        say(f"  the last of {entry['times']} in a row that went the same way, since {first}")
    live = ", ".join(f"{service} at version {version}" for service, version in entry["live"].items())
    say(
        f"  saw: row {entry['document']}, generation {entry['generation']}, {entry['inventory']} in the inventory; "
        f"live: {live or 'no service'}"
    )
    if entry["reason"]:
        say(f"  {entry['reason']}: {entry['message']}")
    table(
        ["  STEP", "TIME", "NOTE"],
        [[f"  {step['name']}", _milliseconds(step["seconds"]), step["note"]] for step in entry["steps"]],
    )
    say(f"  reconcile_id {entry['reconcileId']}, epoch {entry['epoch']}")


def _again(entry: dict[str, Any]) -> str:
    seconds = entry["nextSeconds"]
    return "" if seconds is None else f", again after {seconds:.3g} s"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
