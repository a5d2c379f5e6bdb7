"""Files to resources, and every problem with its place."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from specs.loader import Located, SpecFilesError, load

APP = """apiVersion: skypanel.io/v1
kind: App
metadata:
  name: {name}
  organization: acme
"""


def from_text(text: str | bytes) -> list[Located]:
    return load(["-"], stdin=BytesIO(text if isinstance(text, bytes) else text.encode()))


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(SpecFilesError) as raised:
        from_text(text)
    return str(raised.value).splitlines()


def app(name: str) -> str:
    return APP.format(name=name)


def names(found: list[Located]) -> list[str]:
    return [entry.resource.metadata.name for entry in found]


def test_documents_of_a_file_are_read_in_their_order_and_empty_ones_are_passed_over() -> None:
    found = from_text(f"# nothing yet\n---\n{app('b')}---\n---\n{app('a')}")
    assert names(found) == ["b", "a"]
    assert [entry.place for entry in found] == ["<stdin>:3:1", "<stdin>:10:1"]


def test_a_folder_is_read_to_the_bottom_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", ".hidden/d.yaml", ".e.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(app(Path(name).stem.strip(".")))
    assert names(load([tmp_path])) == ["a", "b", "c"]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(app("a"))
    assert names(load([tmp_path / "a.yaml", tmp_path])) == ["a"]


def test_every_problem_of_every_file_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: skypanel.io/v1\n"
        "kind: Environment\n"
        "metadata: {name: production, app: hello, organization: acme}\n"
        "spec:\n"
        "  replcas: 2\n"
        "  image: UPPER/x\n"
        "  port: 0\n"
        "  healthcheck:\n"
        "    command: [a]\n"
        "    interval: 10\n"
    )
    (tmp_path / "b.yaml").write_text("kind: App\n")
    with pytest.raises(SpecFilesError) as raised:
        load([tmp_path, tmp_path / "none.yaml"])
    assert str(raised.value).replace(f"{tmp_path}/", "").splitlines() == [
        "a.yaml:5:3: Environment/production: spec.replcas: is not a field here (did you mean replicas?)",
        (
            'a.yaml:6:3: Environment/production: spec.image: "UPPER/x" is not an image reference: '
            "the name has upper case letters (write upper/x)"
        ),
        "a.yaml:7:3: Environment/production: spec.port: 0 is not a port (1-65535)",
        ('a.yaml:10:5: Environment/production: spec.healthcheck.interval: 10 has no unit (write seconds as "10s")'),
        "b.yaml:1:1: App: apiVersion: is required (write apiVersion: skypanel.io/v1)",
        "none.yaml: cannot be read: No such file or directory (check the path)",
    ]


def test_a_missing_field_is_placed_at_what_lacks_it() -> None:
    text = "apiVersion: skypanel.io/v1\nkind: App\nmetadata:\n  name: a\n"
    assert problems(text) == ["<stdin>:3:1: App/a: metadata.organization: is required"]


def test_a_resource_that_is_declared_twice_is_refused_across_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(app("a"))
    (tmp_path / "b.yaml").write_text(f"{app('b')}---\n{app('a')}")
    with pytest.raises(SpecFilesError) as raised:
        load([tmp_path])
    assert str(raised.value) == (
        f"{tmp_path}/b.yaml:7:1: App/a: is declared twice: first at {tmp_path}/a.yaml:1:1 (keep one of them)"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n", "<stdin>:1:1: is not a resource"),
        (
            "apiVersion: v1\nkind: App\n",
            '<stdin>:1:1: App: apiVersion: "v1" is not known (write apiVersion: skypanel.io/v1)',
        ),
        ("apiVersion: skypanel.io/v1\n", "<stdin>:1:1: kind: is required (one of "),
        (
            "apiVersion: skypanel.io/v1\nkind: Enviroment\n",
            '<stdin>:2:1: Enviroment: kind: "Enviroment" is not known (did you mean Environment?)',
        ),
        ("apiVersion: skypanel.io/v1\nkind: [App]\n", "<stdin>:2:1: kind: the value is not known"),
        ("a: 1\na: 2\n", '<stdin>:2:1: "a" is given twice (keep one of them)'),
        ("1: x\n", "<stdin>:1:1: a key is not text (put it in quotes)"),
        ("[a]: x\n", "<stdin>:1:1: a key is a mapping or a list"),
        ("a:\n\t- x\n", "<stdin>:2:1: a tab stands here"),
        ("a: [1\n", "<stdin>:1:4: a [ is opened here"),
        ("a: *b\n", "<stdin>:1:4: a value that begins with * is a reference"),
        (
            "a: !!python/name:os.system x\n",
            '<stdin>:1:4: the tag "!!python/name:os.system" is not supported',
        ),
        ("a: !secret x\n", "<stdin>:1:4: a value begins with !"),
        (f"a: 0x{'f' * 5000}\n", "<stdin>:1:4: cannot be read as a value"),
        ("a: !!int x\n", "<stdin>:1:4: cannot be read as a value"),
        ("a: &a [*a]\n", "<stdin>:1:4: an alias is used inside its own anchor"),
        ("a: &a {<<: *a}\n", "<stdin>:1:4: an alias is used inside its own anchor"),
        ("<<: [x]\n", "<stdin>:1:6: is merged, but is not a mapping"),
        ("a: " + "[" * 40 + "]" * 40, "<stdin>:1:35: is nested too deep"),
        ("[" * 550, "<stdin>:1:1: is nested too deep"),
        ("a: \x01", "<stdin>:1:4: a control character is in the text"),
        (b"a: b\nc: \xff", "<stdin>:2:4: is not UTF-8 (save it as UTF-8)"),
        ("#" * (1024 * 1024 + 1), "<stdin>: is larger than 1024 KiB (split it)"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text: str | bytes, problem: str) -> None:
    (said,) = problems(text)
    assert said.startswith(problem)


def test_documents_before_and_after_a_bad_one_are_still_checked() -> None:
    said = problems(f"{app('Bad')}---\na: 1\na: 2\n---\n{app('b')}---\n{app('Worse')}")
    assert [line.split(" ")[0] for line in said] == ["<stdin>:4:3:", "<stdin>:8:1:", "<stdin>:19:3:"]


def test_words_that_yaml_1_1_took_for_booleans_are_text() -> None:
    (said,) = problems(app("a") + "spec: {suspended: no}\n")
    assert said.startswith("<stdin>:6:8: App/a: spec.suspended: is text, not true or false (")
    assert names(from_text(app("on"))) == ["on"]


def test_a_number_where_text_is_wanted_is_refused_with_a_hint_to_quote_it() -> None:
    (said,) = problems(app("12"))
    assert said == "<stdin>:4:3: App: metadata.name: is 12, a number, not text (put a number or a date in quotes)"
    assert names(from_text(app('"12"'))) == ["12"]


def test_anchors_and_merges_work_and_what_is_written_out_wins() -> None:
    text = (
        "apiVersion: skypanel.io/v1\nkind: Environment\n"
        "metadata: {name: production, app: hello, organization: acme}\n"
        "spec:\n"
        "  <<: {image: 'a', port: 1, replicas: 3}\n"
        "  port: 2\n"
        "  command: &words [x, y]\n"
        "  args: *words\n"
    )
    (entry,) = from_text(text)
    spec = entry.resource.document()["spec"]
    assert (spec["image"], spec["port"], spec["replicas"]) == ("a", 2, 3)
    assert spec["command"] == spec["args"] == ["x", "y"]


@pytest.mark.parametrize("item", ["[{}]", "{{<<: [{}]}}"])
def test_nested_aliases_cannot_grow_without_limit(item: str) -> None:
    levels = ["a0: &a0 {}"]
    levels += [f"a{level}: &a{level} " + item.format(", ".join([f"*a{level - 1}"] * 9)) for level in range(1, 30)]
    (said,) = problems("\n".join(levels))
    assert "is too large" in said


def test_an_empty_folder_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SpecFilesError, match=r"has no YAML files \(they end in \.yaml or \.yml\)"):
        load([tmp_path])


def test_values_of_a_file_that_is_not_yaml_are_not_in_the_message() -> None:
    (said,) = problems('password: "hunter2\n')
    assert "hunter2" not in said
