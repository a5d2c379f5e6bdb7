"""``audit``: who changed what, and whether that is on record as it was written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.actions import audit
from controller.actions.errors import ActionError
from controller.actions.paths import apart, complete, kind_of
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, as_shown, emit
from controller.cli.inputs import Named, database
from controller.cli.output import age, complain, console, say, shortened, table, warn
from controller.declared import audit as rows
from controller.declared.audit import Which
from specs.kinds import KINDS

_WIDEST = 20
"""Characters of a value on a terminal: an image keeps its end. What is piped has all of it."""
Kind = Annotated[
    str | None,
    typer.Argument(help="Only of this kind, such as env, or config_vars.", metavar="KIND", autocompletion=complete),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Audit: who changed what, export it, and verify that nobody changed it.", no_args_is_help=True
    )
    group.command(name="list")(list_)
    group.command(name="export")(export)
    group.command(name="verify")(verify)
    app.add_typer(group, name="audit")


def list_(
    kind: Kind = None,
    name: Named = None,
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="Only of this organization.", metavar="NAME")
    ] = "",
    actor: Annotated[
        str,
        typer.Option(
            help="Only of this person (name, address or id), or of this role of the database.", metavar="NAME"
        ),
    ] = "",
    since: Annotated[
        str, typer.Option(help="Not before: 2h, 7d, 2026-11-27, 2026-11-27T10:00:00Z.", metavar="TIME")
    ] = "",
    limit: Annotated[int, typer.Option(help="So many, the newest.", metavar="NUMBER", min=1, max=10_000)] = 100,
    output: Output = Format.TABLE,
) -> None:
    """List who changed what, the newest first.

    Every change of what is declared is there, whoever made it and by whatever means, and what `skypanel` was refused.
    BY is the role of the database that wrote it, and whom it said that it acts for. Nothing secret is shown.

    **Examples**

        skypanel audit list
        skypanel audit list environment acme/shop/production --since 7d
        skypanel audit list -n acme --actor ada -o json
    """
    word, path = apart(kind, name) if kind else ("", None)
    which = Which(organization, _kind(word), (path or "").strip("/"), actor, audit.since(since), limit)
    with database() as conn:
        found = rows.listed(conn, which)
    show(found, output)


def export(
    *,
    after: Annotated[int, typer.Option(help="Only what comes after this position.", metavar="POSITION", min=0)] = 0,
) -> None:
    """Write the audit as lines of JSON, from the oldest entry on.

    The last line has the position to go on after, and with its hash what `audit verify --head` compares with. What is a
    few seconds old may have no position yet, and is not in it.

    **Examples**

        skypanel audit export >>audit.jsonl
        skypanel audit export --after 10000 >>audit.jsonl
    """
    with database() as conn:
        expected = after + 1
        for entry in rows.sealed(conn, after):
            if expected == after + 1 and entry.position > expected:
                warn(f"entries {expected} to {entry.position - 1} are not kept any more")
            expected = entry.position + 1
            sys.stdout.write(as_shown(f"{audit.line_of(entry)}\n"))


def verify(
    *,
    head: Annotated[
        str, typer.Option("--head", help="An entry with its hash, as it was noted before.", metavar="POSITION:HASH")
    ] = "",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Look at this export instead of the database.", metavar="FILE")
    ] = None,
) -> None:
    """Verify that the audit is as it was written: nothing changed, nothing gone but the oldest by their age.

    It prints where the chain ends. Keep that elsewhere, and give it with --head later: so it is found, too, when
    somebody with the rights of the schema's owner makes another chain, or cuts off its end.

    Exit code 0: it is; 1: it is not, and the first entry that does not fit is named.

    **Examples**

        skypanel audit verify
        skypanel audit verify --head 1042:4f0c...
        skypanel audit verify --file audit.jsonl
    """
    noted = audit.Anchor.of(head) if head else None
    try:
        if file is None:
            with database(needs="skypanel_reader") as conn:
                found = audit.verify(conn, noted)
        else:
            with file.open(encoding="utf-8") as lines:
                found = audit.follow(audit.read_lines(lines, str(file)), noted)
    except OSError as error:
        raise ActionError(f"{file} cannot be read: {error.strerror}") from None
    except audit.BrokenChain as broken:
        complain([f"the audit does not fit from entry {broken.position} on: {broken}"])
        raise typer.Exit(ExitCode.ERROR) from None
    if not found.first:
        say("there is no entry yet")
    else:
        number = found.last.position - found.first + 1
        entries = "1 entry" if number == 1 else f"{number} entries"
        say(f"{entries} as written, from {found.first} to {found.last}")
    if found.unsealed:
        say(f"{found.unsealed} more have no place in the chain yet")


def show(found: Sequence[Mapping[str, Any]], output: Format) -> None:
    """Entries, one a line."""
    if output is not Format.TABLE:
        emit(list(found), output)
        return
    if not found:
        say("there is no entry")
        return
    lines = [(age(datetime.fromisoformat(each["at"])), _who(each), _what(each), _how(each)) for each in found]
    table(("AGE", "BY", "WHAT", "CHANGE"), lines, wrap="CHANGE")


def _who(entry: Mapping[str, Any]) -> str:
    """``ada (panel)``: whom the role acts for, as it says itself."""
    said = entry.get("said", {}).get("actor")
    role = entry["session_user"]
    return f"{said} ({role})" if said and said != role else str(role)


def _what(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('kind', '')} {entry.get('path') or entry.get('id') or ''}".strip()


def _how(entry: Mapping[str, Any]) -> str:
    match entry["did"]:
        case "refused":
            return f"refused ({entry['tried']}): {entry['message']}"
        case "pruned":
            return f"entries went by their age, through {entry['pruned']['through']}"
        case "changed":
            changes = sorted(entry["changes"].items())
            return ", ".join(f"{field} {_value(old)} -> {_value(new)}" for field, (old, new) in changes)
    return str(entry["did"])


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping) and set(value) == {"length", "sha256"}:
        return f"({value['length']} characters)"
    return shortened(str(value), _WIDEST, keep_end=True) if console().is_terminal else str(value)


def _kind(word: str) -> str:
    """As entries have it: a kind, or a table that is of none."""
    if not word or "_" in word:
        return word
    return KINDS[kind_of(word)].word()
