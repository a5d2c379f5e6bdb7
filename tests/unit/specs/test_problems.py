"""How problems are said."""

from __future__ import annotations

from specs.problems import InvalidSpec, Problem, closest, field_name, quote


def test_a_problem_reads_field_message_and_hint() -> None:
    assert str(Problem("port", 0, "0 is not a port", "1-65535")) == "port: 0 is not a port (1-65535)"
    assert str(Problem("", None, "is not a mapping")) == "is not a mapping"


def test_an_invalid_spec_says_all_its_problems_in_one_line() -> None:
    error = InvalidSpec([Problem("a", 1, "is wrong"), Problem("b", 2, "is worse")])
    assert str(error) == "a: is wrong; b: is worse"


def test_entries_of_a_list_are_named_by_what_people_call_them() -> None:
    document = {"processes": [{"type": "web"}], "domains": [{"hostname": "a.example"}], "args": ["x"]}
    assert field_name(("processes", 0, "port"), document) == "processes[web].port"
    assert field_name(("domains", 0), document) == "domains[a.example]"
    assert field_name(("args", 0), document) == "args[0]"
    assert field_name(("processes", 7, "port"), document) == "processes[7].port"


def test_a_quoted_value_is_escaped_cut_and_free_of_credentials() -> None:
    assert quote('a"\n') == '"a\\"\\n"'
    assert len(quote("x" * 1000)) < 100
    assert "hunter2" not in quote("https://bob:hunter2@example.com/x")


def test_the_closest_word_is_proposed_whatever_its_spelling() -> None:
    assert closest("replcas", ["image", "replicas"]) == "did you mean replicas?"
    assert closest("stop_grace_period", ["image", "stopGracePeriod"]) == "did you mean stopGracePeriod?"
    assert closest("zzz", ["image", "replicas"]) == "known: image, replicas"


def test_a_document_with_very_many_problems_is_described_in_bounds() -> None:
    error = InvalidSpec([Problem(f"processes[{number}].port", 0, "is wrong") for number in range(500)])
    assert str(error).endswith("; and 480 more")
    assert len(error.problems) == 500


def test_a_name_that_is_no_name_is_cut_where_it_tells_one_entry_from_another() -> None:
    assert len(field_name(["domains", 0, "hostname"], {"domains": [{"hostname": "x" * 100_000}]})) < 120
