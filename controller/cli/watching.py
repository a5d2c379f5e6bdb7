"""What is shown again and again on a terminal, in its place, until somebody has seen enough."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller.cli.output import console
from controller.cli.terminal import rich_console

PERIOD_SECONDS = 1.0


def live_table(ask: Callable[[], str]) -> None:
    """Show what ``ask`` says, each second, until interrupted."""
    from rich.live import Live  # noqa: PLC0415 - who does not watch starts faster without it
    from rich.text import Text  # noqa: PLC0415 - as above

    with Live(console=rich_console(console()), auto_refresh=False) as live:
        while True:
            live.update(Text.from_ansi(ask()), refresh=True)
            time.sleep(PERIOD_SECONDS)
