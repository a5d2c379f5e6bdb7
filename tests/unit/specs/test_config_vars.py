"""Documents of config vars: names and text alone, each variable once, and no value in a message."""

from __future__ import annotations

import pytest

from specs.doubts import of_variables
from specs.loader import Files, SpecFilesError, load_contents, read_resources

MARK = "hunter2m4rk"


def loaded(*documents: str) -> Files:
    return load_contents({f"{n}.yaml": text.encode() for n, text in enumerate(documents)})


def document(value: str, at: str = "organization: acme", field: str = "variables") -> str:
    head = f"apiVersion: skypanel.io/v1\nkind: ConfigVars\nmetadata: {{{at}}}\n"
    return f"{head}spec:\n  {field}:\n    LEVEL: {value}\n    B: x\n"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (MARK, MARK),
        (f"'{MARK}'", MARK),
        ("'0123'", "0123"),
        ("2026-01-01", "2026-01-01"),
        ("no", "no"),
        ('""', ""),
        (f"|\n      {MARK}\n      b", f"{MARK}\nb\n"),
        (f"|-\n      {MARK}", MARK),
        (f'"a\\n$\\"{MARK}"', f'a\n$"{MARK}'),
    ],
)
def test_text_stays_as_it_is_written(value: str, read: str) -> None:
    (found,) = loaded(document(value)).variables
    assert {name: said for _, name, said in found.vars.values()} == {"LEVEL": read, "B": "x"}
    assert MARK not in repr(found) + repr(found.vars)


@pytest.mark.parametrize(
    "value",
    [
        "12", "1e3", "true", "null", "", f"[{MARK}]", f"{{a: {MARK}}}", f"!{MARK}", f"!{MARK}!x", f"*{MARK}",
        f"!!int {MARK}", f"!!binary {MARK}", f"'{MARK}", f'"\\{MARK}"', f"{MARK}: {MARK}",
        f"@{MARK}", f"`{MARK}", f"%{MARK}", f"- {MARK}",
        f"|{MARK}", f"'{MARK}' {MARK}", f'"\\0{MARK}"', MARK * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_its_place_and_without_the_value(value: str) -> None:
    with pytest.raises(SpecFilesError) as refused:
        loaded(document(value))
    assert MARK not in str(refused.value) + repr(refused.value.problems)
    assert str(refused.value).startswith("0.yaml:")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (document("x", "organization: acme, environment: p"),
         "0.yaml:3:1: ConfigVars/acme/p: metadata: has an environment and no app"),
        (document("x", "app: shop"), "0.yaml:3:1: ConfigVars/shop: metadata.organization: is required"),
        (document("''", field="files"),
         "0.yaml:6:5: ConfigVars/acme: spec.files.LEVEL: is a file, and a file must not be empty"),
        (document("x").replace("LEVEL", "A-B"), "is not the name of a variable"),
        (document("x").replace("LEVEL", "PORT"), "PORT is what the platform says itself"),
        (document("x") + "  files: {LEVEL: y}\n", "spec: has LEVEL as a variable and as a file"),
        (document("x").partition("spec:")[0] + "spec: {}\n", "spec: sets nothing"),
        (document("x").partition("spec:")[0] + "spec: {variables: [a]}\n", "spec.variables: is no mapping"),
        (document("x") + "    LEVEL: y\n", '"LEVEL" is given twice'),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused(text: str, says: str) -> None:
    with pytest.raises(SpecFilesError) as refused:
        loaded(text)
    assert says in str(refused.value)


def test_a_variable_of_one_owner_is_in_one_document_of_all_files() -> None:
    assert (
        len(
            loaded(
                document("x"), document("x", "organization: other"), document("x", "organization: acme, app: a")
            ).variables
        )
        == 3
    )
    with pytest.raises(SpecFilesError, match=r"1\.yaml:6:5: .*LEVEL: is set twice: first at 0\.yaml:6:5"):
        loaded(document("x"), document("x"))
    large = [document("x" * 100_000).replace("LEVEL", f"L{n}").replace("B:", f"B{n}:") for n in range(3)]
    with pytest.raises(SpecFilesError, match="all variables take"):
        loaded(*large)


def test_anchors_and_merges_are_what_they_stand_for() -> None:
    text = document("x").replace("LEVEL: x", "LEVEL: &a text\n    C: *a")
    (found,) = loaded(text).variables
    assert found.vars.spec.variables == {"LEVEL": "text", "C": "text", "B": "x"}


def test_who_takes_objects_alone_says_where_config_vars_go() -> None:
    (problem,) = read_resources(document("x"), "body")
    assert "config vars are no object (`skypanel apply -f` and sources take them" in str(problem)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DB_PASSWORD", MARK, "looks like a secret"),
        ("apiKey", MARK, "looks like a secret"),
        ("DB_PASSWORD", "''", ""),
        ("DATABASE", f"postgres://a:{MARK}@db/x", "has a password in an address"),
        ("LEVEL", f"|\n      {MARK}", "ends with a line break"),
        ("LEVEL", MARK, ""),
    ],
)
def test_what_is_hardly_meant_is_said_without_the_value(name: str, value: str, says: str) -> None:
    said = list(of_variables(loaded(document(value).replace("LEVEL", name)).variables))
    assert len(said) == bool(says)
    assert all(
        says in each and MARK not in each and f"0.yaml:6:5: ConfigVars/acme: spec.variables.{name}" in each
        for each in said
    )
