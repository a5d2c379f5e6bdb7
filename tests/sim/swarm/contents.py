"""What the API does with secrets and configs: made once, never changed but for their labels."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sim.swarm.base import Refusal, invalid
from tests.sim.swarm.checks import check_object_name, version_of
from tests.sim.swarm.objects import Content, Document
from tests.sim.swarm.store import Store

_LIMITS = {True: 500 * 1024, False: 1000 * 1024}


@dataclass(slots=True)
class Contents:
    """Secrets, or configs."""

    store: Store
    secret: bool

    @property
    def kind(self) -> str:
        """``secret`` or ``config``."""
        return "secret" if self.secret else "config"

    @property
    def table(self) -> dict[str, Content]:
        """All of them."""
        return self.store.secrets if self.secret else self.store.configs

    def create(self, written: Document) -> tuple[Document, Content]:
        """POST /secrets/create, /configs/create."""
        name, data = written.get("Name", ""), written.get("Data") or ""
        check_object_name(name)
        try:
            size = len(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, f"invalid JSON: {error}") from error
        limit = _LIMITS[self.secret]
        if not 0 < size < limit:
            raise invalid(f"{self.kind} data must be larger than 0 and less than {limit} bytes")
        if any(c.name == name for c in self.table.values()):
            raise Refusal(409, f"rpc error: code = AlreadyExists desc = {self.kind} {name} already exists")
        content = Content(self.store.meta(self.kind), name, dict(written.get("Labels") or {}), data, self.secret)
        self.table[content.meta.id] = content
        self.store.tell(self.kind, "create", content.meta.id, name)
        return {"ID": content.meta.id}, content

    def update(self, asked: str, query: Mapping[str, Any], written: Document) -> Content:
        """POST /secrets/{id}/update, /configs/{id}/update."""
        version = version_of(query, self.kind)
        content = self.store.content(asked, secret=self.secret)
        data = written.get("Data") or ""
        if written.get("Name") != content.name or (data and data != content.data):
            raise invalid("only updates to Labels are allowed")
        self.store.swap(content.meta, version)
        content.labels = dict(written.get("Labels") or {})
        self.store.tell(self.kind, "update", content.meta.id, content.name)
        return content

    def remove(self, asked: str) -> Content:
        """DELETE /secrets/{id}, /configs/{id}: refused while a service's present specification refers to it."""
        content = self.store.content(asked, secret=self.secret)
        kind, key = ("Secrets", "SecretID") if self.secret else ("Configs", "ConfigID")
        users = [
            service.name
            for service in sorted(self.store.services.values(), key=lambda s: s.meta.id)
            if any(
                reference[key] == content.meta.id
                for reference in service.spec["TaskTemplate"]["ContainerSpec"].get(kind) or ()
            )
        ]
        if users:
            plural = "s" if len(users) > 1 else ""
            raise invalid(
                f"{self.kind} '{content.name}' is in use by the following service{plural}: {', '.join(users)}"
            )
        self.store.index += 1
        del self.table[content.meta.id]
        self.store.tell(self.kind, "remove", content.meta.id, content.name)
        return content
