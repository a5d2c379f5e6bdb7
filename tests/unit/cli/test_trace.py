"""What ``skypanel trace`` refuses before it asks anybody."""

from __future__ import annotations

import pytest

from controller.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["environment/not-a-uuid"], "'not-a-uuid' is not the whole path of an environment (write ORG"),
        (["environment"], "which environment? (skypanel trace environment ORGANIZATION/APP/ENVIRONMENT"),
        (["domain", "shop.example.com"], "a domain is not reconciled by itself (trace the environment that"),
        (["env", "acme"], "'acme' is not the whole path of an environment"),
        (["org/0b8f7f0e-7d0c-4c52-a1d4-0d6f0c1b9a11", "--from", "here:there"], "'here:there' is not an address"),
    ],
)
def test_what_cannot_be_traced_is_refused_with_a_way_out(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["trace", *arguments]) == 1
    assert said in capsys.readouterr().err
