"""The part of JSONPath that is understood, and that the rest is refused."""

from __future__ import annotations

from typing import Any

import pytest

from controller.actions.errors import ActionError
from controller.cli.jsonpath import JsonPath

DATA = [
    {"kind": "App", "metadata": {"name": "shop", "a.b": 1}, "status": {"ready": True, "reason": "Ready"}, "n": 3},
    {"kind": "App", "metadata": {"name": "blog"}, "status": {"ready": False, "reason": None}, "n": 4},
]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{[0].metadata.name}", "shop"),
        ("[-1].metadata.name", "blog"),
        ("{.items[*].metadata.name}", "shop blog"),
        ("{$[*].n}", "3 4"),
        ("{..name}", "shop blog"),
        ("{[0].metadata['a.b']}", "1"),
        ("{[0].status}", '{"ready": true, "reason": "Ready"}'),
        ("{[*].status.reason}", "Ready"),
        ("{[7].kind}{[-7].kind}{[0].nothing}{[0].kind.name}", ""),
        ('{[?(@.metadata.name=="blog")].n}', "4"),
        ("{[?(@.metadata.name != 'blog')].n}", "3"),
        ("{[?(@.n>=4)].metadata.name}", "blog"),
        ("{[?(@.n>'x')].metadata.name}", ""),
        ("{[?(@.status.reason)].n}", "3"),
        ("{[?(@.status.ready==true)].n}", "3"),
        ("{[?( @.status.ready == true )].n}", "3"),
        ("{[?(@.status.ready!=1)].n}", "3 4"),
        ("{[?(@.n==true)].n}", ""),
        ('{range [*]}{.metadata.name}={.n}{"\\n"}{end}done', "shop=3\nblog=4\ndone"),
        ("name: {[0].metadata.name}", "name: shop"),
        ("{[0].metadata.*}", "shop 1"),
        ("{.}", '[{"kind": "App"'),
        ('{"{}"}', "{}"),
    ],
)
def test_a_template_says_what_it_leads_to(template: str, said: str) -> None:
    assert JsonPath(template).of(DATA).startswith(said) if template == "{.}" else JsonPath(template).of(DATA) == said


@pytest.mark.parametrize(
    "template",
    ["", "{", "}", "a{b", "{range [*]}", "{end}", "{.a[}", "{.a[?(@.b~c)]}", "{.a b}", '{"x}', "{.a[1:2]}", "{-}{",
     "{.a[?(@.b==c)]}", "x" * 5000],
)  # fmt: skip
def test_what_is_not_understood_is_refused(template: str) -> None:
    with pytest.raises(ActionError):
        JsonPath(template)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "template", ["{[?(" + " " * 4000 + "]}", "{[?(@" + " " * 4000 + "x)]}", "{[" + " " * 4000 + "}"]
)
def test_a_template_that_is_none_is_refused_soon(template: str) -> None:
    with pytest.raises(ActionError):
        JsonPath(template)


@pytest.mark.parametrize("template", ["{..a}", "{" + ".a" * 2000 + "}"])
def test_what_is_too_deep_is_said(template: str) -> None:
    data: dict[str, Any] = {}
    for _ in range(5000):
        data = {"a": data}
    with pytest.raises(ActionError, match="too deep"):
        JsonPath(template).of(data)
