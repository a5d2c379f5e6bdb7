"""How `--wait` says what did not come to be."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from controller.actions import wait
from controller.actions.errors import NotInTimeError
from controller.declared import readiness
from controller.declared.readiness import Progress


def far(path: str, reason: str, message: str = "said", **more: Any) -> Progress:
    known: dict[str, Any] = {
        "kind": "environment", "id": uuid4(), "path": path, "generation": 2, "deleted": False, "observed_generation": 2,
        "ready": False, "reason": reason, "message": message, "stalled": False, "finalized": False, "details": {},
    }  # fmt: skip
    return Progress(**{**known, **more})


def refusal(monkeypatch: pytest.MonkeyPatch, *found: Progress) -> list[str]:
    monkeypatch.setattr(readiness, "progress", lambda _conn, _keys: list(found))
    with pytest.raises(NotInTimeError) as raised:
        wait.wait(None, [("environment", p.id) for p in found], 0, lambda _: None)  # type: ignore[arg-type]
    return str(raised.value).splitlines()


def test_what_is_held_back_is_not_waited_for_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [far(f"acme/shop/e{number}", "FuseTripped", "confirm it", deleted=True) for number in range(32)]
    assert all(map(wait.is_stuck, held))
    assert refusal(monkeypatch, *held) == [
        "environment acme/shop/e0, environment acme/shop/e1 and 30 more are held back: confirm it"
    ]


def test_of_a_deletion_it_is_said_that_it_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = refusal(monkeypatch, far("a", "Removing", "2 tasks stop", deleted=True))
    assert said == "environment a is not gone after 0 s: Removing: 2 tasks stop"


def test_two_that_fail_alike_are_named_together_and_others_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, far("a", "Late"), far("b", "CrashLoop", "ends", stalled=True), far("c", "Late"))
    assert said == [
        "environment b is stalled: CrashLoop: ends",
        "environment a and environment c are not ready after 0 s: Late: said",
    ]
