"""Kinds of other installed packages: found by their entry points, and a broken one is said and left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.installed import GADGETS, MODEL, RECONCILER, install, run

SAY = "import reconcilers; from specs import installed, kinds; from reconcilers.registry import registered; "
KNOWN = SAY + "print(list(kinds.KINDS), sorted(registered()), *installed.broken())"


def test_a_package_brings_a_kind_with_its_reconciler(tmp_path: Path) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", GADGETS)
    said = run(tmp_path, "-c", KNOWN)
    assert "'Gadget'" in said
    assert "'gadget'" in said
    assert "cannot be used" not in said
    assert "brings Gadget" in run(tmp_path, "-m", "controller", "doctor", code=1, DATABASE_URL="")


def test_a_single_module_brings_model_and_reconciler(tmp_path: Path) -> None:
    install(tmp_path, "acme-gadgets", "gadgets", {"gadgets.py": MODEL + RECONCILER})
    said = run(tmp_path, "-c", KNOWN)
    assert "'Gadget'" in said
    assert "'gadget'" in said
    assert "cannot be used" not in said


def test_its_schemas_are_written_when_it_is_named(tmp_path: Path) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", GADGETS)
    export = ("-m", "specs.schema_export")
    assert run(tmp_path, *export, "--check") == "", "the project's own do not depend on it"
    assert "needs --into" in run(tmp_path, *export, "--package", "acme-gadgets", code=2)
    assert "no installed package nobody" in run(tmp_path, *export, "--package", "nobody", code=2)
    run(tmp_path, *export, "--package", "acme-gadgets", "--into", str(tmp_path / "schema"))
    assert "colour" in (tmp_path / "schema" / "gadget.json").read_text()
    assert "Gadget" in json.loads((tmp_path / "schema" / "skypanel.json").read_text())["properties"]["kind"]["enum"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"acme_gadgets/model.py": "import nothing_of_this_name"}, "ModuleNotFoundError: No module named 'nothing_"),
        ({"acme_gadgets/model.py": ""}, "it defines no kind"),
        ({"acme_gadgets/model.py": MODEL + "\n1 / 0"}, "ZeroDivisionError"),
        (
            {"acme_gadgets/model.py": MODEL.replace('"Gadget"', '"App"')},
            "ValueError: kind App is defined already, in specs",
        ),
        ({"acme_gadgets/model.py": MODEL.replace('"Organization"', '"Owner"')}, "Gadget needs Owner, which is no kind"),
        (
            {"acme_gadgets/model.py": MODEL.replace('"Organization"', '"App"')},
            "metadata of Gadget has organization, not organi",
        ),
        ({"acme_gadgets/model.py": MODEL.replace('"gad"', '"env"')}, "Gadget is called env, envs, as another kind is"),
        ({"acme_gadgets/reconciler.py": RECONCILER + "\n1 / 0"}, "ZeroDivisionError"),
        ({"acme_gadgets/reconciler.py": ""}, "Gadget has no reconciler"),
    ],
)
def test_a_broken_package_is_named_with_the_reason_and_the_rest_goes_on(
    tmp_path: Path, files: dict[str, str], why: str
) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", {**GADGETS, **files})
    said = run(tmp_path, "-c", KNOWN)
    assert f"package acme-gadgets (acme_gadgets) cannot be used: {why}" in said
    assert "['environment', 'organization']" in said
    assert "fail kinds" in " ".join(run(tmp_path, "-m", "controller", "doctor", code=1, DATABASE_URL="").split())


def test_every_command_warns_of_a_broken_package(tmp_path: Path) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", {**GADGETS, "acme_gadgets/model.py": "1 / 0"})
    said = run(tmp_path, "-m", "controller", "validate", "-f", "specs/examples/plans.yaml")
    assert "warning: package acme-gadgets (acme_gadgets) cannot be used: ZeroDivisionError" in " ".join(said.split())
    assert "valid:" in said
