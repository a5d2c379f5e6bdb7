"""``explain``: why an object is not ready, or why it changed: the cause and its mend first, then the chain."""

from __future__ import annotations

import typer

from controller.actions.backend import Explained
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Kind, Named, backend
from controller.cli.output import age, paragraph, say
from controller.cli.terminal import Text
from reconcilers.chain import State

_NAME, _STATE = 13, 12
_STYLES = {
    State.OK: "green",
    State.BROKEN: "bold red",
    State.WAITS: "yellow",
    State.FOLLOWS: "red",
    State.UNREACHED: "dim",
    State.UNKNOWN: "yellow",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="explain")(explain)


def explain(kind: Kind, name: Named = None, *, output: Output = Format.TABLE) -> None:
    """Say why one object is not ready, or why it changed: the cause and its mend first, then link by
    link.

    The chain goes from the controller and the row to the requests that are answered; what is broken first is the
    cause, and what is broken after it follows. Without the engine it says what the database knows, and what it could
    not see.

    **Examples**

        skypanel explain environment acme/shop/production
        skypanel explain domain shop.example.com
        skypanel explain app acme/shop -o json | jq .cause
    """
    with backend() as there:
        found = there.explain(kind, name)
    if output is Format.TABLE:
        show(found)
    else:
        emit(found.document(), output)


def show(found: Explained) -> None:
    """For people."""
    cause = found.cause
    paragraph(Text(), found.verdict, style="bold", hang=2)
    if cause is not None and cause.mend:
        paragraph(Text("  mend: ", style="bold"), cause.mend)
    if cause is not None and cause.evidence:
        paragraph(Text("  seen: ", style="bold"), cause.evidence)
    say()
    for link in found.chain:
        said = link.evidence if link is not cause else "see above"
        state = f"{link.state.value:<{_STATE}}" if said else link.state.value
        head = Text.assemble("  ", f"{link.name:<{_NAME}}", (state, _STYLES[link.state]))
        paragraph(head, said)
    if found.changes:
        say()
        say("Last changes:", "bold")
    for change in found.changes:
        by = f" (by {change.by})" if change.by else ""
        paragraph(Text(f"  {age(change.at) + ' ago':<{_NAME}}"), change.what + by)
    if found.unseen:
        say()
        say("Not seen:", "bold")
    for unseen in found.unseen:
        paragraph(Text("  "), unseen, hang=4)
