"""What commands ask, of a database: the use-cases, with a connection that is theirs.

Each is loaded when it is asked for: nearly all of the time that a command takes goes into what it loads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.actions.backend import Changed, Explained, Foreseen, Look, NewApp, Promoted, Resumed, RolledBack, Show
from controller.actions.errors import ActionError
from controller.actions.objects import reads

if TYPE_CHECKING:
    import psycopg
    from pydantic import BaseModel

    from controller.actions import permissions
    from controller.actions.describe import Description
    from controller.actions.edit import Editable
    from controller.actions.pause import Scope
    from controller.actions.released import Release
    from controller.actions.run_ends import Ended
    from controller.actions.tokens import Asked, Made
    from controller.actions.variables import Assignment, Done, Place
    from controller.declared.happened import Happened
    from controller.declared.logins import RegistryLogin
    from controller.declared.objects import DeclaredObject, Read
    from controller.declared.variables import Variable
    from controller.declared.written import Target, Written
    from controller.settings import Settings
    from reconcilers.logins import Login
    from reconcilers.ports import Options
    from specs.loader import Files, Located


class Direct:
    """A database.

    Args:
        conn: in autocommit mode; what it writes is known as its caller's.
        settings: of the installation, as far as they are known here.
        of_kinds: settings that kinds have of their own.
    """

    def __init__(
        self,
        conn: psycopg.Connection,
        settings: Callable[[], Settings],
        of_kinds: Callable[[], Mapping[str, BaseModel]],
    ) -> None:
        self._conn = conn
        self._settings = settings
        self._of_kinds = of_kinds
        self.read = reads(conn)

    @property
    def _options(self) -> Options:
        return self._settings().options

    @contextmanager
    def at_one_moment(self) -> Iterator[Read]:
        """In one transaction."""
        import psycopg

        self._conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with self._conn.transaction():
            yield self.read

    def describe(self, word: str, name: str | None, events: int) -> Description:
        """See ``Backend``, here and below."""
        from controller.actions.describe import describe

        return describe(self._conn, self._settings(), word, name, events=events)

    def explain(self, word: str, name: str | None) -> Explained:
        """Why it is not ready, or why it changed."""
        from controller.actions.explain import explain

        return explain(self._conn, self._settings(), word, name)

    def events(self, word: str | None, most: int) -> list[Happened]:
        """The last ones."""
        from controller.actions import events

        return events.listed(self._conn, word, most)

    def followed(self, word: str | None, most: int) -> Iterator[Happened]:
        """And those that come."""
        from controller.actions import events

        return events.followed(self._conn, word, most)

    def releases(self, path: str) -> list[Release]:
        """Those that are kept."""
        from controller.actions import releases

        return releases.listed(self._conn, releases.place(self._conn, path))

    def preview(self, files: Files, prune: str = "") -> Foreseen:
        """What would change."""
        from controller.actions import swarm_view
        from controller.actions.config_files import of_documents
        from controller.actions.doubts import of_rows
        from controller.actions.preview import preview
        from controller.actions.pruning import Pruning

        settings = self._settings()
        live, why = swarm_view.look(settings)
        variables = of_documents(files, settings)
        found = preview(
            self._conn, files.resources, settings.options, live, self._of_kinds(), variables=variables,
            pruning=Pruning.of(prune, files),
        )  # fmt: skip
        found.problems += of_rows(self._conn, files)
        found.unknown = found.unknown or why
        return found

    def apply(self, files: Files, prune: str = "") -> Changed:
        """Declare them."""
        from controller.actions.apply import apply
        from controller.actions.change import of_sources
        from controller.actions.config_files import of_documents
        from controller.actions.doubts import of_rows
        from controller.actions.pruning import Pruning

        variables, pruning = of_documents(files, self._settings()), Pruning.of(prune, files)
        written = apply(self._conn, files.resources, self._options, variables, pruning)
        return Changed(written, [*of_rows(self._conn, files), *of_sources(self._conn, written)])

    def begin_edit(self, word: str, name: str | None) -> Editable:
        """The object."""
        from controller.actions import edit

        return edit.begin(self._conn, word, name)

    def refuse_changed(self, before: Editable) -> None:
        """Have it be as it was."""
        from controller.actions import edit

        edit.refuse_changed(self._conn, before)

    def edited(self, before: Editable, entries: Sequence[Located]) -> Changed:
        """Declare it."""
        from controller.actions import edit
        from controller.actions.change import of_sources

        written = edit.declare(self._conn, before, entries, self._options)
        return Changed(written, list(of_sources(self._conn, written)))

    def deploy(self, path: str, image: str, tag: str, *, dry_run: bool) -> Changed:
        """Another image."""
        from controller.actions import releases
        from controller.actions.change import change
        from controller.actions.deploy import overruled, with_image
        from specs.problems import RefusedError

        owner = releases.place(self._conn, path)
        try:
            changes = [(owner, lambda now: with_image(now, image, tag))]
            done = change(self._conn, changes, self._options, dry_run=dry_run)
        except RefusedError as error:
            raise ActionError(f"--tag: {error.message}", error.hint) from None
        if why := overruled(owner.document()):
            done.warnings.append(not_run(owner.name, why))
        return done

    def deploy_template(self, wanted: NewApp, *, dry_run: bool) -> tuple[Changed, Sequence[str]]:
        """A new app."""
        from controller.actions.templates import deploy

        settings = self._settings()
        made = deploy(self._conn, wanted, settings.vault, settings.options, dry_run=dry_run)
        return Changed(list(made.written), []), made.variables

    def scale(self, path: str, numbers: Mapping[str, int], *, dry_run: bool) -> Changed:
        """Another number of tasks."""
        from controller.actions import releases
        from controller.actions.scale import scale

        owner = releases.place(self._conn, path)
        return scale(self._conn, owner, numbers, self._options, dry_run=dry_run)

    def add_host(self, path: str, host: str, process: str) -> Changed:
        """A host name."""
        from controller.actions import hosts, releases
        from controller.actions.change import of_sources

        written = hosts.add(self._conn, releases.place(self._conn, path), host, process, self._options)
        return Changed([written], list(of_sources(self._conn, [written])))

    def delete(self, targets: Sequence[Target]) -> Changed:
        """Ask for their removal."""
        from controller.actions.change import of_sources
        from controller.actions.delete import delete

        written = delete(self._conn, targets)
        return Changed(written, list(of_sources(self._conn, written)))

    def restore(self, word: str, name: str | None) -> Written:
        """Take it back."""
        from controller.actions.restore import restore

        return restore(self._conn, word, name)

    def roll_back(self, path: str, version: int | None, *, undo: bool) -> RolledBack:
        """An earlier release."""
        from controller.actions import releases

        owner = releases.place(self._conn, path)
        if undo:
            return RolledBack(owner, None, was=releases.go_on(self._conn, owner))
        return RolledBack(owner, *releases.roll_back(self._conn, owner, version, self._options))

    def restart(self, path: str, process: str | None) -> tuple[DeclaredObject, str]:
        """New tasks."""
        from controller.actions import releases
        from controller.actions.restart import restart

        owner = releases.place(self._conn, path)
        return owner, restart(self._conn, owner, process)

    def run(self, path: str, spec: Mapping[str, Any]) -> tuple[Written, str]:
        """Have a command run once."""
        from controller.actions.releases import place
        from controller.actions.runs import make
        from specs.names import run_job_name

        written = make(self._conn, place(self._conn, path), spec, self._options)
        job = run_job_name(installation=self._options.installation, run=written.id)
        return written, f"docker service logs --follow {job}"

    def ended(self, run: Written, show: Show) -> Ended:
        """Wait until it is over."""
        from controller.actions.runs import follow

        return follow(self._conn, run, show)

    def promote(self, source: str, target: str, version: int | None, *, dry_run: bool) -> Promoted:
        """What another one runs."""
        from controller.actions import releases
        from controller.actions.promote import promote

        ours, theirs = releases.place(self._conn, source), releases.place(self._conn, target)
        done = promote(self._conn, ours, theirs, version, self._options, dry_run=dry_run)
        return Promoted(ours.name, theirs.name, done.release.version, done.release.image, done.differs, done.written)

    def wait(self, written: Sequence[Written], limit: float, show: Show, *, deleted: bool = False) -> None:
        """Until it is so."""
        from controller.actions.wait import wait_written

        wait_written(self._conn, written, limit, show, deleted=deleted)

    def wait_for(self, key: tuple[str, UUID], limit: float, show: Show) -> None:
        """Until it is so."""
        from controller.actions.wait import wait
        from controller.declared.readiness import affected

        wait(self._conn, affected(self._conn, [(*key, True)]), limit, show)

    def place(self, path: str) -> Place:
        """Where variables are set."""
        from controller.actions import config

        return config.place(self._conn, path)

    def variables(self, where: Place) -> list[Variable]:
        """What is set."""
        from controller.actions import config

        return config.listed(self._conn, where)

    def assign(self, where: Place, wanted: Sequence[Assignment]) -> list[Done]:
        """Set them."""
        from controller.actions import config

        return config.assign(self._conn, self._settings().vault, where, wanted)

    def unset(self, where: Place, names: Sequence[str]) -> list[Done]:
        """Take them away."""
        from controller.actions import config

        return config.unset(self._conn, where, names)

    def takes_back(self, where: Place, names: Collection[str]) -> Iterable[str]:
        """What a source declares."""
        from controller.actions import config

        return config.takes_back(self._conn, where, names)

    def pause(self, scope: Scope, reason: str) -> str:
        """Stop."""
        from controller.declared import controls

        place = scope.find(self._conn)
        controls.pause(self._conn, place.scope, place.key, reason)
        return place.words

    def resume(self, scope: Scope) -> Resumed:
        """Go on."""
        from controller.declared import controls

        place = scope.find(self._conn)
        was = controls.resume(self._conn, place.scope, place.key)
        whole = (held for held in controls.pauses(self._conn) if held.scope == "installation" != place.scope)
        return Resumed(place.words, was, next((held.by for held in whole), None))

    def look(self, word: str, name: str | None) -> Look:
        """Ask for one."""
        from controller.actions import reconcile

        asked = reconcile.ask(self._conn, word, name)
        return Look(asked.words, asked)

    def looked(self, asked: Look, limit: float) -> tuple[str, str]:
        """What came of it."""
        from controller.actions import reconcile

        return reconcile.handled(self._conn, asked.token, limit)

    def create_token(self, asked: Asked) -> Made:
        """Make one."""
        from controller.actions import tokens

        return tokens.create(self._conn, asked)

    def token_rows(self, organization: str, *, every: bool) -> Sequence[Any]:
        """Those that there are."""
        from controller.actions import tokens

        return tokens.listed(self._conn, organization, every=every)

    def rotate_token(self, token_id: str, overlap: str, expires: str) -> Made:
        """Replace one."""
        from controller.actions import tokens

        return tokens.rotate(self._conn, token_id, overlap, expires)

    def revoke_token(self, token_id: str) -> str:
        """End one."""
        from controller.actions import tokens

        return tokens.revoke(self._conn, token_id)

    def registries(self, organization: str) -> Sequence[RegistryLogin]:
        """Users of registries."""
        from controller.actions import registries

        return registries.listed(self._conn, organization)

    def set_login(self, organization: str, login: Login) -> int:
        """Set one."""
        from controller.actions import registries

        tenant = registries.organization(self._conn, organization)
        return registries.assign(self._conn, self._settings().vault, tenant, login)

    def unset_login(self, organization: str, registry: str) -> None:
        """Take one away."""
        from controller.actions import registries

        registries.unset(self._conn, organization, registry)

    def set_source_password(self, name: str, username: str, password: str) -> int:
        """Set it."""
        from controller.actions import sources

        return sources.set_password(self._conn, self._settings().vault, name, username, password)

    def may(self, verb: str, kind: str, name: str | None) -> permissions.Answer:  # noqa: ARG002 - nobody is asked
        """A database has roles of its own."""
        raise ActionError("for whom?", "say --role ROLE or --token-stdin")

    def is_encrypted(self) -> bool:
        """Whether the edge has certificates."""
        return bool(self._settings().skypanel_edge_cert_resolver)


def not_run(name: str, why: str) -> str:
    """That what is declared does not run."""
    return f"{name}: {why}; `skypanel rollback {name} --undo` has it run this"
