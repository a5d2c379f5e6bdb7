"""Commands whose help shows what stands for a value, and not that it is a ``bool`` or a ``str``; and which look at what
was given only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

from specs.spelling import meant

LIST = "list"
running: ContextVar[str] = ContextVar("running", default="")
"""The command that runs, as it is typed: ``config set``."""
context: ContextVar[str] = ContextVar("context", default="")
"""The context that an option names."""


class Command(TyperCommand):
    """One command."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        running.set(" ".join(ctx.command_path.split()[1:]))
        return super().invoke(ctx)

    def get_params(self, ctx: Any) -> list[Any]:
        """Its arguments and options."""
        return _spared(super().get_params(ctx))


class Group(TyperGroup):
    """Commands under one word."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Options of all of them."""
        return _spared(super().get_params(ctx))


class Listing(Group):
    """Commands under one word, of which the list is meant where none of them is named: ``config acme/shop``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As it is given, or as it is meant."""
        first = args[0] if args else ""
        if not args and ctx.resilient_parsing:  # a shell asks what may follow: all of them may
            return super().parse_args(ctx, args)
        if args or not self.no_args_is_help:
            named = first in self.commands or first in ctx.help_option_names or meant(first, self.commands)
            args = args if named else [LIST, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Commands, else what may follow the list."""
        if (found := super().shell_complete(ctx, incomplete)) or self.no_args_is_help:
            return found
        meant_list = self.commands[LIST]
        of_list = meant_list.make_context(LIST, [], parent=ctx, resilient_parsing=True)
        arguments = [each for each in meant_list.get_params(of_list) if each.param_type_name == "argument"]
        return arguments[0].shell_complete(of_list, incomplete) if arguments else []


def _spared(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: None  # noqa: ARG005 - it is called by that name
        if "process_value" not in vars(param) and not param.multiple and param.nargs == 1:
            param.process_value = partial(_value, param, param.process_value)
    return params


def _value(param: Any, process: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """For each parameter typer makes an adapter of pydantic's, if only to find that there is no value."""
    if value is not None or param.required:
        return process(context, value)
    return param.callback(context, param, None) if param.callback else None
