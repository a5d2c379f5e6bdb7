"""Shows how far objects are while a command waits: live on a terminal, elsewhere one line a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from controller.actions.wait import Show, is_stuck
from controller.cli.formats import Format
from controller.cli.output import LEAST, console, error_console, shortened
from controller.cli.states import brief
from controller.cli.terminal import harmless, rich_console
from controller.declared.readiness import Progress

_GAP = 2
_SAME = "as above"


@contextmanager
def shown(form: Format) -> Iterator[Show]:
    """Where to say how far objects are; on standard error unless ``form`` is for people."""
    out = console() if form is Format.TABLE else error_console()
    if not out.is_terminal:
        said: dict[tuple[str, UUID], str] = {}

        def lines(found: Sequence[Progress]) -> None:
            for p in found:
                if said.get((p.kind, p.id)) != _word(p):
                    said[p.kind, p.id] = _word(p)
                    out.print(f"{p.kind} {p.path}  {_word(p)}  {p.message}".rstrip())

        yield lines
        return
    spinner = Spinner("dots", style="cyan")
    with Live(console=rich_console(out), refresh_per_second=12, transient=False) as live:
        yield lambda found: live.update(progress_table(found, spinner, out.width, out.height))


def progress_table(found: Sequence[Progress], mark: RenderableType, width: int, height: int) -> Table:
    """A line an object: mark, name and state, which are whole, and of the message what there is room for.

    Args:
        found: how far they are.
        mark: of those that are on their way.
        width: of the terminal.
        height: of the terminal; when there are more objects, those that are ready are counted.
    """
    shown = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
    for _ in range(4):
        shown.add_column(no_wrap=True, overflow="crop")
    listed = sorted(found, key=lambda p: p.converged)[: height - 2] if len(found) >= height else found
    words = max((len(_word(p)) for p in listed), default=0)
    names = max((len(f"{p.kind} {p.path}") for p in listed), default=0)
    names = min(names, max(LEAST, width - 1 - words - LEAST - 3 * _GAP))
    room = max(0, width - 1 - names - words - 3 * _GAP)
    before = ("", "")
    for p in listed:
        sign: RenderableType = mark
        style = ""
        if p.converged:
            sign, style = Text("✓", style="green"), "green"
        elif is_stuck(p):
            sign, style = Text("✗", style="red"), "red"
        same = p.message and (p.reason, p.message) == before
        message = _SAME if same else harmless(brief(p.message, p.path, p.details))
        before = (p.reason, p.message)
        name = shortened(f"{p.kind} {p.path}", names, keep_end=True)
        shown.add_row(sign, name, Text(_word(p), style=style), Text(shortened(message, room), style="dim"))
    if more := len(found) - len(listed):
        shown.add_row("", f"and {more} more", "", "")
    return shown


def _word(found: Progress) -> str:
    if found.gone:
        return "Gone"
    if found.deleted:
        return "Deleting"
    return found.reason if found.current else "Pending"
