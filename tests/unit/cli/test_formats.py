"""Forms of output for programs, and that colours are for terminals."""

from __future__ import annotations

import json
import sys
from io import StringIO
from typing import Any

import pytest

from controller.actions.errors import ActionError
from controller.cli import main
from controller.cli.application import loaded
from controller.cli.commands import commands
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, chosen, emit, line
from controller.cli.inputs import seconds
from controller.cli.output import console, paragraph, say
from controller.cli.terminal import Text, cell_len

READING = {
    "apps", "audit", "auth", "config", "describe", "diff", "doctor", "domains", "events", "explain", "gc", "get",
    "identity", "images", "keys", "open", "orgs", "plan", "ps", "registries", "releases", "tokens", "trace", "version",
    "watch",
}  # fmt: skip
"""Commands that show something; the others change or run something, or write files."""


def commands_in(command: Any) -> list[Any]:
    return [each for one in getattr(command, "commands", {}).values() for each in commands_in(one)] or [command]


@pytest.mark.parametrize("name", sorted(READING))
def test_every_command_that_shows_something_has_the_same_forms(name: str) -> None:
    helps = {
        param.help
        for command in commands_in(loaded(name))
        for param in command.params
        if param.name == "output" and {"-o", "--output"} <= set(param.opts)
    }
    assert helps == {"table, which is usual, wide, name, json, yaml or jsonpath=TEMPLATE."}
    assert set(commands()) >= READING


def shown(capsys: pytest.CaptureFixture[str], data: Any, form: str) -> str:
    emit(data, chosen(form))
    return capsys.readouterr().out


def test_each_form_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    data = [{"kind": "App", "name": "acme/shop", "n": 1}, {"name": "blog", "n": 2}]
    assert json.loads(shown(capsys, data, "json")) == data
    assert shown(capsys, data, "YAML").startswith("- kind: App\n")
    assert shown(capsys, data, "name") == "app/acme/shop\nblog\n"
    assert shown(capsys, data, "jsonpath={[*].n}") == "1 2"


def test_a_form_that_there_is_not_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "-o", "xml"]) == ExitCode.ERROR
    assert "there is no such form of output (write table, wide, name, json, yaml or" in capsys.readouterr().err
    assert main(["version", "-o", "jsonpath={.a[}"]) == ExitCode.ERROR
    assert "is not understood" in capsys.readouterr().err
    with pytest.raises(ActionError, match="no names"):
        emit({"a": 1}, Format.NAME)


def test_colours_are_for_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    said = []
    for name in ("", "TTY_COMPATIBLE", "NO_COLOR"):
        if name:
            monkeypatch.setenv(name, "1")
        say("word", "red")
        said.append(capsys.readouterr().out)
    assert said == ["word\n", "\x1b[31mword\x1b[0m\n", "word\n"]
    assert console().is_terminal


def test_what_a_tenant_wrote_does_nothing_to_a_terminal() -> None:
    assert Text("a\x1b[2Jb\rc\x9bd").coloured() == "a\ufffd[2Jb\ufffdc\ufffdd"


def written(monkeypatch: pytest.MonkeyPatch, data: Any, form: str, *, terminal: bool) -> str:
    out = StringIO()
    monkeypatch.setattr(out, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", out)
    emit(data, chosen(form))
    if form != "yaml":
        sys.stdout.write(line(data, chosen(form)))
    monkeypatch.undo()
    return out.getvalue()


@pytest.mark.parametrize("form", ["name", "json", "yaml", "jsonpath={.name}"])
def test_no_form_of_output_lets_a_text_do_something_to_a_terminal(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    data = {"name": "a\x1b]0;b\x07\x9b2J\x7f\u202ec\u2066d\re"}
    said = written(monkeypatch, data, form, terminal=True)
    assert not set(said) & {*"\x1b\x07\x9b\x7f\u202e\u2066\r"}
    piped = written(monkeypatch, data, form, terminal=False)
    if form == "json":
        assert piped == said
        assert json.JSONDecoder().raw_decode(piped)[0] == data
    elif form != "yaml":
        assert data["name"] in piped


def test_a_sentence_of_several_lines_is_one_where_a_program_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    paragraph(Text("12s "), "it ended\n13s Ready environment acme/shop")
    assert capsys.readouterr().out == "12s it ended 13s Ready environment acme/shop\n"


def test_numbers_of_other_scripts_are_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "\u00b2")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().width
    with pytest.raises(ActionError, match="--timeout"):
        seconds("\u00b2")


def test_a_character_takes_as_many_columns_as_it_does() -> None:
    assert [cell_len(text) for text in ("abc", "\u65e5\u672c", "e\u0301", "\u2713")] == [3, 4, 1, 1]
