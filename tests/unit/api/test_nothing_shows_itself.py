"""What holds a secret for the time of a request shows none of it where it is printed, as an exception or a log may."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.access.sessions import Begun
from controller.actions.tokens import Made
from controller.api.asked import Answer, Asked
from controller.api.body import Sent
from controller.api.hooks.schemes import claimed
from controller.api.hooks.serving import Delivery
from specs.forges import FORGES, Said, call

MARK = "m4rk-not-to-be-seen"
SAID = Said("a" * 40, "success", "skypanel/acme/main", "as declared")


@pytest.mark.parametrize(
    "shown",
    [
        Begun("3fJq0vT9xYbK", MARK, datetime.now(UTC)),
        Sent("application/json", f'{{"value": "{MARK}"}}'.encode()),
        Delivery("x", {"x-gitlab-token": MARK}, "application/json", MARK.encode()),
        claimed({"x-gitlab-event": "Push Hook", "x-gitlab-token": MARK}, b"", 0),
        Answer({"token": MARK}, 201, {"Set-Cookie": MARK}, kept={"token": MARK}),
        Made("3fJq0vT9xYbK", MARK, datetime.now(UTC)),
        *(call(forge, "https://git.example.com/a/b", MARK, SAID) for forge in FORGES),
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_a_secret_is_in_nothing_that_is_printed(shown: Any) -> None:
    assert MARK not in repr(shown)


def test_a_request_shows_neither_its_headers_nor_its_body() -> None:
    assert {each.name for each in fields(Asked) if not each.repr} == {"cursor_key", "headers", "body"}
