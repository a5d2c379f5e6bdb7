"""What a test needs of an engine, simulated or real: requests as they are on the wire, and hands on what runs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import orjson

from controller.swarm.errors import classify
from controller.swarm.transport import Transport
from deploy.engine import IMAGE_PREFIX

Document = dict[str, Any]
T = TypeVar("T")
WEB, PAUSE, MISSING = f"{IMAGE_PREFIX}/web:1", f"{IMAGE_PREFIX}/pause:1", f"{IMAGE_PREFIX}/missing:1"
SECOND = 1_000_000_000
ALIVE = ("running", "ready")


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What the engine said; ``error`` is the controller's word for a refusal, empty when it is none."""

    status: int
    body: Any
    error: str
    text: str


@dataclass(slots=True)
class EngineHarness:
    """One engine that is a manager; ``number`` keeps the names of a test's objects apart from others'."""

    transport: Transport
    number: int
    kill: Callable[[str], Awaitable[None]]
    """End a container by its id, as if it had failed."""
    label_node: Callable[[Mapping[str, str]], Awaitable[None]]
    """Give the node exactly these labels."""
    restart: Callable[[], Awaitable[None]]
    """Kill the engine and start it again; its containers go on."""
    real: bool
    made: list[str] = field(default_factory=list)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, body: object = None, **query: Any) -> EngineAnswer:
        """One request, whatever becomes of it."""
        payload = None if body is None else orjson.dumps(body)
        if "filters" in query:
            query["filters"] = dict(query["filters"])
        status, data = await self.transport.exchange(method, path, query, payload)
        content: Any = orjson.loads(data) if data else None
        if status < 400:
            return EngineAnswer(status, content, "", "")
        error = classify(status, content["message"])
        return EngineAnswer(status, content, type(error).__name__, error.message)

    async def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        answer = await self.ask("GET", path, **query)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.body

    async def post(self, path: str, body: object = None, **query: Any) -> Any:
        """Something that the engine must accept."""
        answer = await self.ask("POST", path, body, **query)
        assert answer.status < 400, f"POST {path}: {answer}"
        return answer.body

    # -- objects -----------------------------------------------------------------------------------------------------

    def name(self, text: str) -> str:
        """A name that no other test has."""
        return f"c{self.number}-{text}"

    @property
    def subnet(self) -> str:
        """A range that no other test has; the first of two."""
        return f"10.{70 + self.number // 250}.{self.number % 250}.0/24"

    def spec(self, text: str = "web", **changes: Any) -> Document:
        """A service that wants no task; see ``changed``."""
        spec: Document = {
            "Name": self.name(text),
            "Labels": {"conform": self.name("")},
            "TaskTemplate": {
                "ContainerSpec": {"Image": WEB, "Init": True, "StopGracePeriod": SECOND},
                "RestartPolicy": {"Condition": "any", "Delay": SECOND // 5, "MaxAttempts": 0},
            },
            "Mode": {"Replicated": {"Replicas": 0}},
            "UpdateConfig": _update_config("rollback"),
            "RollbackConfig": _update_config("pause"),
            "EndpointSpec": {"Mode": "dnsrr"},
        }
        return changed(spec, **changes)

    async def create(self, text: str = "web", **changes: Any) -> str:
        """Make a service; its id."""
        created = await self.post("/services/create", self.spec(text, **changes))
        return str(created["ID"])

    async def service(self, text: str = "web") -> Document:
        """A service as it is stored."""
        return dict(await self.get(f"/services/{self.name(text)}"))

    async def update(
        self, text: str = "web", *, query: Mapping[str, Any] | None = None, **changes: Any
    ) -> EngineAnswer:
        """Read, change, write."""
        stored = await self.service(text)
        asked = {"version": stored["Version"]["Index"], **(query or {})}
        return await self.ask("POST", f"/services/{stored['ID']}/update", changed(stored["Spec"], **changes), **asked)

    async def network(self, text: str = "net", *, subnet: str | None = None, **more: Any) -> str:
        """Make a network that is ready to be used; its id."""
        pool = {"Subnet": subnet or self.subnet, **({"IPRange": more.pop("IPRange")} if "IPRange" in more else {})}
        document = {"Name": self.name(text), "Driver": "overlay", "IPAM": {"Config": [pool]}, **more}
        created = await self.post("/networks/create", document)

        async def allocated() -> bool:
            return bool((await self.get(f"/networks/{created['Id']}"))["Driver"])

        await self.until(allocated, what="the network's allocation")
        return str(created["Id"])

    async def tasks(self, text: str = "web", *states: str) -> list[Document]:
        """Tasks of a service, oldest first; of these desired states only."""
        found = await self.get("/tasks", filters={"service": [self.name(text)]})
        chosen = [t for t in found if not states or t["DesiredState"] in states]
        return sorted(chosen, key=lambda t: (t["CreatedAt"], t["Version"]["Index"]))

    async def containers(self, text: str = "web") -> list[Document]:
        """Running containers of a service on this engine."""
        label = f"com.docker.swarm.service.name={self.name(text)}"
        return list(await self.get("/containers/json", filters={"label": [label], "status": ["running"]}))

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def until(self, check: Callable[[], Awaitable[T]], *, seconds: float = 60.0, what: str = "it") -> T:
        """The first true answer; fails when there is none in time."""
        last: Any = None
        with anyio.move_on_after(seconds):
            while not (last := await check()):  # noqa: ASYNC110 - an engine does not call back
                await anyio.sleep(0.01)
        assert last, f"{what}: not within {seconds} s"
        return last  # type: ignore[no-any-return] # what check gave

    async def runs(self, text: str = "web", count: int = 1) -> list[Document]:
        """Wait until that many tasks run, and nothing else is wanted to."""

        async def all_run() -> list[Document]:
            found = await self.tasks(text, *ALIVE)
            return found if [t["Status"]["State"] for t in found] == ["running"] * count else []

        return await self.until(all_run, what=f"{count} running tasks of {text}")

    async def reaches(self, state: str, text: str = "web") -> Document:
        """Wait for an update state; the service then."""
        found = await self.comes_to(state, text)
        assert found is not None, f"no update state {state} in time"
        return found

    async def comes_to(self, state: str, text: str = "web", *, seconds: float = 60.0) -> Document | None:
        """The service once it has an update state; None when it does not get it in time."""
        with anyio.move_on_after(seconds):
            while True:
                stored = await self.service(text)
                if (stored.get("UpdateStatus") or {}).get("State") == state:
                    return stored
                await anyio.sleep(0.01)
        return None

    async def ends(self, state: str, text: str = "web", count: int = 1) -> list[Document]:
        """Wait until that many tasks are in a state for good: Swarm has seen it, and does not want them to run."""

        async def enough() -> list[Document]:
            found = [t for t in await self.tasks(text, "shutdown") if t["Status"]["State"] == state]
            return found if len(found) >= count else []

        return await self.until(enough, what=f"{count} {state} tasks of {text}")

    @asynccontextmanager
    async def events(self) -> AsyncIterator[list[Document]]:
        """The events from now on."""
        heard: list[Document] = []
        connected = anyio.Event()

        def on_event(event: Document | None) -> None:
            if event is None:
                connected.set()
            else:
                heard.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.transport.follow, on_event)
            await connected.wait()
            yield heard
            tasks.cancel_scope.cancel()

    async def clean(self) -> None:
        """Remove what the test made; nobody waits for its tasks."""
        mine = self.name("")
        for kind in ("services", "networks", "secrets", "configs"):
            for found in await self.get(f"/{kind}"):
                spec = found.get("Spec") or found
                if spec["Name"].startswith(mine):
                    await self.ask("DELETE", f"/{kind}/{found.get('ID') or found['Id']}")


