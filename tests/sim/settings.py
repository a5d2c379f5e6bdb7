"""Settings that all simulated worlds share, and readable names for what has only ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson

from controller.loop.config import LoopConfig
from controller.records import Key
from controller.swarm.types import TYPES
from reconcilers.jobs import Job, is_job
from reconcilers.ports import Options
from tests.sim.swarm.objects import Service as SimService
from tests.sim.swarm.store import Store

INSTALLATION = "sim"
LEASE_SECONDS = 10.0
RESYNC_SECONDS = 3.0
OPTIONS = Options(
    installation=INSTALLATION,
    monitor_seconds=0.4,
    edge_settle_seconds=2.0,
    min_ready_seconds=0.3,
    release_command_seconds=120.0,
    pin_image="127.0.0.1:5000/pause:1",
    allowed_registries=("127.0.0.1:5000",),
)
TUNING = LoopConfig(
    resync_seconds=RESYNC_SECONDS, task_poll_seconds=5.0, poll_seconds=5.0, quarantine_seconds=60.0, max_rollouts=1
)
_NAMED_IN_BODY = {"create"}
_LISTS = tuple(dict.fromkeys(f"{each.listed_as}s" for each in TYPES))


def tables(store: Store) -> dict[str, Mapping[str, Any]]:
    """Everything on a simulated Swarm that controllers may make, by type and id."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in TYPES:
        listed = getattr(store, f"{each.listed_as}s")
        found[each.name] = {i: live for i, live in listed.items() if _type_of(live, each.listed_as) == each.name}
    return found


def listed(store: Store) -> Iterator[Mapping[str, Any]]:
    """The same objects as the engine lists them, by id: of services, jobs among them."""
    return (getattr(store, name) for name in _LISTS)


def _type_of(live: Any, listed_as: str) -> str:
    return Job.object_type if isinstance(live, SimService) and is_job(live.spec) else listed_as


class Names:
    """Names of declared objects by their ids, and of live ones by theirs."""

    def __init__(self) -> None:
        self._declared: dict[str, str] = {}
        self.of_live: Callable[[str], str] = str
        """The name of what has this id on the engine; what is no id stays as it is."""

    def identify(self, kind: str, name: str) -> str:
        """The id of a declared object: always the same for the same name."""
        found = str(uuid5(NAMESPACE_OID, f"{kind}/{name}"))
        self._declared[found] = name
        return found

    def of_key(self, key: Key) -> str:
        """``kind name``."""
        return f"{key.kind} {self._declared.get(key.id, key.id)}"

    def readable(self, sentence: str) -> str:
        """A sentence with names for ids of declared objects."""
        for found, name in self._declared.items():
            sentence = sentence.replace(found, name)
        return sentence

    def of_request(self, method: str, path: str, query: Mapping[str, Any] | None, payload: bytes | None) -> str:
        """``engine METHOD path``, with names for ids, and the name in the document of a create."""
        parts = [self.of_live(part) for part in path.split("/")]
        text = f"engine {method} {'/'.join(parts)}"
        if payload is not None and parts[-1] in _NAMED_IN_BODY:
            document = orjson.loads(payload)
            text += f" {document.get('Name') or document.get('name')}"
        filters = (query or {}).get("filters") or {}
        asked = [self.of_live(v) for k in ("service", "id") for v in filters.get(k, ())]
        if asked:
            text += f" of {' '.join(sorted(asked))}"
        return text

    def of_event(self, event: Mapping[str, Any] | None) -> str:
        """``hint type action name``."""
        if event is None:
            return "hint connected"
        actor = event.get("Actor") or {}
        name = (actor.get("Attributes") or {}).get("name") or self.of_live(actor.get("ID", ""))
        return f"hint {event.get('Type')} {event.get('Action')} {name}".rstrip()
