"""Waits until declared objects are as declared; shows how far they are.

Live on a terminal, elsewhere one line a change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from controller.cli.failures import CliError, ExitCode
from controller.cli.output import Format, console, error_console
from controller.declared import readiness
from controller.declared.readiness import Progress
from reconcilers.conditions import PAUSED

POLL_SECONDS = 0.15

Show = Callable[[Sequence[Progress]], None]


def wait(
    conn: psycopg.Connection, keys: Sequence[tuple[str, UUID]], timeout: float, form: Format = Format.TABLE
) -> None:
    """Return when every object is ready in its generation, or gone when its deletion was asked for.

    One that is stalled or paused is not waited for.

    Args:
        conn: a connection that is not in a transaction.
        keys: kind and id of each.
        timeout: seconds.
        form: progress goes to standard error unless it is for people.

    Raises:
        CliError: one is stalled or paused, or the time is over; says which and why.
    """
    if not keys:
        return
    started = time.monotonic()
    with _shown(form) as show:
        while True:
            found = readiness.progress(conn, keys)
            show(found)
            if all(p.converged or _is_stuck(p) for p in found):
                break
            if time.monotonic() - started > timeout:
                break
            time.sleep(POLL_SECONDS)
    stuck = [p for p in found if _is_stuck(p)]
    late = [p for p in found if not p.converged and not _is_stuck(p)]
    if stuck or late:
        raise CliError(
            "\n".join([*map(_reason_stuck, stuck), *(_reason_late(p, timeout) for p in late)]),
            code=ExitCode.NOT_READY,
        )


def _is_stuck(found: Progress) -> bool:
    return found.current and (found.stalled or found.reason == PAUSED) and not found.converged


def _reason_stuck(found: Progress) -> str:
    if found.reason == PAUSED:
        return f"{found.kind} {found.path} is paused: {found.message}"
    return f"{found.kind} {found.path} is stalled: {found.reason}: {found.message}"


def _reason_late(found: Progress, timeout: float) -> str:
    if found.nobody:
        return (
            f"{found.kind} {found.path} is not known to be ready after {timeout:g} s: {found.nobody} (start one with "
            "`skypanel up`, or see `skypanel doctor`)"
        )
    if not found.current:
        return (
            f"{found.kind} {found.path}: no controller has looked at generation {found.generation} within "
            f"{timeout:g} s (start one with `skypanel up`, or see `skypanel doctor`)"
        )
    return f"{found.kind} {found.path} is not ready after {timeout:g} s: {found.reason}: {found.message}"


@contextmanager
def _shown(form: Format) -> Iterator[Show]:
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
        elif _is_stuck(p):
            mark, style = Text("✗", style="red"), "red"
        shown.add_row(mark, f"{p.kind} {p.path}", Text(_word(p), style=style), Text(p.message, style="dim"))
    return shown


def _word(found: Progress) -> str:
    if found.gone:
        return "Gone"
    if found.deleted:
        return "Deleting"
    return found.reason if found.current else "Pending"
