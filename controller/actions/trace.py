"""The last reconciles of one object, from the memory of the controller that runs on this machine."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg

from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.actions.paths import a, apart, form, full_path, kind_of, looked_after
from reconcilers.registry import registered
from specs.kinds import KINDS

_SECONDS = 5.0
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Traced:
    """One object; ``words`` name it."""

    kind: str
    id: str
    words: str


def key_of(kind: str, name: str | None, connect: Callable[[], AbstractContextManager[psycopg.Connection]]) -> Traced:
    """The object that is meant: a kind and a path, or KIND/UUID alone, for which no database is asked.

    Raises:
        ActionError: no such object, or none that is reconciled.
    """
    word, path = apart(kind, name)
    found_kind = kind_of(word)
    if found_kind.lower() not in registered():
        owner = looked_after(found_kind)
        raise ActionError(
            f"{a(found_kind)} is not reconciled by itself",
            f"trace the {KINDS[owner].word()} that it belongs to: skypanel trace {KINDS[owner].word()} {form(owner)}",
        )
    if path and name is None:
        with contextlib.suppress(ValueError):
            return Traced(found_kind.lower(), str(UUID(path)), f"{found_kind.lower()} {UUID(path)}")
    if not path:
        raise ActionError(
            f"which {found_kind.lower()}?",
            f"skypanel trace {found_kind.lower()} {form(found_kind)}, or KIND/UUID alone",
        )
    names = full_path(found_kind, path)
    with connect() as conn:
        found = find_one(conn, found_kind, names)
    return Traced(found_kind.lower(), str(found.id), f"{found_kind.lower()} {'/'.join(names)} ({found.id})")


def reconciles(listen: str, traced: Traced) -> dict[str, Any]:
    """What the controller that listens there remembers of ``traced``; see ``controller.probes``.

    Raises:
        ActionError: none answers there, or another one leads.
    """
    address = _address(listen)
    answer = _ask(address, traced.kind, traced.id)
    if answer["role"] != "leader" and not answer["reconciles"]:
        _refer(address, answer)
    return answer


def _address(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit():
        raise ActionError(f"{listen!r} is not an address", "write host:port, such as 127.0.0.1:9470")
    host = _ANY.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ask(address: str, kind: str, object_id: str) -> dict[str, Any]:
    url = f"http://{address}/debug/reconciles?{urlencode({'kind': kind, 'id': object_id})}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine: no proxy between
    try:
        with direct.open(url, timeout=_SECONDS) as reply:
            found: dict[str, Any] = json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace").strip()
        if error.code == 404:
            raise ActionError(f"what answers at {address} is not a controller of this version", "see --from") from None
        raise ActionError(f"the controller at {address} says: {said}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ActionError(
            f"no controller answers at {address}: {reason}",
            "run this on the machine where `skypanel up` runs, with its SKYPANEL_LISTEN, or say --from HOST:PORT",
        ) from None
    return found


def _refer(address: str, answer: dict[str, Any]) -> None:
    """A stand-by has nothing to show: say who has.

    Raises:
        ActionError: always.
    """
    if answer["leader"]:
        raise ActionError(
            f"the controller at {address} stands by; {answer['leader']} leads (host:process:number)",
            "run this on that host, with the SKYPANEL_LISTEN of that process",
        )
    raise ActionError(
        f"the controller at {address} stands by, and nobody leads at the moment", "try again in a few seconds"
    )
