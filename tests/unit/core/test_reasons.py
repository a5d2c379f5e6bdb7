"""Every reason of a status that is not Ready is in the operator's table, and its message says how it goes on.

The messages are taken from the source as they stand there, so that a new one is asked, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from controller.swarm.errors import AWAY
from reconcilers import conditions
from reconcilers.reasons import faults, reasons
from reconcilers.registry import registered

ROOT = Path(__file__).parents[3]
SAYING = {"progressing", "stalled", "Condition", "NotReadyError", "TerminalError", "TransientError"}
"""What a message is given to, after its reason. A ConflictError is tried again at once, and no status is made of it."""
GOES_ON = re.compile(
    r"by itself|\bagain\b|\bwait(s|ing)\b|until|looking for another|as soon as|when it|when nothing|when they|"
    r"goes with|once it|skypanel |change the|[Rr]emove|widen|Use |install|grant|free resources|mend|Recreate|"
    r"correct|clear `|set |see |[Ll]et |stop the other|name more|at most|it no longer belongs|was removed"
)
"""Words of what to do, or of what happens without anybody's doing."""
ENDED = {"Deleted"}
"""Nothing is left to be done."""
UNSAID = {"LeaseLost", "DatabaseUnavailable"}
"""Nobody can be told in a status: another process writes them, or none can."""


class Said(NamedTuple):
    """A reason and the fixed parts of its message, where they stand."""

    place: str
    reason: str
    message: str


def said() -> list[Said]:
    """Every reason that stands in the source beside its message."""
    found: list[Said] = []
    for folder in ("controller", "reconcilers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += Module(path).said()
    return [one for one in found if one.reason not in UNSAID]


class Module:
    """One module of the source.

    Args:
        path: of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = ast.parse(path.read_text())
        parts = [n for n in self._tree.body if isinstance(n, ast.Assign | ast.FunctionDef)]
        self._known = {n.name if isinstance(n, ast.FunctionDef) else ast.unparse(n.targets[0]): n for n in parts}
        """What stands at the top: functions that make messages, parts of messages."""

    def said(self) -> Iterator[Said]:
        """What it says, and why."""
        for function in ast.walk(self._tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                known = {**self._known, **_assigned(function)}
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and (given := _given(call)) is not None:
                        place = f"{self._path.relative_to(ROOT)}:{call.lineno}"
                        if text := _text(given[1], known).strip():
                            yield Said(place, given[0], text)


def _given(call: ast.Call) -> tuple[str, ast.expr] | None:
    """Reason and message of a call that says something."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    arguments = call.args[2:] if name == "Condition" else call.args
    is_base = name == "__init__" and len(call.args) == 2
    if not (name in SAYING or is_base) or len(arguments) < 2:
        return None
    match arguments[0]:
        case ast.Constant(value=reason):
            pass
        case ast.Name(id=constant) | ast.Attribute(attr=constant):
            reason = getattr(conditions, constant, None)
        case _:
            return None
    return (reason, arguments[1]) if isinstance(reason, str) and re.fullmatch(r"[A-Z][A-Za-z]+", reason) else None


def _assigned(function: ast.AST) -> dict[str, ast.AST]:
    """What the names within a function stand for; of several, all."""
    found: dict[str, ast.AST] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            before = [found[name]] if name in found else []
            found[name] = ast.Tuple([*before, node.value])  # type: ignore[list-item] # any node will do
    return found


def _text(node: ast.AST, known: dict[str, ast.AST], depth: int = 3) -> str:
    """The fixed parts of a message, with those of what it is put together from."""
    parts = []
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            parts.append(part.value)
        elif isinstance(part, ast.Name) and part.id == "AWAY":
            parts.append(AWAY)
        elif isinstance(part, ast.Name) and depth and part.id in known:
            rest = {name: found for name, found in known.items() if name != part.id}
            parts.append(_text(known[part.id], rest, depth - 1))
    return " ".join(parts)


SAID = said()


def test_the_reasons_are_found() -> None:
    assert {"RolledBack", "ProgressDeadlineExceeded", "NotRouted", "EngineRefused", "FuseTripped"} <= {
        one.reason for one in SAID
    }


@pytest.mark.parametrize("one", SAID, ids=[f"{one.place} {one.reason}" for one in SAID])
def test_every_message_says_how_it_goes_on(one: Said) -> None:
    assert one.reason in ENDED or GOES_ON.search(one.message), f"{one.place}: {one.reason}: {one.message}"


def test_every_reason_is_explained_to_operators() -> None:
    table = (ROOT / "docs/operations.md").read_text().partition("## When something is not Ready")[2]
    explained = {
        word for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)
    }
    missing = {one.reason for one in SAID} - explained - ENDED
    assert not missing, f"in no row of docs/operations.md: {sorted(missing)}"


@pytest.mark.parametrize(
    "rows", [[one.row for one in reasons()], [one.row for one in faults()]], ids=["reasons", "faults"]
)
def test_the_page_has_what_explain_says(rows: list[str]) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    assert "\n".join(rows) in page, "make the tables of docs/operations.md of reconcilers/reasons.toml"


def test_every_reason_breaks_a_link_that_its_kind_has() -> None:
    links = {kind: {link.__name__ for link in made.links} for kind, made in registered().items()}
    spoken = {part: made.kind for made in registered().values() for part in made.speaks_for}
    every = {"controller", "hold", "row", "beyond"}
    for reason in reasons():
        for kind in reason.kinds:
            own = links.get(spoken.get(kind, kind))
            assert own is None or reason.link in own | every, f"{reason.names}: {kind} has no link {reason.link}"
