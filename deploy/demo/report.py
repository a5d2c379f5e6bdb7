"""What the demo prints: steps with their time, the commands it runs, and what came of them.

On a terminal a step turns while it runs and becomes one line when it is done; elsewhere (a log of a build) it is
one line when it begins and one when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape


@dataclass(slots=True)
class Step:
    """A step that runs; `said` is what its last line says beside its name."""

    said: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Lines for a person, on standard output."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    begun: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show that something is being done, then how long it took."""
        begun = time.monotonic()
        step = Step()
        if self.console.is_terminal:
            with self.console.status(escape(name)):
                yield step
        else:
            self.console.print(escape(f"  ... {name}"))
            yield step
        said = f": {step.said}" if step.said else ""
        self.console.print(f"  [green]ok[/]  {escape(name + said)} [dim]({time.monotonic() - begun:.1f} s)[/]")

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.console.print(f"\n[bold]{escape(text)}[/]")

    def command(self, text: str) -> None:
        """A command that is run now, as a person would type it."""
        self.console.print(f"  [cyan]$ {escape(text)}[/]")

    def line(self, text: str, *, style: str = "") -> None:
        """A line of an answer."""
        self.console.print(escape(f"  {text}"), style=style or None)

    @property
    def seconds(self) -> float:
        """Time since the demo was started."""
        return time.monotonic() - self.begun
