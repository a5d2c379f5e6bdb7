"""How written resources are shown, by more than one command."""

from __future__ import annotations

from collections.abc import Sequence

from controller.cli.formats import Format, emit
from controller.cli.output import paragraph, say
from controller.cli.terminal import Text
from controller.declared.written import Written, written_document

STYLES = {
    "created": "green",
    "updated": "yellow",
    "deleted": "red",
    "restored": "green",
    "unchanged": "dim",
    "absent": "dim",
}


def show_written(written: Sequence[Written], form: Format) -> None:
    """One line a resource that something was done to; those that are as they were are counted."""
    if form is not Format.TABLE:
        emit([written_document(w) for w in written], form)
        return
    for w in (w for w in written if w.action != "unchanged"):
        head = Text.assemble(f"{w.target.kind.lower()} {w.target.name}  ", (w.action, STYLES[w.action]))
        if w.changes:
            head.append("  ")
        paragraph(head, "; ".join(map(str, w.changes)), hang=4)
    if unchanged := sum(w.action == "unchanged" for w in written):
        say(f"{unchanged} unchanged", "dim")
