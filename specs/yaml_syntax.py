"""What is wrong with a text that is not YAML, in the words of somebody who writes it; no value of it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError

_NAMED = 'write "name: value", with a space behind the colon'
_QUOTES = "put the value in quotes"
_STARTS = re.compile(r"found character '(.+)' that cannot start any token")
_OPENED = {"flow sequence": "[", "flow mapping": "{"}


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text; both count from 1."""

    line: int
    column: int


class YamlProblem(ValueError):  # noqa: N818 - it is reported as a problem among others, not raised to the user
    """The text is not YAML that can be used; ``position`` says where."""

    def __init__(self, position: Position, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.message = message
        self.hint = hint


def explain(text: str, error: MarkedYAMLError) -> YamlProblem:
    """What the parser found, where its writer would look for it."""
    found = _Found(text.splitlines(), error)
    return (
        found.unclosed()
        or found.indentation()
        or found.colon()
        or found.first_character()
        or found.other()
        or YamlProblem(found.at, f"is not YAML: {found.said.splitlines()[0]}")
    )


class _Found:
    """One error: each method knows some, and gives None for others."""

    def __init__(self, lines: list[str], error: MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        self._lines = lines
        self._context, self._problem = error.context or "", error.problem or ""
        self.said = ", ".join(part for part in (self._context, self._problem) if part)
        self.at = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        began = error.context_mark
        self._began = Position(began.line + 1, began.column + 1) if began else self.at

    def unclosed(self) -> YamlProblem | None:
        """Quotes and brackets."""
        if "quoted scalar" in self._context and "end of" in self._problem:
            return YamlProblem(self._began, "a quote is opened here and closed nowhere", "close it")
        bracket = next((sign for kind, sign in _OPENED.items() if self._context.endswith(kind)), None)
        if bracket and self._problem.startswith("expected ','"):
            return YamlProblem(
                self._began,
                f"a {bracket} is opened here and not closed before line {self.at.line}",
                "close it, and put commas between the entries",
            )
        return None

    def indentation(self) -> YamlProblem | None:
        """Lines that do not stand under each other."""
        if "<document start>" in self._problem:
            return YamlProblem(self.at, "begins left of the first line", "begin the first line in column 1")
        if not self._problem.startswith("expected <block end>") or " start>" not in self._problem:
            return None
        above = self._above()
        here, there = _indent(self._line(self.at.line)), _indent(self._line(above))
        return YamlProblem(
            self.at,
            f"begins {_columns(here - there)} line {above}, and belongs neither below nor beside it",
            "align what belongs together; indent with two spaces",
        )

    def colon(self) -> YamlProblem | None:
        """A colon too many or too few."""
        if self._problem.startswith("could not find expected ':'"):
            return YamlProblem(self._began, 'has no ": "', _NAMED)
        if self._problem.startswith("mapping values are not allowed"):
            return self._unexpected_colon()
        return None

    def _unexpected_colon(self) -> YamlProblem:
        line, above = self._line(self.at.line), self._above()
        if line.startswith("--- "):
            return YamlProblem(Position(self.at.line, 5), "stands behind ---", "begin the document in the next line")
        name, colon, _ = line[: self.at.column - 1].partition(": ")
        if colon:
            return YamlProblem(Position(self.at.line, len(name) + 3), 'a value has ": " in it', _QUOTES)
        before = self._line(above)
        if ": " not in before:
            return YamlProblem(Position(above, _indent(before) + 1), 'has no ": "', _NAMED)
        return YamlProblem(
            Position(self.at.line, _indent(line) + 1),
            f"begins {_columns(_indent(line) - _indent(before))} line {above}, which has a value already",
            f"align it with line {above}",
        )

    def first_character(self) -> YamlProblem | None:
        """Values that begin with a sign that means something."""
        if self._problem.startswith("found undefined alias"):
            return YamlProblem(self.at, "a value that begins with * is a reference, and nothing has this name", _QUOTES)
        if self._problem.startswith("mapping keys are not allowed"):
            return YamlProblem(self.at, "a value begins with ?", _QUOTES)
        if self._problem.startswith("found undefined tag handle"):  # it may be a password that begins so
            return YamlProblem(self.at, "a value begins with !", "put it in quotes, or remove the tag")
        match = _STARTS.search(self._problem)
        if match is None:
            return None
        if match[1] == "\\t":
            return YamlProblem(self.at, "a tab stands here", "indent with spaces")
        return YamlProblem(self.at, f"a value begins with {match[1]}", _QUOTES)

    def other(self) -> YamlProblem | None:
        """What stands where nothing may."""
        if "found unknown escape character" in self._problem:
            return YamlProblem(self.at, "a backslash in double quotes begins no known escape", "use single quotes")
        if "but found '<scalar>'" in self._problem:
            return YamlProblem(self.at, "text stands behind a value that is closed", "put all of the value in quotes")
        match = re.search(r"but found '([\]},])'", self._problem)
        if match:
            return YamlProblem(self.at, f"a {match[1]} stands where none is expected", f"remove it, or {_QUOTES}")
        return None

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def _above(self) -> int:
        """Number of the nearest line above that says anything."""
        numbers = range(self.at.line - 1, 0, -1)
        return next((n for n in numbers if (said := self._line(n).strip()) and not said.startswith("#")), 1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _columns(difference: int) -> str:
    if difference == 0:
        return "in the same column as"
    side = "right" if difference > 0 else "left"
    return f"{abs(difference)} column{'s' if abs(difference) > 1 else ''} {side} of"