def changed(spec: Mapping[str, Any], **changes: Any) -> Document:
    """A copy of a specification with some of it changed.

    Args:
        spec: the specification.
        changes: ``replicas``; ``labels`` (added); ``container``, ``template``, ``update``, ``rollback`` (fields of that
            part); anything else replaces a top-level field, and None takes it away.
    """
    made: Document = orjson.loads(orjson.dumps(spec))
    template = made["TaskTemplate"]
    for key, value in changes.items():
        match key:
            case "replicas":
                made["Mode"] = {"Replicated": {"Replicas": value}}
            case "labels":
                made["Labels"] = {**made.get("Labels", {}), **value}
            case "container":
                template["ContainerSpec"] = _without_none({**template["ContainerSpec"], **value})
            case "template":
                made["TaskTemplate"] = _without_none({**template, **value})
                template = made["TaskTemplate"]
            case "update":
                made["UpdateConfig"] = _without_none({**made["UpdateConfig"], **value})
            case "rollback":
                made["RollbackConfig"] = _without_none({**made["RollbackConfig"], **value})
            case _:
                made[key] = value
    return _without_none(made)


def encoded(data: bytes) -> str:
    """As the API takes the data of a secret or config."""
    return base64.b64encode(data).decode()


def _without_none(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None}


def _update_config(on_failure: str) -> Document:
    return {
        "Parallelism": 1,
        "FailureAction": on_failure,
        "Monitor": SECOND // 4,
        "MaxFailureRatio": 0,
        "Order": "start-first",
    }
