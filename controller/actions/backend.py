"""What commands ask, wherever it is: a database (``direct``), or an installation's API (``controller.remote``).

A command is the same either way, and prints the same. What it raises is said the same way, too: ``ActionError`` and
what else a command explains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from controller.actions.describe import Description
    from controller.actions.pause import Scope
    from controller.actions.permissions import Answer
    from controller.actions.released import Release
    from controller.actions.run_ends import Ended
    from controller.actions.tokens import Asked, Made
    from controller.actions.variables import Assignment, Done, Place
    from controller.changes import Change
    from controller.cost import Cost
    from controller.declared.happened import Happened
    from controller.declared.logins import RegistryLogin
    from controller.declared.objects import DeclaredObject, Read
    from controller.declared.readiness import Progress
    from controller.declared.variables import Variable
    from controller.declared.written import Target, Written
    from reconcilers.chain import Link
    from reconcilers.logins import Login
    from specs.loader import Files, Located


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of a change.

    Args:
        written: what became of each object.
        warnings: what will not last, or has no effect.
    """

    written: list[Written]
    warnings: list[str]


ENVIRONMENT = "production"
"""What the environment of a new app is called where nobody says a name."""


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app that is to be made of a template.

    Args:
        template: name of it.
        organization: slug of whose.
        app: slug of the app, which is not there yet.
        environment: name of its environment.
        plan: of it; empty: the template's.
        config: values of config vars, by name.
    """

    template: str
    organization: str
    app: str
    environment: str = ENVIRONMENT
    plan: str = ""
    config: Mapping[str, str] = field(default_factory=dict, repr=False)


class Promoted(NamedTuple):
    """What came of a promotion: the release and its image, settings that differ, and what was written."""

    source: str
    target: str
    version: int
    image: str
    differs: Sequence[str]
    written: list[Written]


class RolledBack(NamedTuple):
    """What came of it: whose, the release, and whether it is known that it can run. Undone: whether it was not yet."""

    owner: DeclaredObject
    version: int | None
    known: bool = True
    was: bool = True


class Resumed(NamedTuple):
    """What was resumed, whether it was paused, and who paused the installation, where that holds it still."""

    words: str
    was: bool
    by: str | None


class Look(NamedTuple):
    """A look that was asked for."""

    words: str
    token: Any


class Foreseen(Protocol):
    """What a plan says; ``controller.actions.preview`` has what each is."""

    rows: list[Written]
    changes: list[Change] | None
    problems: list[str]
    unknown: str
    costs: list[Cost]

    @property
    def held(self) -> Sequence[object]: ...
    @property
    def changed(self) -> bool: ...
    def document(self) -> Mapping[str, object]: ...


class Explained(Protocol):
    """Why an object is as it is; ``controller.actions.explain`` has what each is."""

    @property
    def chain(self) -> Sequence[Link]: ...
    @property
    def unseen(self) -> Sequence[str]: ...
    @property
    def changes(self) -> Sequence[Any]: ...
    @property
    def cause(self) -> Link | None: ...
    @property
    def verdict(self) -> str: ...
    def document(self) -> Mapping[str, Any]: ...


Show = Callable[[Sequence["Progress"]], None]


class Backend(Protocol):
    """One installation, as one caller sees it."""

    @property
    def read(self) -> Read:
        """Gives objects."""

    def at_one_moment(self) -> AbstractContextManager[Read]:
        """What gives objects of all kinds as they are at one moment, where that can be."""

    def describe(self, word: str, name: str | None, events: int) -> Description:
        """What is known of one object."""

    def explain(self, word: str, name: str | None) -> Explained:
        """Why it is not ready, or why it changed."""

    def events(self, word: str | None, most: int) -> list[Happened]:
        """The last ``most`` events, the oldest first."""

    def followed(self, word: str | None, most: int) -> Iterator[Happened]:
        """The last ``most``, and then each as it happens, or happens again."""

    def releases(self, path: str) -> list[Release]:
        """Those that are kept, the newest first."""

    def preview(self, files: Files, prune: str = "") -> Foreseen:
        """What ``apply`` of them would do."""

    def apply(self, files: Files, prune: str = "") -> Changed:
        """Declare them, all or none."""

    def edited(self, before: Any, entries: Sequence[Located]) -> Changed:
        """Declare what was edited, unless somebody has changed it."""

    def begin_edit(self, word: str, name: str | None) -> Any:
        """The object, to be edited."""

    def refuse_changed(self, before: Any) -> None:
        """Have nobody's change be lost."""

    def deploy(self, path: str, image: str, tag: str, *, dry_run: bool) -> Changed:
        """Have an environment run another image."""

    def deploy_template(self, wanted: NewApp, *, dry_run: bool) -> tuple[Changed, Sequence[str]]:
        """Make an app of a template: what was written, and the names of its config vars."""

    def scale(self, path: str, numbers: Mapping[str, int], *, dry_run: bool) -> Changed:
        """Have processes run so many tasks."""

    def add_host(self, path: str, host: str, process: str) -> Changed:
        """Have the edge answer on a host name."""

    def delete(self, targets: Sequence[Target]) -> Changed:
        """Ask for the removal of them."""

    def restore(self, word: str, name: str | None) -> Written:
        """Take a deletion back."""

    def roll_back(self, path: str, version: int | None, *, undo: bool) -> RolledBack:
        """Have an environment run an earlier release, or what is declared."""

    def restart(self, path: str, process: str | None) -> tuple[DeclaredObject, str]:
        """Replace tasks by new ones; whose, and the token."""

    def promote(self, source: str, target: str, version: int | None, *, dry_run: bool) -> Promoted:
        """Have an environment run what another one does."""

    def run(self, path: str, spec: Mapping[str, Any]) -> tuple[Written, str]:
        """Have a command run once in an environment; the run, and how what it prints is read, where that is known."""

    def ended(self, run: Written, show: Show) -> Ended:
        """Wait until it is over, for as long as that takes."""

    def wait(self, written: Sequence[Written], limit: float, show: Show, *, deleted: bool = False) -> None:
        """Wait until what was written is as declared."""

    def wait_for(self, key: tuple[str, UUID], limit: float, show: Show) -> None:
        """Wait until an object, and what a change of it concerns, is as declared."""

    def place(self, path: str) -> Place:
        """Where variables are set."""

    def variables(self, where: Place) -> list[Variable]:
        """What is set there and above."""

    def assign(self, where: Place, wanted: Sequence[Assignment]) -> list[Done]:
        """Set variables."""

    def unset(self, where: Place, names: Sequence[str]) -> list[Done]:
        """Take variables away."""

    def takes_back(self, where: Place, names: Collection[str]) -> Iterable[str]:
        """What of a change of these will not last, as a source declares it."""

    def pause(self, scope: Scope, reason: str) -> str:
        """Stop the controller's work on something; words for it."""

    def resume(self, scope: Scope) -> Resumed:
        """Let it go on."""

    def look(self, word: str, name: str | None) -> Look:
        """Ask for a look."""

    def looked(self, asked: Look, limit: float) -> tuple[str, str]:
        """Reason and message as soon as the controller has looked."""

    def create_token(self, asked: Asked) -> Made:
        """Make a token."""

    def token_rows(self, organization: str, *, every: bool) -> Sequence[Any]:
        """Those that there are."""

    def rotate_token(self, token_id: str, overlap: str, expires: str) -> Made:
        """Replace one."""

    def revoke_token(self, token_id: str) -> str:
        """End one; its name."""

    def registries(self, organization: str) -> Sequence[RegistryLogin]:
        """Users of registries."""

    def set_login(self, organization: str, login: Login) -> int:
        """Set the user of a registry; the version that he has then."""

    def unset_login(self, organization: str, registry: str) -> None:
        """Take him away."""

    def set_source_password(self, name: str, username: str, password: str) -> int:
        """Set the password of a repository; its version."""

    def may(self, verb: str, kind: str, name: str | None) -> Answer:
        """Whether who asks may do this."""

    def is_encrypted(self) -> bool:
        """Whether the edge answers with TLS."""
