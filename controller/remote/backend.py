"""What commands ask, of an API: each use-case as the calls that do it, in the words that a database would have."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.actions.backend import Changed, Look, NewApp, Promoted, Resumed, RolledBack, Show
from controller.actions.errors import ActionError
from controller.actions.objects import find_by
from controller.actions.paths import form, one
from controller.actions.released import PROCESS, SCALE, Release, place
from controller.actions.variables import CONFIG
from controller.client import Client, NotFound
from controller.client.answers import Answer
from controller.client.places import place as at
from controller.declared.objects import DeclaredObject
from controller.declared.written import Target, Written
from controller.remote import documents
from controller.remote.reading import Reader
from controller.remote.refusals import said
from controller.remote.understanding import understood_all
from specs.kinds import KINDS, RELEASED, RUN, SOURCE, TEMPLATE, TENANT, TENANT_WORD, ancestors
from specs.problems import quote

if TYPE_CHECKING:
    from controller.actions.describe import Description
    from controller.actions.edit import Editable
    from controller.actions.pause import Scope
    from controller.actions.permissions import Answer as May
    from controller.actions.run_ends import Ended
    from controller.actions.tokens import Asked, Made
    from controller.actions.variables import Assignment, Done, Place
    from controller.declared.happened import Happened
    from controller.declared.logins import RegistryLogin
    from controller.declared.variables import Variable
    from reconcilers.logins import Login
    from specs.loader import Files, Located

MERGE = "application/merge-patch+json"
_PAGE = 200


@understood_all
class Remote:
    """An installation by its API.

    Args:
        client: asks.
        why: of what is written; releases and the audit say it.
        commit: of the files that are written.
    """

    def __init__(self, client: Client, *, why: str = "", commit: str = "") -> None:
        self._client = client
        self._why = why
        self._commit = commit
        self.read = Reader(client)

    @contextmanager
    def at_one_moment(self) -> Iterator[Reader]:
        """Kind by kind: who changes meanwhile is seen in some and not in others."""
        yield self.read

    # -- look ------------------------------------------------------------------------------------------------------

    def describe(self, word: str, name: str | None, events: int) -> Description:
        """See ``Backend``, here and below."""
        from controller.remote.describing import described

        kind, path = one(word, name)
        return described(self._client, self.read, find_by(self.read, kind, path), events)

    def explain(self, word: str, name: str | None) -> documents.ExplainedThere:
        """Why it is not ready, or why it changed."""
        kind, path = one(word, name)
        found = find_by(self.read, kind, path)
        answer = self._call("GET", f"{self.read.address(kind, found.path, writes=True)}/explain")
        return documents.explained_of(answer.body)

    def events(self, word: str | None, most: int) -> list[Happened]:
        """The last ones."""
        from controller.actions.asked_events import asked

        kind, path = asked(word)
        if not most:
            return []
        with said(self._client.origin):
            page = self._client.call("GET", "/api/events", query={"kind": kind, "path": path, "limit": most}).body
        return [documents.event_of(each) for each in reversed(page["items"])]

    def followed(self, word: str | None, most: int) -> Iterator[Happened]:
        """And those that come: what is listed after the stream began, and then what it says."""
        from controller.actions.asked_events import asked

        kind, path = asked(word)
        with said(self._client.origin):
            messages = self._client.messages("/api/stream", {"kind": kind, "path": path}, None)
            next(messages)
            found = self.events(word, max(most, _PAGE))
            yield from found[len(found) - most :] if most else ()
            told = {each.id: each.count for each in found}
            for message in messages:
                if message.event == "event":
                    new = [documents.event_of(message.data)]
                elif message.event == "reset":
                    new = self.events(word, _PAGE)
                else:
                    continue
                for each in new:
                    if told.get(each.id) != each.count:
                        told[each.id] = each.count
                        yield each

    def releases(self, path: str) -> list[Release]:
        """Those that are kept."""
        owner = place(self.read, path)
        answer = self._call("GET", f"{self.read.address(owner.kind, owner.path)}/releases")
        return [_release(each) for each in answer.body["items"]]

    # -- change ----------------------------------------------------------------------------------------------------

    def preview(self, files: Files, prune: str = "") -> documents.ForeseenThere:
        """What would change."""
        with said(self._client.origin, files.resources):
            query = {"prune": self._pruned(prune)}
            answer = self._client.call("POST", "/api/plan", query=query, body=_items(files), reads=True)
            return documents.foreseen_of(answer.body)

    def apply(self, files: Files, prune: str = "") -> Changed:
        """Declare them."""
        with said(self._client.origin, files.resources):
            query = {"reason": self._why or None, "commit": self._commit or None, "prune": self._pruned(prune)}
            answer = self._client.call("POST", "/api/apply", query=query, body=_items(files), keyed=True).body
        targets = {(target.kind, target.name): target for target in map(Target.of, files.resources)}
        written = [documents.written_of(row, targets.get((row["kind"], row["name"]))) for row in answer["written"]]
        return Changed(written, [str(each) for each in answer.get("doubts") or ()])

    def _pruned(self, path: str) -> str | None:
        from controller.actions.prune_paths import pruned_at, refuse_absent

        if path:
            refuse_absent(self.read, *pruned_at(path))
        return path or None

    def begin_edit(self, word: str, name: str | None) -> Editable:
        """The object, as text."""
        from controller.actions.edit import editable

        kind, path = one(word, name)
        found = find_by(self.read, kind, path)
        owners = (self.read.document(kind, found.path) or {}).get("owners") or ()
        return editable(found, [(documents.named(each), each["fields"]) for each in owners])

    def refuse_changed(self, before: Editable) -> None:
        """Have it be as it was."""
        now = self.read(before.object.kind, before.object.path)
        if not any(each.generation == before.object.generation and each.id == before.object.id for each in now):
            raise ActionError(f"{before.what} was changed meanwhile by somebody else", "edit it as it is now")

    def edited(self, before: Editable, entries: Sequence[Located]) -> Changed:
        """Declare it, in the generation that was read; under another name as a set of one."""
        from specs.loader import Files

        target = Target.of(entries[0])
        if target.path != before.object.path:
            self.refuse_changed(before)
            return self.apply(Files(list(entries)))
        body = {"spec": entries[0].resource.document()["spec"]}
        with said(self._client.origin, entries):
            return self._write("PUT", before.object, "", body, tag=f'"g{before.object.generation}"', target=target)

    def deploy(self, path: str, image: str, tag: str, *, dry_run: bool) -> Changed:
        """Another image."""
        from controller.actions.deploy import overruled

        owner = place(self.read, path)
        body = {"image": image} if image else {"tag": tag}
        more = {name: text for name, text in (("reason", self._why), ("commit", self._commit)) if text}
        done = self._write("POST", owner, "/deploy", {**body, **more}, dry_run=dry_run)
        if why := overruled(owner.document()):
            done.warnings.append(f"{owner.name}: {why}; `skypanel rollback {owner.name} --undo` has it run this")
        return done

    def deploy_template(self, wanted: NewApp, *, dry_run: bool) -> tuple[Changed, Sequence[str]]:
        """A new app."""
        app, environment = (KINDS[kind].word() for kind in (*ancestors(RELEASED)[-1:], RELEASED))
        body: dict[str, Any] = {app: wanted.app, environment: wanted.environment, CONFIG: dict(wanted.config)}
        query = {"dryRun": "true" if dry_run else None, "reason": self._why or None}
        tenants, templates = KINDS[TENANT].plural(), KINDS[TEMPLATE].plural()
        address = at(f"/api/paas/{tenants}/{{}}/{templates}/{{}}/deploy", wanted.organization, wanted.template)
        with said(self._client.origin):
            answer = self._client.call("POST", address, query=query, body=body, keyed=not dry_run).body
        return Changed([documents.written_of(row) for row in answer["rows"]], []), answer[CONFIG]

    def scale(self, path: str, numbers: Mapping[str, int], *, dry_run: bool) -> Changed:
        """Another number of tasks; of several processes all are tried before any is written."""
        from controller.actions.scaling import chosen

        wanted = chosen(self.read, place(self.read, path), numbers)
        done = Changed([], [])
        for tries in [True] if dry_run else [True, False] if len(wanted) > 1 else [False]:
            done = Changed([], [])
            for owner, number in wanted:
                one_done = self._write("PATCH", owner, "", {"spec": {SCALE: number}}, dry_run=tries)
                done.written.extend(one_done.written)
                done.warnings.extend(one_done.warnings)
        return done

    def add_host(self, path: str, host: str, process: str) -> Changed:
        """A host name."""
        from controller.actions.hosts import declaration
        from specs.loader import Files

        return self.apply(Files([declaration(place(self.read, path), host, process)]))

    def delete(self, targets: Sequence[Target]) -> Changed:
        """Ask for their removal, one after the other, what is owned before its owners."""
        done = Changed([], [])
        for target in sorted(targets, key=lambda each: -len(ancestors(each.kind))):
            address = self.read.address(target.kind, target.path, writes=True)
            before = self.read.document(target.kind, target.path)
            try:
                with said(self._client.origin):
                    answer = self._deleted(address)
            except _AbsentError:
                done.written.append(Written(target, None, "absent"))
                continue
            written = documents.written_of({**answer["written"], "id": answer["metadata"]["id"]}, target)
            done.written.append(written)
            if written.id is not None:
                owners = (before or {}).get("owners") or ()
                done.warnings.extend(documents.warnings_of([written], {written.id: owners}))
        return done

    def _deleted(self, address: str) -> Mapping[str, Any]:
        query, headers = {"reason": self._why or None}, {"If-Match": "*"}
        try:
            found: Mapping[str, Any] = self._client.call(
                "DELETE", address, query=query, headers=headers, keyed=True
            ).body
        except NotFound:
            raise _AbsentError from None
        return found

    def restore(self, word: str, name: str | None) -> Written:
        """Take it back."""
        kind, path = one(word, name)
        if KINDS[kind].globally_named and len(path) == 1:
            raise ActionError(f"{path[0]!r} is not the whole path of one", f"write {form(TENANT)}/.../{path[0]}")
        answer = self._call("POST", f"{self.read.address(kind, path, writes=True)}/restore", body={}, keyed=True).body
        return documents.written_of({**answer["written"], "id": answer["metadata"]["id"]}, Target(kind, path))

    def roll_back(self, path: str, version: int | None, *, undo: bool) -> RolledBack:
        """An earlier release."""
        owner = place(self.read, path)
        body: dict[str, Any] = {"undo": True} if undo else {} if version is None else {"release": version}
        answer = self._post(owner, "rollback", {**body, **({"reason": self._why} if self._why else {})})
        written = answer["written"]
        if undo:
            return RolledBack(owner, None, was=written["action"] != "unchanged")
        return RolledBack(owner, written["release"], known=written.get("known", True))

    def restart(self, path: str, process: str | None) -> tuple[DeclaredObject, str]:
        """New tasks."""
        owner = place(self.read, path)
        what = owner
        if process is not None:
            there = {each.path[-1]: each for each in self.read(PROCESS, owner.path) if each.deleted_at is None}
            if process not in there:
                hint = (
                    "restart all of it, without the name of a process"
                    if process == "web"
                    else "see `skypanel get processes`"
                )
                raise ActionError(f"{owner.name} declares no process {quote(process)}", hint)
            what = there[process]
        return owner, str(self._post(what, "restart", {})["spec"]["restartToken"])

    def promote(self, source: str, target: str, version: int | None, *, dry_run: bool) -> Promoted:
        """What another one runs."""
        ours, theirs = place(self.read, source), place(self.read, target)
        if ours.path[:-1] != theirs.path[:-1]:
            app = "/".join(ours.path[:-1])
            raise ActionError(f"{theirs.name} is of another app than {ours.name}", f"name an environment of {app}")
        body = {"from": ours.path[-1], "release": version, "reason": self._why or None}
        query = {"dryRun": True} if dry_run else {}
        sent = {name: value for name, value in body.items() if value is not None}
        answer = self._post(theirs, "promote", sent, query)
        if dry_run:
            told, written = answer["promoted"], [documents.written_of(row) for row in answer["rows"]]
        else:
            told = answer["written"]["promoted"]
            row = {**answer["written"], "id": answer["metadata"]["id"]}
            written = [documents.written_of(row, Target(theirs.kind, theirs.path))]
            written += map(documents.written_of, told["parts"])
        return Promoted(ours.name, theirs.name, told["release"], told["image"], told["differs"], written)

    def run(self, path: str, spec: Mapping[str, Any]) -> tuple[Written, str]:
        """Have a command run once; sent again, as its answer was lost, it finds the run of the first time."""
        owner = place(self.read, path)
        address = f"{self.read.address(owner.kind, owner.path)}/{KINDS[RUN].plural()}"
        query = {"reason": self._why or None}
        answer = self._call("POST", address, query=query, body={"spec": dict(spec)}, keyed=True).body
        name = answer["metadata"]["name"]
        row = {**answer["written"], "id": answer["metadata"]["id"]}
        return documents.written_of(row, Target(RUN, (*owner.path, name))), ""

    def ended(self, run: Written, show: Show) -> Ended:
        """Wait until it is over."""
        from controller.actions.run_ends import until_over

        body = {"objects": [{"kind": KINDS[RUN].word(), "id": str(run.id)}], "concerns": False}

        def look() -> list[Any]:
            answer = self._call("POST", "/api/progress", body=body, reads=True)
            return [documents.progress_of(each) for each in answer.body["items"]]

        return until_over(look, show, _POLL_SECONDS)

    def _post(self, owner: DeclaredObject, word: str, body: Any, query: Mapping[str, object] | None = None) -> Any:
        address = self.read.address(owner.kind, owner.path, writes=True)
        return self._call("POST", f"{address}/{word}", query=query, body=body, keyed=True).body

    def _write(
        self,
        method: str,
        owner: DeclaredObject,
        below: str,
        body: Any,
        *,
        dry_run: bool = False,
        tag: str | None = None,
        target: Target | None = None,
    ) -> Changed:
        """A write of one object, and what became of it."""
        address = self.read.address(owner.kind, owner.path, writes=True)
        query: dict[str, object] = {"dryRun": True} if dry_run else {}
        if method in ("PUT", "PATCH") and self._why:
            query["reason"] = self._why
        form_ = MERGE if method == "PATCH" else "application/json"
        target = target or Target(owner.kind, owner.path)
        headers = {"If-Match": tag}
        answer = self._call(method, address + below, query=query, headers=headers, body=body, form=form_, keyed=True)
        if dry_run:
            rows = [row for row in answer.body["rows"] if (row["kind"], row["name"]) == (target.kind, target.name)]
            owners = (self.read.document(owner.kind, owner.path) or {}).get("owners") or ()
            written = [documents.written_of(row, target) for row in rows]
            return Changed(written, documents.warnings_of(written, {owner.id: owners}))
        row = {**answer.body["written"], "id": answer.body["metadata"]["id"]}
        found = documents.written_of(row, Target(target.kind, target.path, entry=documents.entry_of(answer.body)))
        return Changed([found], documents.warnings_of([found], {owner.id: answer.body.get("owners") or ()}))

    # -- wait ------------------------------------------------------------------------------------------------------

    def wait(self, written: Sequence[Written], limit: float, show: Show, *, deleted: bool = False) -> None:
        """Until it is so."""
        from controller.actions.wait import refuse_lost

        asked = [
            {"kind": KINDS[each.target.kind].word(), "id": str(each.id), "changed": each.changed}
            for each in written
            if each.id is not None
        ]
        self._until_settled(asked, limit, show, deleted=deleted)
        refuse_lost(self.read, written)

    def wait_for(self, key: tuple[str, UUID], limit: float, show: Show) -> None:
        """Until it is so."""
        self._until_settled([{"kind": key[0], "id": str(key[1]), "changed": True}], limit, show, deleted=False)

    def _until_settled(self, asked: Sequence[Mapping[str, Any]], limit: float, show: Show, *, deleted: bool) -> None:
        from controller.actions.wait import until_settled

        def progress(body: Mapping[str, Any]) -> list[Any]:
            answer = self._call("POST", "/api/progress", body=body, reads=True)
            return [documents.progress_of(each) for each in answer.body["items"]]

        begun = progress({"objects": asked, "deleted": deleted})
        keys = [{"kind": each.kind, "id": str(each.id)} for each in begun]
        first = iter([begun])
        if keys:
            until_settled(
                lambda: next(first, None) or progress({"objects": keys, "concerns": False}),
                limit,
                show,
                pause=_POLL_SECONDS,
            )

    # -- config vars, tokens, passwords ----------------------------------------------------------------------------

    def place(self, path: str) -> Place:
        """Where variables are set."""
        from controller.actions.variables import Place, layer_of

        kind, names = layer_of(path)
        found = find_by(self.read, kind, names)
        if found.deleted_at is not None:
            what = f"{KINDS[kind].word()} {found.name}"
            raise ActionError(f"{what} is deleted", f"`skypanel restore {what}`")
        line = (*ancestors(kind), kind)
        words = tuple(f"{KINDS[each].word()} {'/'.join(names[:depth])}" for depth, each in enumerate(line, 1))
        return Place((), words, (KINDS[kind].word(), found.id))

    def variables(self, where: Place) -> list[Variable]:
        """What is set."""
        from controller.declared.variables import Variable

        answer = self._call("GET", f"{self._above(where)}/config").body
        return [
            Variable(
                where.words.index(each["setFor"]), each["name"], each["version"], each["asFile"],
                documents.moment(each["changedAt"]) or documents.NEVER, each["effective"], each.get("declaredBy"),
            )
            for each in answer["items"]
        ]  # fmt: skip

    def assign(self, where: Place, wanted: Sequence[Assignment]) -> list[Done]:
        """Set them."""
        return self._set(where, {each.name: _value(each) for each in wanted})

    def unset(self, where: Place, names: Sequence[str]) -> list[Done]:
        """Take them away."""
        own = {each.name for each in self.variables(where) if each.owner == len(where.words) - 1}
        if missing := sorted(set(names) - own):
            raise ActionError(
                f"{', '.join(missing)}: not set for {where.words[-1]}",
                "`skypanel config list` shows what is set, and where",
            )
        return self._set(where, dict.fromkeys(names))

    def _set(self, where: Place, body: Mapping[str, Any]) -> list[Done]:
        from controller.actions.variables import Done

        answer = self._call("PATCH", f"{self._above(where)}/config", body=body, form=MERGE, keyed=True).body
        return [Done(each["name"], each.get("version")) for each in answer["written"]]

    def _above(self, where: Place) -> str:
        word, _, name = where.words[-1].partition(" ")
        kind = next(kind for kind, cls in KINDS.items() if cls.word() == word)
        return self.read.address(kind, name.split("/"))

    def takes_back(self, where: Place, names: Collection[str]) -> Iterable[str]:
        """What a source declares, as the list has it."""
        declared: dict[str, list[str]] = {}
        for each in self.variables(where):
            if each.source and each.owner == len(where.words) - 1 and each.name in names:
                declared.setdefault(each.source, []).append(each.name)
        for source, lost in declared.items():
            what = f"{', '.join(lost)} of {where.words[-1]}"
            yield f"{KINDS[SOURCE].word()} {source} declares {what}, and takes it back at once"

    def create_token(self, asked: Asked) -> Made:
        """Make one."""
        from controller.remote.tokens import create

        with said(self._client.origin):
            return create(self._client, asked)

    def token_rows(self, organization: str, *, every: bool) -> Sequence[Any]:
        """Those that there are."""
        from controller.remote.tokens import listed

        with said(self._client.origin):
            return listed(self._client, organization, every=every)

    def rotate_token(self, token_id: str, overlap: str, expires: str) -> Made:
        """Replace one."""
        from controller.remote.tokens import rotate

        with said(self._client.origin):
            return rotate(self._client, token_id, overlap, expires)

    def revoke_token(self, token_id: str) -> str:
        """End one."""
        from controller.remote.tokens import revoke

        with said(self._client.origin):
            return revoke(self._client, token_id)

    def registries(self, organization: str) -> Sequence[RegistryLogin]:
        """Users of registries."""
        from controller.declared.logins import RegistryLogin
        from specs.kinds import LOGIN

        find_by(self.read, TENANT, (organization,))
        found = []
        for each in self.read(LOGIN, (organization,)):
            password = self._call("GET", f"{self.read.address(LOGIN, each.path, writes=True)}/password").body
            status = each.status
            found.append(
                RegistryLogin(
                    each.path[-1], str(each.spec.get("username", "")), password["set"], password["version"],
                    documents.moment(password["changedAt"]) or documents.NEVER,
                    status.reason or None, status.message if status.reason else None,
                )
            )  # fmt: skip
        return found

    def set_login(self, organization: str, login: Login) -> int:
        """Set one."""
        from specs.kinds import LOGIN

        find_by(self.read, TENANT, (organization,))
        address = self.read.address(LOGIN, (organization, login.registry), writes=True)
        body = {"username": login.username, "password": login.password}
        answer = self._call("PUT", f"{address}/password", body=body, keyed=True).body
        return int(answer["written"]["version"])

    def unset_login(self, organization: str, registry: str) -> None:
        """Take one away."""
        from specs.kinds import LOGIN

        try:
            with said(self._client.origin):
                self._deleted(self.read.address(LOGIN, (organization, registry), writes=True))
        except _AbsentError:
            hint = f"`skypanel registries list {organization}` shows those it has"
            raise ActionError(f"{organization} has no user for {registry}", hint) from None

    def set_source_password(self, name: str, username: str, password: str) -> int:  # noqa: ARG002 - nobody gets it
        """The API has no call for it."""
        raise ActionError(
            "the password of a repository is set at the database, not by an API yet",
            "run it where DATABASE_URL is: `skypanel context use` a database, or on the controller's machine",
        )

    # -- steer the controller --------------------------------------------------------------------------------------

    def pause(self, scope: Scope, reason: str) -> str:
        """Stop."""
        kind, path, words = self._scope(scope)
        self._call(
            "POST", f"{self.read.address(kind, path, writes=True)}/pause",
            body={"reason": reason} if reason else {}, keyed=True,
        )  # fmt: skip
        return words

    def resume(self, scope: Scope) -> Resumed:
        """Go on."""
        kind, path, words = self._scope(scope)
        answer = self._call("POST", f"{self.read.address(kind, path, writes=True)}/resume", body={}, keyed=True)
        return Resumed(words, bool(answer.body["written"]["changed"]), None)

    def _scope(self, scope: Scope) -> tuple[str, tuple[str, ...], str]:
        if scope.everything:
            hint = "run it where DATABASE_URL is, or name an object or --organization NAME"
            raise ActionError("the whole installation is paused and resumed at the database", hint)
        if scope.organization is not None:
            found = find_by(self.read, TENANT, (scope.organization,))
            return TENANT, found.path, f"everything of {TENANT_WORD} {found.name}"
        kind, path = one(scope.kind or "", scope.name)
        if kind == TENANT:
            raise ActionError(f"an API pauses everything of {TENANT_WORD} {path[0]}", f"say so: -n {path[0]}")
        found = find_by(self.read, kind, path)
        return kind, found.path, f"{kind.lower()} {found.name}"

    def look(self, word: str, name: str | None) -> Look:
        """Ask for one."""
        from controller.actions.paths import a
        from reconcilers.registry import registered

        kind, path = one(word, name)
        if kind.lower() not in registered():
            known = " or ".join(sorted(registered()))
            raise ActionError(f"{a(kind)} has no reconciler of its own", f"name the {known} that it belongs to")
        found = find_by(self.read, kind, path)
        address = f"{self.read.address(kind, found.path, writes=True)}/reconcile"
        answer = self._call("POST", address, body={}, keyed=True).body
        return Look(f"{kind.lower()} {found.name}", (address, answer["written"]["request"]))

    def looked(self, asked: Look, limit: float) -> tuple[str, str]:
        """What came of it."""
        from controller.actions.reconcile import until_handled

        address, request = asked.token

        def look() -> tuple[bool, str, str]:
            found = self._call("GET", address, query={"request": request}).body
            return found["done"], found["reason"], found["message"]

        return until_handled(look, asked.words, limit)

    def may(self, verb: str, kind: str, name: str | None) -> May:
        """Whether who is logged in may do this."""
        from controller.actions.paths import full_path
        from controller.actions.permissions import Answer as May

        path = "/".join(full_path(kind, name)) if name else None
        query = {"verb": str(verb), "kind": KINDS[kind].word(), "path": path}
        yes = bool(self._call("GET", "/api/can", query=query).body["may"])
        return May(yes, "" if yes else f"who is logged in may not {verb} {name or KINDS[kind].plural()}")

    def is_encrypted(self) -> bool:
        """Whether the edge has certificates."""
        return bool(self._call("GET", "/api/whoami").body.get("https"))

    def _call(self, method: str, path: str, **more: Any) -> Answer:
        with said(self._client.origin):
            return self._client.call(method, path, **more)


_POLL_SECONDS = 0.5


def _items(files: Files) -> Mapping[str, Any]:
    """As a body.

    Raises:
        ActionError: config vars are among it.
    """
    if files.variables:
        raise ActionError(
            f"{files.variables[0].at(())}: an API takes no config vars in files",
            "`skypanel config import PATH FILE`, a source, or apply it where DATABASE_URL is",
        )
    return {"items": [entry.resource.document() for entry in files.resources]}


class _AbsentError(Exception):
    """What is to be deleted is not there."""


def _value(said_: Assignment) -> Any:
    flag = {} if said_.as_file is None else {"asFile": said_.as_file}
    try:
        return {"value": said_.value.decode(), **flag}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(said_.value).decode(), **flag}


def _release(said_: Mapping[str, Any]) -> Release:
    when = documents.moment
    return Release(
        version=said_["version"],
        image=said_["image"],
        changed=tuple(said_.get("changed") or ()),
        settings=said_.get("settings") or {},
        processes=said_.get("processes") or (),
        variables=said_.get("variables") or {},
        content_of=said_.get("contentOf"),
        by=said_.get("by"),
        why=said_.get("why"),
        commit=said_.get("commit"),
        made_at=when(said_["madeAt"]) or documents.NEVER,
        deployed_at=when(said_.get("deployedAt")),
        newest=said_["newest"],
        digest=said_.get("digest") or "",
        command_ended_at=when(said_.get("commandEndedAt")),
        command_exit_code=said_.get("commandExitCode"),
        command_failure=said_.get("commandFailure"),
        meant=said_.get("meant") or "",
    )
