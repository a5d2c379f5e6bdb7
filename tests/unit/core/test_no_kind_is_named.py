"""The controller knows no kind: no literal in it is the name of one, in any spelling, or of a kind's table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.api.client_code import FOLDER, generated
from reconcilers.registry import registered
from specs.kinds import KINDS, PACKAGES, fault, words_of

CONTROLLER = Path(__file__).parents[3] / "controller"
OWN = {kind: cls for kind, cls in KINDS.items() if kind not in PACKAGES}
WORDS = {word for cls in OWN.values() for word in words_of(cls)}
TABLES = {
    table
    for cls in OWN.values()
    for table in (cls.binding.table, *(attached.table for attached in cls.binding.attached))
}
# A table of the panel's may be called what people call the thing: in a sentence that is no table.
NAMED_AS_WORDS = {table for table in TABLES if not table.startswith(("paas_", "caas_"))}

GENERATED = {FOLDER / name for name in generated()}
"""Made of the kinds, for programs that are written against them."""

_WORD = re.compile("|".join(sorted(WORDS)), re.IGNORECASE)
_TABLE = re.compile(
    rf"\b({'|'.join(sorted(TABLES - NAMED_AS_WORDS))})\b"
    rf"|(\b(public\.|(FROM|JOIN|INTO|UPDATE|TABLE) ))({'|'.join(sorted(NAMED_AS_WORDS))})\b"
    rf"|\b(snapshot|serving)_({'|'.join(sorted(cls.word() for cls in OWN.values()))})\b"
)

MEANS_SOMETHING_ELSE = {
    # file and literal: what it is there
    ("actions/fuse.py", "processes"): "what the fuse counts",
    ("cli/gc.py", "processes"): "what the fuse counts",
    ("api/routes/controller.py", "processes"): "what the fuse counts",
    ("store/state.py", "processes"): "what the fuse counts",
    ("actions/doctor/limits.py", "organizations"): "for people: of what there are so many",
    ("actions/doctor/database.py", "organizations"): "for people: what is looked at",
    ("actions/doctor/next_step.py", "organizations"): "the same",
    ("cli/commands.py", "plan"): "the command",
    ("cli/commands.py", "apps"): "the command",
    ("cli/commands.py", "orgs"): "the command",
    ("cli/commands.py", "ps"): "the command",
    ("cli/commands.py", "domains"): "the command",
    ("cli/get.py", "apps"): "the command",
    ("cli/get.py", "orgs"): "the command",
    ("cli/running.py", "ps"): "the command",
    ("cli/running.py", "ENVIRONMENT"): "for people: the heading",
    ("cli/running.py", "PROCESS"): "for people: the heading",
    ("cli/plan.py", "plan"): "the command",
    ("cli/commands.py", "run"): "the command",
    ("cli/commands.py", "runs"): "the command",
    ("cli/run.py", "run"): "the command",
    ("cli/run.py", "runs"): "the command",
    ("cli/run.py", "plan"): "a field of what it makes",
    ("cli/run.py", "PLAN"): "what an option is called",
    ("cli/promote.py", "runs"): "for people: what it does",
    ("swarm/service_cache.py", "runs"): "what of a service has tasks",
    ("api/routes/templates.py", "plan"): "a field of a body",
    ("api/routes/sets.py", "plan"): "what would be changed",
    ("schema/migrate.py", "plan"): "what of migrations is to be applied",
    ("schema/migrate.py", "Plan"): "what of migrations is to be applied",
    ("loop/converge.py", "plan"): "a step of a reconcile",
    ("swarm/diff.py", "Env"): "a field of a container's spec",
    ("cli/commands.py", "registries"): "the command",
    ("cli/registries.py", "registries"): "the command",
    ("cli/commands.py", "source"): "the command",
    ("cli/source.py", "source"): "the command",
    ("actions/doctor/edge.py", "Source"): "a field of a container's mount",
    ("cli/formats.py", "registry"): "for programs: what a user of one is told from others by",
    ("cli/registries.py", "registry"): "for programs: whose user it is",
    ("cli/registries.py", "REGISTRY"): "the same, for people",
    ("cli/registries.py", "ORGANIZATION"): "what an argument is called",
    ("cli/gc.py", "organization"): "the tenant, as programs read it",
    ("cli/keys.py", "organizations"): "for programs: how many tenants need a key",
    ("cli/keys.py", "ORGANIZATIONS"): "the same, for people",
    ("actions/tokens.py", "organization"): "for programs: whose token it is",
    ("actions/tokens.py", "apps"): "for programs: what a token is limited to",
    ("api/routes/tokens.py", "organization"): "the same",
    ("api/routes/tokens.py", "apps"): "the same",
    ("actions/bindings.py", "organization"): "for programs: where a binding's role is",
    ("actions/bindings.py", "apps"): "for programs: what its tokens are limited to",
    ("api/routes/bindings.py", "organization"): "the same",
    ("api/routes/bindings.py", "apps"): "the same",
    ("access/bindings.py", "apps"): "the same, as the database says it",
    ("access/binding_rows.py", "apps"): "the same, as it is written",
    ("access/authentication.py", "apps"): "the same, as the database says it",
    ("access/token_rows.py", "apps"): "the same, as it is written",
    ("loop/turns.py", "organization"): "the tenant, which gets its fair share",
    ("loop/metrics.py", "organization"): "the scope of a pause: a tenant's",
    ("actions/promote.py", "PROCESS"): "a name that the module has for others",
    ("cli/contexts.py", "organization"): "the tenant, as the file of contexts has it",
    ("remote/backend.py", "processes"): "what a release runs",
    ("remote/tokens.py", "apps"): "for programs: what a token is limited to",
}
"""Words that are also those of kinds."""


def python_literals(text: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def sql_literals(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("--")[0]
        yield number, code
        yield from ((number, literal) for literal in re.findall(r"'([^']*)'", code))


def named(text: str, *, sql: bool = False) -> list[tuple[int, str]]:
    """Line and literal of each that names a kind."""
    found = sql_literals(text) if sql else python_literals(text)
    return [(line, literal) for line, literal in found if _WORD.fullmatch(literal) or _TABLE.search(literal)]


def test_no_kind_and_no_table_of_one_is_named_in_the_controller() -> None:
    found = {
        (
            str(file.relative_to(CONTROLLER)),
            literal,
        ): f"{file.relative_to(CONTROLLER)}:{line}: {literal!r}"
        for file in sorted(CONTROLLER.rglob("*"))
        if file.suffix in (".py", ".sql") and file not in GENERATED
        for line, literal in named(file.read_text(encoding="utf-8"), sql=file.suffix == ".sql")
    }
    assert [place for key, place in found.items() if key not in MEANS_SOMETHING_ELSE] == []
    assert sorted(MEANS_SOMETHING_ELSE.keys() - found.keys()) == [], "nothing of it is there any more"


@pytest.mark.parametrize(
    "text",
    [
        'if kind == "environment":',
        'SERVED = ("Environment",)',
        'x = words["envs"]',
        'x = f"SELECT FROM public.paas_apps a {y}"',
        'x = "SELECT FROM organizations"',
        'x = {"Domain": 1}',
        'x = "skypanel.snapshot_organization"',
    ],
)
def test_a_literal_that_names_a_kind_is_found_in_any_spelling(text: str) -> None:
    assert named(text + (" pass" if text.endswith(":") else ""))


def test_what_only_mentions_a_kind_names_none() -> None:
    assert not named('"""Environments are."""\nx = "environments that run"  # environment\nx = "organization_id"')
    assert not named("SELECT organization_id -- 'environment'", sql=True)
    assert named("SELECT 'environment', id", sql=True)
    assert named("JOIN public.organizations o ON true", sql=True)


def test_the_facts_of_each_kind_agree_with_its_model_and_its_reconciler() -> None:
    assert {kind: why for kind, cls in KINDS.items() if (why := fault(cls, KINDS))} == {}
    assert registered().keys() == {cls.word() for cls in KINDS.values() if cls.facts.reconciled}
