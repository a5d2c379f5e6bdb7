"""The engine's client: which engines are refused, and which are waited for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

import orjson
import pytest

from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineError, EngineUnavailable, UnsupportedEngine
from controller.swarm.transport import Transport
from controller.swarm.usable import spoken_version

pytestmark = pytest.mark.anyio


class Engine:
    """A transport to an engine that says only what it is."""

    host = "unix:///engine"
    api_version = "1.45"

    def __init__(self, swarm: dict[str, Any]) -> None:
        self._answers = {"/version": {"Version": "26.1.5", "ApiVersion": "1.45"}, "/info": {"Swarm": swarm}}

    async def exchange(self, _method: str, path: str, *_: Any) -> tuple[int, bytes]:
        return 200, orjson.dumps(self._answers[path])


def client(**swarm: Any) -> EngineClient:
    return EngineClient(cast("Transport", Engine(swarm)))


async def test_a_manager_is_worked_with() -> None:
    engine = client(LocalNodeState="active", ControlAvailable=True, NodeID="n0de")
    await engine.check()
    assert engine.node_id == "n0de"


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [
        ("1.44", "1.24", "1.44"),
        ("1.45", "1.24", "1.45"),
        ("1.51", "1.24", "1.51"),
        ("1.57", "1.40", "1.51"),  # Engine 29 answers as the newest that was tried
        ("1.60", "1.53", "1.53"),  # one that does so no more
        ("1.100", "1.40", "1.51"),
    ],
)
def test_a_newer_engine_is_spoken_to_as_the_newest_that_was_tried(newest: str, oldest: str, spoken: str) -> None:
    assert spoken_version({"ApiVersion": newest, "MinAPIVersion": oldest}) == spoken


@pytest.mark.parametrize(
    ("state", "advice"), [("locked", "docker swarm unlock"), ("pending", "wait"), ("error", "log")]
)
async def test_a_swarm_that_is_locked_or_not_there_yet_is_waited_for(state: str, advice: str) -> None:
    with pytest.raises(EngineUnavailable, match=advice) as raised:
        await client(LocalNodeState=state).check()
    assert "run `docker swarm init`" not in raised.value.message


@pytest.mark.parametrize(("state", "advice"), [("inactive", "docker swarm init"), ("active", "point DOCKER_HOST")])
async def test_what_is_no_manager_is_refused(state: str, advice: str) -> None:
    with pytest.raises(UnsupportedEngine, match=advice):
        await client(LocalNodeState=state).check()


async def test_silence_is_counted_from_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("controller.kit.clock.monotonic", lambda: now)
    answers: list[tuple[int, bytes] | EngineUnavailable] = []

    class Moody(Engine):
        async def exchange(self, _method: str, _path: str, *_: Any) -> tuple[int, bytes]:
            answer = answers.pop(0)
            if isinstance(answer, EngineUnavailable):
                raise answer
            return answer

    engine = EngineClient(cast("Transport", Moody({})))
    away = EngineUnavailable(0, "connection refused")

    async def ask(answer: tuple[int, bytes] | EngineUnavailable) -> float | None:
        answers.append(answer)
        with suppress(EngineError):
            await engine.nodes()
        return engine.silent_seconds

    def silent() -> float | None:
        return engine.silent_seconds

    assert silent() is None
    assert await ask(away) is None
    assert await ask((200, b"[]")) == 0.0
    now += 60.0
    assert silent() == 0.0, "it was not asked since"
    assert await ask(away) == 60.0
    assert await ask((503, b'{"message": "The swarm does not have a leader."}')) == 60.0
    assert await ask((404, b'{"message": "no such thing"}')) == 0.0, "a refusal is an answer"
