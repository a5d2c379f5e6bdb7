"""Parts of the API by themselves: limits, merge patches, cursors, bodies, how objects stand, problems."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from controller.actions.standing import Tone, standing
from controller.api import body, cursors, limits, problems
from controller.api.body import document
from controller.api.limits import Limiter
from controller.api.places import merged
from controller.api.problems import ProblemError, pointer
from controller.api.reading import query
from controller.api.routes import operations
from controller.declared.reader import DeclaredObject, ObjectStatus
from specs.kinds import KINDS

THEN = datetime(2026, 11, 28, tzinfo=UTC)
SERVES = next(kind for kind, cls in KINDS.items() if cls.facts.serves)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_token_gets_its_burst_then_its_rate_and_others_are_not_touched() -> None:
    clock = Clock()
    limiter = Limiter(60, clock)
    for token in ("Bearer a", "Bearer b"):
        limiter.known(token)
    clock.now += 60
    left = [limiter.take("Bearer a", "") for _ in range(15)]
    assert [each.remaining for each in left if each] == list(range(14, -1, -1))
    with pytest.raises(ProblemError) as refused:
        limiter.take("Bearer a", "")
    assert refused.value.headers["Retry-After"] == "1"
    assert limiter.take("Bearer b", "") is not None
    assert limiter.take(None, "10.0.0.1") is not None
    clock.now += 1
    limiter.take("Bearer a", "")
    for written in ("Bearer a", "bearer a", "BEARER   a", "Bearer a "):
        with pytest.raises(ProblemError):
            limiter.take(written, "")
    assert Limiter(0).take("Bearer a", "") is None


def test_tokens_without_number_are_counted_in_bounds_and_do_not_give_a_used_up_one_new_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_MOST_KEYS", 100)
    limiter = Limiter(60, Clock())
    limiter.known("Bearer a")
    for _ in range(limiter.burst - 1):
        limiter.take("Bearer a", "")
    for number in range(150):
        limiter.known(f"Bearer {number}")
    with pytest.raises(ProblemError):
        limiter.take("Bearer a", "")
    for number in range(1000):
        limiter.known(f"Bearer {number}")
    assert len(limiter._full_at) + len(limiter._before) <= 200


def test_whoever_is_not_known_is_counted_by_his_address_whatever_tokens_he_makes_up() -> None:
    limiter = Limiter(60, Clock())
    for number in range(limiter.burst):
        limiter.take(f"Bearer {number}", "2001:db8::1")
    for address in ("2001:db8::1", "2001:db8::ffff"):
        with pytest.raises(ProblemError):
            limiter.take("Bearer x", address)
    limiter.take("Bearer x", "2001:db8:0:1::1")
    limiter.take("Bearer x", "")
    limiter.known("Bearer a")
    assert limiter.take("Bearer a", "2001:db8::1") is not None


def test_pages_that_everybody_may_read_are_counted_by_address_and_keep_nobody_from_the_rest() -> None:
    limiter = Limiter(60, Clock())
    for _ in range(limiter.burst):
        limiter.page("10.0.0.1")
    with pytest.raises(ProblemError):
        limiter.page("10.0.0.1")
    limiter.page("10.0.0.2")
    assert limiter.take(None, "10.0.0.1") is not None


def test_a_merge_patch_is_that_of_the_rfc() -> None:
    for before, patch, after in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert merged(before, patch) == after


@given(st.text(max_size=60))
def test_no_text_is_a_cursor(text: str) -> None:
    with pytest.raises(ProblemError):
        cursors.read(b"key", "list", text)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_cursor_is_read_as_it_was_made(names: list[str]) -> None:
    assert cursors.read(b"key", "list", cursors.make(b"key", "list", names)) == tuple(names)
    with pytest.raises(ProblemError):
        cursors.read(b"other", "list", cursors.make(b"key", "list", names))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_problem(raw: bytes) -> None:
    with suppress(ProblemError):
        document(raw)


def test_deep_bodies_are_refused_and_brackets_in_texts_are_none() -> None:
    assert document(b'{"a": "' + b"[" * 1000 + b'"}')
    for raw in (b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 70 + b"1" + b"}" * 70, b"[" * 65 + b"]" * 65):
        with pytest.raises(ProblemError, match="more than 64 levels"):
            document(raw)
    for raw in (b"[" * 10_000, b'{"a":' * 10_000):
        with pytest.raises(ProblemError):
            document(raw)
    assert document(b"[" * 64 + b"]" * 64)


@pytest.mark.parametrize("piece", [b"[],", b"[[[[[[]]]]]],", b'{"a":{}},', b'"[",'])
def test_a_large_body_of_brackets_is_read_in_a_moment(piece: bytes) -> None:
    raw = b"[" + piece * (1_000_000 // len(piece)) + b"0]"
    began = time.process_time()
    document(raw)
    assert time.process_time() - began < 3.0


def test_a_pointer_escapes_what_it_must() -> None:
    assert pointer(("spec", "a/b", "c~d", 0)) == "/spec/a~1b/c~0d/0"


@pytest.mark.parametrize(
    ("status", "serves", "tone"),
    [
        (ObjectStatus(), None, None),
        (ObjectStatus(ready=True, reason="Deployed", details={"running": ["web:1"]}), True, Tone.READY),
        (ObjectStatus(ready=False, reason="RollingOut", details={"running": ["web:1"]}), True, Tone.ON_ITS_WAY),
        (ObjectStatus(ready=False, reason="Pending"), False, Tone.ON_ITS_WAY),
        (
            ObjectStatus(ready=False, reason="RolledBack", stalled=True, details={"running": ["web:1"]}),
            True,
            Tone.NEEDS_YOU,
        ),
        (ObjectStatus(ready=False, reason="InvalidSpec", stalled=True), False, Tone.DOWN),
        (ObjectStatus(ready=False, unknown=True, reason="ControllerAway"), None, Tone.UNKNOWN),
        (ObjectStatus(ready=False, unknown=True, reason="Paused", details={"running": ["web:1"]}), True, Tone.PAUSED),
    ],
)
def test_two_axes_make_one_word(status: ObjectStatus, serves: bool | None, tone: Tone | None) -> None:
    path = ("acme", "shop", "production")
    found = DeclaredObject(SERVES, UUID(int=1), path, {}, 1, THEN, None, status)
    at = standing(found)
    assert (at.serves, at.tone) == (serves, tone)
    if tone not in (None, Tone.READY):
        assert at.mend
    gone = standing(replace(found, deleted_at=THEN))
    assert gone.tone is not Tone.DOWN, "what is to go is no outage"


def test_no_inside_is_told() -> None:
    for error in (
        ValueError("SELECT secret FROM users"),
        psycopg.OperationalError("connection to server at 10.0.0.7 failed"),
        psycopg.errors.InsufficientPrivilege("permission denied for table users"),
        psycopg.errors.UndefinedTable('relation "skypanel.x" does not exist'),
        psycopg.errors.UniqueViolation("duplicate key value violates unique constraint"),
        psycopg.errors.SyntaxError("syntax error at or near"),
    ):
        said = str(problems.of(error).document("n", "/api"))
        assert not any(word in said for word in ("SELECT", "10.0.0.7", "users", "skypanel.x", "duplicate", "syntax"))


def test_an_address_with_parameters_without_number_is_looked_at_no_further() -> None:
    listing = next(each for each in operations() if each.queried)
    with pytest.raises(ProblemError, match="100 parameters at most") as refused:
        query(listing, [(str(number), "") for number in range(101)])
    assert refused.value.faults == ()
    with pytest.raises(ProblemError) as twice:
        query(listing, [("x", "1"), ("x", "2")])
    assert [each.parameter for each in twice.value.faults if "more than once" in each.detail] == ["x"]


def reading(pieces: list[dict[str, Any]]) -> None:
    """A body of these messages, and then of nothing."""

    async def receive() -> dict[str, Any]:
        if not pieces:
            await anyio.sleep_forever()
        return pieces.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    anyio.run(body.nothing, Request(scope, receive), 1000)


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_SECONDS", 0.05)
    with pytest.raises(ProblemError, match="did not come within") as refused:
        reading([{"type": "http.request", "body": b"x", "more_body": True}])
    assert refused.value.headers == {"Connection": "close"}


def test_whoever_goes_while_a_body_is_read_is_no_defect_of_ours() -> None:
    with pytest.raises(ProblemError, match="before its end"):
        reading([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])
