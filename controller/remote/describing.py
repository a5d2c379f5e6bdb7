"""What an API knows of one object, as ``describe`` shows it: no tasks and no inventory, which it does not have."""

from __future__ import annotations

from controller.actions.describe import Description
from controller.client import Client
from controller.declared.lookups import Event, Owner
from controller.declared.objects import DeclaredObject, Read
from controller.remote.documents import event_of
from controller.remote.reading import Reader
from controller.remote.refusals import said
from reconcilers.registry import registered
from specs.kinds import KINDS, SOURCE, children

_NOT_HERE = "an API does not show it yet; `skypanel describe` does where DATABASE_URL is"


def described(client: Client, reader: Reader, found: DeclaredObject, events: int) -> Description:
    """What is known of ``found``, with so many of its last events."""
    word = KINDS[found.kind].word()
    own = (reader.document(found.kind, found.path) or {}).get("owners") or ()
    owners = [Owner(o[KINDS[SOURCE].word()], o["commit"], tuple(o["fields"])) for o in own]
    read: Read = reader
    return Description(
        object=found,
        parts=[part for kind in children(found.kind) for part in read(kind, found.path)],
        events=_events(client, word, found, events),
        inventory=(),
        inventory_error=_NOT_HERE,
        tasks=[] if word in registered() else None,
        engine_error=_NOT_HERE if word in registered() else "",
        of_config=owners,
    )


def _events(client: Client, word: str, found: DeclaredObject, most: int) -> list[Event]:
    if not most:
        return []
    query = {"kind": word, "path": "/".join(found.path), "limit": min(500, most)}
    with said(client.origin):
        items = client.call("GET", "/api/events", query=query).body["items"]
    same = [each for each in map(event_of, items) if each.object == found.id]
    return [Event(e.type, e.reason, e.message, e.count, e.first_at, e.last_at) for e in same]
