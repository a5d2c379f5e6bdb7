"""Shows how far objects are while a command waits: live on a terminal, elsewhere one line a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from controller.actions.wait import Show, is_stuck
from controller.cli.formats import Format
from controller.cli.output import console, error_console
from controller.declared.readiness import Progress


@contextmanager
def shown(form: Format) -> Iterator[Show]:
    """Where to say how far objects are; on standard error unless ``form`` is for people."""
    out = console() if form is Format.TABLE else error_console()
    if not out.is_terminal:
        said: dict[tuple[str, UUID], str] = {}

        def lines(found: Sequence[Progress]) -> None:
            for p in found:
                text = f"{p.kind} {p.path}  {_word(p)}  {p.message}".rstrip()
                if said.get((p.kind, p.id)) != text:
                    said[p.kind, p.id] = text
                    out.print(Text(text))

        yield lines
        return
    spinner = Spinner("dots", style="cyan")
    with Live(console=out, refresh_per_second=12, transient=False) as live:
        yield lambda found: live.update(_table(found, spinner))


def _table(found: Sequence[Progress], spinner: Spinner) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for shrinks in (False, False, False, True):
        shown.add_column(no_wrap=True, overflow="ellipsis" if shrinks else "fold", ratio=1 if shrinks else None)
    for p in found:
        mark: Text | Spinner = spinner
        style = ""
        if p.converged:
            mark, style = Text("✓", style="green"), "green"
        elif is_stuck(p):
            mark, style = Text("✗", style="red"), "red"
        shown.add_row(mark, f"{p.kind} {p.path}", Text(_word(p), style=style), Text(p.message, style="dim"))
    return shown


def _word(found: Progress) -> str:
    if found.gone:
        return "Gone"
    if found.deleted:
        return "Deleting"
    return found.reason if found.current else "Pending"
