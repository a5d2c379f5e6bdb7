"""Mailbox: a service with a password as a secret, and an account at the postmaster, which lives beyond the Swarm.

Expected flow: the account is there -> the secret and the service -> the tasks stay up -> Ready, and each alias with it.
When the mailbox goes, the loop gives the account back; ``finalize`` writes down that it was closed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from acme_mail.model import MailboxSnapshot
from pydantic import BaseModel, SecretStr

from reconcilers import labels
from reconcilers.baseline import harden
from reconcilers.conditions import progressing, ready
from reconcilers.objects import Objects, Secret, Service
from reconcilers.outcomes import Done, NotReadyError, Outcome, RequeueAfter, TransientError
from reconcilers.port import External, Observed, Place, Things, adapter
from reconcilers.ports import Child, ChildStatus, Context, LookAhead, Options
from reconcilers.registry import reconciler
from specs.names import service_name

POLL_SECONDS = 0.5


class MailSettings(BaseModel):
    """Settings of this kind alone."""

    acme_mail_key: SecretStr
    """Passwords are made from it."""


class Postmaster(Things, name="postmaster"):
    """Accounts at the postmaster, one a domain."""


@adapter(Postmaster)
class HttpPostmaster(Postmaster):
    """The real one, at ``ACME_POSTMASTER_URL``: GET, POST, PUT and DELETE of ``/accounts/<domain>``."""

    def __init__(self, place: Place) -> None:
        self._url = place.environment.get("ACME_POSTMASTER_URL", "")
        self._guard = place.guard

    async def observe(self, name: str) -> Observed | None:
        """The account, with the digest that was put with it."""
        return _observed(await asyncio.to_thread(self._ask, "GET", name, None))

    async def create(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """Open it; POST leaves one that is there already as it is."""
        return await self._write("POST", name, document, digest)

    async def update(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        """Have it as ``document`` says."""
        return await self._write("PUT", name, document, digest)

    async def remove(self, name: str) -> None:
        """Close it."""
        await asyncio.to_thread(self._ask, "DELETE", name, None)

    async def _write(self, method: str, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        found = _observed(await asyncio.to_thread(self._ask, method, name, {**document, "digest": digest}))
        assert found is not None
        return found

    def _ask(self, method: str, name: str, document: Mapping[str, Any] | None) -> Any:
        data = None if document is None else json.dumps(document).encode()
        if method != "GET":
            self._guard()
        request = urllib.request.Request(f"{self._url}/accounts/{name}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise TransientError("PostmasterUnavailable", f"the postmaster says {error.code}") from None
        except (OSError, ValueError) as error:
            raise TransientError("PostmasterUnavailable", f"the postmaster does not answer: {error}") from None


def _observed(account: Any) -> Observed | None:
    return None if account is None else Observed(account["id"], account["digest"])


def account(snapshot: MailboxSnapshot) -> External:
    """The account that the mailbox should have."""
    return External(Postmaster, snapshot.domain, {"organization": snapshot.organization})


def render(snapshot: MailboxSnapshot, options: Options, settings: MailSettings, network_id: str) -> Objects:
    """The secret, and the service that is given it as a file."""
    key = settings.acme_mail_key.get_secret_value().encode()
    name = service_name(
        snapshot.name,
        "mail",
        installation=options.installation,
        organization=snapshot.organization_id,
        environment=snapshot.id,
    )
    owner = labels.owned(options.installation, "mailbox", str(snapshot.id), str(snapshot.organization_id))
    password = hmac.new(key, snapshot.id.bytes, hashlib.sha256).hexdigest().encode()
    secret = Secret.named(f"mailbox-{snapshot.id}", password, key=key, labels=owner)
    container = harden(
        {"Image": snapshot.image_ref, "Labels": owner, "Secrets": [secret.file("password")]},
        read_only_root=True,
        tmpfs_paths=("/tmp",),
        run_as="0:0",
    )
    service = Service.seal(
        {
            "Name": name,
            "Labels": owner,
            "TaskTemplate": {
                "ContainerSpec": container,
                "Resources": {"Limits": {"MemoryBytes": 64 * 1024 * 1024, "Pids": 64}},
                "RestartPolicy": {"Condition": "any", "Delay": 2_000_000_000, "MaxAttempts": 0},
                "Networks": [{"Target": network_id}],
            },
            "Mode": {"Replicated": {"Replicas": 1}},
            "UpdateConfig": {"Parallelism": 1, "FailureAction": "rollback", "Order": "start-first"},
            "EndpointSpec": {"Mode": "dnsrr"},
        }
    )
    return Objects((secret, service))


def preview(snapshot: MailboxSnapshot, ahead: LookAhead) -> Objects:
    """What `skypanel plan` shows."""
    network = ahead.live.network_of(str(snapshot.organization_id))
    network_id = network.id if network is not None else "made-with-the-organization"
    objects = render(snapshot, ahead.options, ahead.settings(MailSettings), network_id)
    return replace(objects, things=(account(snapshot),))


def children(snapshot: MailboxSnapshot) -> list[Child]:
    """Its aliases."""
    return [Child("alias", str(alias.id), alias.generation) for alias in snapshot.aliases]


async def finalize(context: Context) -> None:
    """Write down that it was closed."""
    await context.write_row("acme_closed_mailboxes", {"id": context.id}, {"closed_at": context.now().isoformat()})


@reconciler(
    "mailbox",
    snapshot=MailboxSnapshot,
    preview=preview,
    wakes_on=("organization",),
    uses=(Postmaster,),
    settings=MailSettings,
    writes=("acme_closed_mailboxes",),
    finalize=finalize,
    children=children,
    speaks_for=("alias",),
)
async def reconcile_mailbox(context: Context, snapshot: MailboxSnapshot) -> Outcome:
    """Converge one mailbox."""
    network = context.live.network_of(context.organization_id)
    if network is None:
        raise NotReadyError("NetworkNotReady", "the organization has no network yet", woken=True)
    (found,) = await context.ensure([account(snapshot)])
    objects = render(snapshot, context.options, context.settings(MailSettings), network.id)
    await context.apply(objects)
    (progress,) = await context.observe(objects.services)
    conditions = progressing("Starting", f"{progress.running} of {progress.desired} task(s) run: {progress.problem}")
    if progress.stable:
        conditions = ready("Serving", f"mail for {snapshot.domain} is taken, by account {found.id}")
    context.report(
        conditions,
        details={"account": found.id, "services": {progress.service: progress.details}},
        children=[ChildStatus("alias", str(a.id), a.generation, conditions) for a in snapshot.aliases],
    )
    if progress.stable:
        return Done()
    return RequeueAfter(max(POLL_SECONDS, progress.settles_in))
