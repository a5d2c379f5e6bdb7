"""``doctor``: is everything that the controller needs there, and how to mend what is not."""

from __future__ import annotations

import typer

from controller.actions.doctor import examine
from controller.actions.doctor.findings import Check
from controller.cli.errors import ExitCode, readable
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import files_of_api, settings_of_api
from controller.cli.output import paragraph
from controller.cli.terminal import Text

_NAME = 20
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="doctor")(doctor)


def doctor(output: Output = Format.TABLE) -> None:
    """Check the engine, the Swarm, the edge, the database and its roles; say how to fix what is wrong.

    Changes nothing. Exit code 1 when a check fails; warnings do not count.

    **Examples**

        skypanel doctor
        skypanel doctor -o json | jq '.[] | select(.level != "ok")'
    """
    found = settings_of_api()
    checks: list[Check] = []
    for check in examine(found, files_of_api()):
        checks.append(check)
        if output is Format.TABLE:
            show(check)
    if output is not Format.TABLE:
        emit([_document(check) for check in checks], output)
    if any(check.level == "fail" for check in checks):
        raise typer.Exit(ExitCode.ERROR)


def show(check: Check) -> None:
    """One check, and how to mend what it found."""
    message, mend = readable([check.message, check.mend])
    paragraph(Text.assemble((f"{check.level:<5}", _STYLES[check.level]), f"{check.name:<{_NAME}}"), message)
    if mend and check.level != "ok":
        paragraph(Text.assemble(" " * (_NAME + 5), ("fix: ", "bold")), mend)


def _document(check: Check) -> dict[str, str]:
    message, mend = readable([check.message, check.mend])
    return {"name": check.name, "level": check.level, "message": message, "mend": mend}
