"""Variables in values: ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and so on, filled in as Compose does.

    $$                  a dollar
    ${NAME:-default}    default where it is not set or empty; ${NAME-default} where it is not set
    ${NAME:?words}      an error where it is not set or empty; ${NAME?words} where it is not set
    ${NAME:+other}      other where it is set and not empty; ${NAME+other} where it is set

Defaults may hold variables again. One that is not set and has no default is empty. Values are in no message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from specs.problems import RefusedError, quote

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_BRACES = re.compile(r"\$\{|\}")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DEEP = 16


@dataclass(slots=True)
class Variables:
    """What is set, and what was asked for.

    Args:
        values: by name.
        unset: names that were taken as empty.
        used: names whose values were filled in.
    """

    values: Mapping[str, str]
    unset: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def filled(self, text: str, depth: int = 0) -> str:
        """``text`` with the values of its variables.

        Raises:
            RefusedError: a variable that has to be set is not, or one is not written right.
        """
        if depth > _DEEP:
            raise RefusedError("has defaults within defaults too deep", f"at most {_DEEP}")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise RefusedError("has half a character", "no program can be given one")
        found, at = "", 0
        while (dollar := text.find("$", at)) >= 0:
            found += text[at:dollar]
            at = dollar + 1
            if text.startswith("$", at):
                found, at = f"{found}$", at + 1
            elif text.startswith("{", at):
                end = _end(text, at + 1)
                found, at = found + self._braced(text[at + 1 : end], depth), end + 1
            elif name := _NAME.match(text, at):
                found, at = found + self._value(name[0]), name.end()
            else:
                found += "$"
        return found + text[at:]

    def _braced(self, inner: str, depth: int) -> str:
        name = _NAME.match(inner)
        if name is None:
            raise RefusedError("has a ${ without the name of a variable", "write $$ for a dollar")
        known, rest = self.values.get(name[0]), inner[name.end() :]
        if not rest:
            return self._value(name[0])
        operator = next((operator for operator in _OPERATORS if rest.startswith(operator)), "")
        if not operator:
            raise RefusedError(
                f"has {quote(name[0])} in braces with what Compose does not know", "write ${NAME:-default}"
            )
        there = known is not None and (operator[0] != ":" or known != "")
        if operator[-1] == "+":
            return self.filled(rest[len(operator) :], depth + 1) if there else ""
        if there:
            return self._value(name[0])
        if operator[-1] == "?":
            raise RefusedError(
                f"needs the variable {name[0]}, which is not set", "set it, or name a file with --env-file"
            )
        return self.filled(rest[len(operator) :], depth + 1)

    def _value(self, name: str) -> str:
        (self.used if name in self.values else self.unset).add(name)
        return self.values.get(name, "")


def _end(text: str, at: int) -> int:
    """Where the brace is that ends what begins at ``at``."""
    depth = 1
    for mark in _BRACES.finditer(text, at):
        depth += 1 if mark[0] == "${" else -1
        if not depth:
            return mark.start()
    raise RefusedError("has a ${ that is not ended", "write $$ for a dollar")
