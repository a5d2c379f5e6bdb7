"""What nodes pull with: beside a service's document, kept with it, replaced without a restart, shown nowhere."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from reconcilers.logins import NOBODY, Login
from tests.conformance.engine.harness import EngineHarness, changed

pytestmark = pytest.mark.anyio

FIRST, SECOND = (Login("registry.example.com", "ada-lovelace", f"n0t-to-be-seen-{number}") for number in (1, 2))


async def written(here: EngineHarness, path: str, body: Any, pull: str, **query: Any) -> None:
    headers = {"X-Registry-Auth": pull}
    status, said = await here.transport.exchange("POST", path, query, orjson.dumps(body), headers=headers)
    assert status < 400, said


async def test_another_user_restarts_nothing_and_no_answer_shows_any(here: EngineHarness) -> None:
    await written(here, "/services/create", here.spec(replicas=2), FIRST.header)
    before = await here.runs(count=2)
    for number, pull in enumerate((SECOND.header, NOBODY)):
        stored = await here.service()
        spec = changed(stored["Spec"], labels={"pulls-as": str(number)})
        asked = {"version": stored["Version"]["Index"], "registryAuthFrom": "spec"}
        await written(here, f"/services/{stored['ID']}/update", spec, pull, **asked)
        await here.update(labels={"another": str(number)})  # without any: what it has stays
        after = await here.runs(count=2)
        assert {t["ID"] for t in after} == {t["ID"] for t in before}
        assert len(await here.tasks()) == 2
    service = await here.service()
    assert (service.get("UpdateStatus") or {}).get("State", "completed") == "completed"
    shown = orjson.dumps([service, await here.tasks(), await here.get("/services"), await here.containers()]).decode()
    for login in (FIRST, SECOND):
        assert login.password not in shown
        assert login.header[:40] not in shown
        assert login.username not in shown
