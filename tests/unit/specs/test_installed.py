"""Kinds of other installed packages: found by their entry points, and a broken one is said and left out."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase

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


BROKEN: list[tuple[dict[str, str], str]] = [
    ({"model.py": "import nothing_of_this_name"}, "ModuleNotFoundError: No module named 'nothing_"),
    ({"model.py": ""}, "it defines no kind"),
    ({"model.py": MODEL + "\n1 / 0"}, "ZeroDivisionError"),
    ({"model.py": MODEL.replace('"Gadget"', '"App"')}, "ValueError: kind App is defined already, in specs"),
    ({"model.py": MODEL.replace('"Organization"', '"Owner"')}, "Gadget needs Owner, which is no kind"),
    ({"model.py": MODEL.replace('"Organization"', '"App"')}, "metadata of Gadget has organization, not organi"),
    ({"model.py": MODEL.replace('"gad"', '"env"')}, "Gadget is called env, envs, as another kind is"),
    ({"reconciler.py": RECONCILER + "\n1 / 0"}, "ZeroDivisionError"),
    ({"reconciler.py": ""}, "Gadget has no reconciler"),
]
"""Files of the package that are others, and why it cannot be used then."""


def renamed(text: str, letter: str) -> str:
    """``text`` of another package than the others': with a kind, a table and words of its own."""
    return text.replace("adget", f"adget{letter}").replace('"gad"', f'"gad{letter}"')


def test_each_broken_package_is_named_with_the_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    packages = dict(zip(ascii_lowercase, BROKEN, strict=False))
    for letter, (files, _) in packages.items():
        given = {**GADGETS, **{f"acme_gadgets/{name}": text for name, text in files.items()}}
        made = {renamed(path, letter): renamed(text, letter) for path, text in given.items()}
        install(tmp_path, renamed("acme-gadgets", letter), renamed("acme_gadgets", letter), made)
    said = run(tmp_path, "-c", KNOWN)
    for letter, (_, why) in packages.items():
        assert renamed(f"package acme-gadgets (acme_gadgets) cannot be used: {why}", letter) in said
    assert "['environment', 'organization', 'registry', 'run', 'source']" in said


def test_every_command_warns_of_a_broken_package_and_doctor_fails(tmp_path: Path) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", {**GADGETS, "acme_gadgets/model.py": "1 / 0"})
    said = run(tmp_path, "-m", "controller", "validate", "-f", "specs/examples/plans.yaml")
    assert "warning: package acme-gadgets (acme_gadgets) cannot be used: ZeroDivisionError" in " ".join(said.split())
    assert "valid:" in said
    assert "fail kinds" in " ".join(run(tmp_path, "-m", "controller", "doctor", code=1, DATABASE_URL="").split())
