"""What secrets and configs have in common: made once, never changed but for their labels, and held by references.

The name carries a digest of the content, so another content is another object: the new one is made, the services that
refer to it are moved, and the old one is removed when nothing can need it any more. That is: no spec of a service
refers to it, nor the spec before it, which Swarm's rollback goes back to, nor the last one that worked, which we go
back to, nor a task that has not ended. The engine itself looks only at present specs. Tasks are found by the owner's
label of their service.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from controller.changes import Change, Difference
from controller.records import InventoryRow
from controller.swarm.service_list import elements
from controller.swarm.types.base import Planning, Stay, Verdict, cause_of, is_owned_by
from reconcilers import labels, references
from reconcilers.objects import Content
from reconcilers.ports import LiveContent

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient


@dataclass(frozen=True, slots=True)
class ContentType:
    """Secrets, or configs.

    Args:
        readable: whether the engine gives back what is in them.
    """

    name: str
    readable: bool
    counted: bool = False
    """They come in twos while one takes the place of another, and nobody loses one that nothing refers to."""
    decoded: bool = True

    @property
    def listed_as(self) -> str:
        """Their own list."""
        return self.name

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One of them."""
        return await client.content(self.name, id_or_name)

    async def listed(self, client: EngineClient, installation: str) -> Iterable[Document]:
        """All of ours."""
        data = await client.contents(self.name, f"{labels.INSTALLATION}={installation}")
        return map(orjson.loads, elements(data))

    def parse(self, document: Document) -> LiveContent:
        """What is known of one; of what is in it, a digest."""
        spec = document["Spec"]
        data = base64.b64decode(spec.get("Data") or "") if self.readable else None
        return LiveContent(
            id=document["ID"],
            name=spec["Name"],
            version=document["Version"]["Index"],
            labels=spec.get("Labels") or {},
            digest=None if data is None else _digest(data),
        )

    def plan(self, wanted: Content, planning: Planning) -> Verdict:
        """Make it, or put its labels right; one whose content is not what its name says cannot be mended while used."""
        row, live = planning.row(wanted), planning.view.find(self.name, wanted.name)
        if not isinstance(live, LiveContent) or not (_made_by_us(row, live) or is_owned_by(live, wanted)):
            change = Change("create", self.name, wanted.name, wanted, cause=cause_of(row, wanted, None))
            return Verdict((change,), wanted)
        own = {k: v for k, v in live.labels.items() if k.startswith(labels.PREFIX)}
        differences = [
            Difference(f"Labels.{key}", own.get(key), wanted.labels.get(key))
            for key in sorted(own.keys() | wanted.labels.keys())
            if own.get(key) != wanted.labels.get(key)
        ]
        if wanted.data is not None and live.digest not in (None, _digest(wanted.data)):
            users = planning.view.referring(live.id)
            if users:
                return Verdict(target=wanted, kept=f"its content does not match its name; {users[0]} refers to it")
            data = Difference("Data", "another", "content that matches its name")
            return Verdict((Change("recreate", self.name, wanted.name, wanted, live, (data,), "Repaired"),), wanted)
        if not differences:
            return Verdict(target=wanted)
        change = Change("update", self.name, wanted.name, wanted, live, tuple(differences), "Repaired")
        return Verdict((change,), wanted)

    def stays(self, live: LiveContent, planning: Planning) -> Stay | None:
        """While a service's spec, the one before it, or the last one that worked refers to it.

        What is removed in the same change set does not hold it; tasks are asked for when it is removed.
        """
        if not all(map(planning.goes, planning.view.referring(live.id))):
            return Stay()
        good = (row.last_good or {} for at, row in planning.rows.items() if at not in planning.going)
        return Stay() if any((self.name, live.name) in references.named(spec) for spec in good) else None


def _made_by_us(row: InventoryRow | None, live: LiveContent) -> bool:
    return row is not None and row.engine_id == live.id


def _digest(data: bytes) -> str:
    """To compare within this process only: it is neither written down nor shown."""
    return hashlib.sha256(data).hexdigest()
