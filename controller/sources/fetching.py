"""Brings a commit of a repository here: one bare repository a source, which nobody else's source is read from.

Not one for all that name the same address: what was fetched with one organization's password is no business of another.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.sources.command import LARGEST_MEGABYTES, GitFailedError, GitMissingError, Remote, is_same, run, version
from controller.sources.ssh import CONNECT_SECONDS, way_in
from reconcilers.sources import SourceError, Wanted
from specs.problems import RefusedError
from specs.sources import OLDEST_GIT, Place, check_source_url, place_of
from specs.ssh import opened

SECONDS = 25.0
"""A call of a port has thirty."""
_LARGEST_CACHE = 256 * 1024 * 1024
LARGEST_TOTAL = 2 * 1024 * 1024 * 1024
"""Bytes of all repositories: eight of the largest, hundreds of usual ones. Where they are may be memory."""
_AT = "refs/skypanel/at"
_DENIED = re.compile(
    r"Authentication failed|could not read (Username|Password)|HTTP 40[13]|returned error: 40[13]|Permission denied \("
)
_FOREIGN = re.compile(r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED")
_UNREACHED = re.compile(r"ssh: connect to host ")
_ABSENT = re.compile(
    r"couldn't find remote ref|not our ref|no such remote ref|unadvertised object|Remote branch .* not found"
)
_GONE = re.compile(r"returned error: 404|repository '.*' not found|HTTP 404|does not appear to be a git repository")


@dataclass(frozen=True, slots=True)
class Access:
    """How a repository is reached.

    Args:
        addresses: of its host, which were looked at.
        password: of the source's user.
    """

    addresses: tuple[str, ...]
    password: str | None


class Repositories:
    """Bare repositories below one folder of this process's.

    Args:
        root: the folder.
        most: bytes of all of them; who was not looked at longest goes first, and is fetched anew at its next look.
        clear: called once, before the first is made.
    """

    def __init__(self, root: Path, *, most: int = LARGEST_TOTAL, clear: Callable[[], object] = lambda: None) -> None:
        self._root = root
        self._most = most
        self._clear = clear
        self._sizes: OrderedDict[str, int] = OrderedDict()
        """Of each source's repository, by when it was fetched; guarded."""
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._usable = False

    def place(self, wanted: Wanted) -> Path:
        """Where the commits of a source are."""
        return self._root / f"{wanted.id}-{hashlib.sha256((wanted.repository or '').encode()).hexdigest()[:32]}.git"

    def fetch(self, wanted: Wanted, access: Access) -> str:
        """The commit that ``wanted`` names now, which is here then; in a thread of its own.

        Raises:
            SourceError: says why not.
        """
        with self._guard:
            lock = self._locks.setdefault(wanted.id, threading.Lock())
        if not lock.acquire(timeout=SECONDS):
            raise SourceError("FetchFailed", "the look before this one still goes on", passes=True)
        try:
            commit = self._fetch(wanted, access)
            self._make_room(wanted.id, _size(self.place(wanted)))
            return commit  # noqa: TRY300 - what is raised by any of it is meant
        except GitMissingError:
            raise SourceError(
                "GitMissing",
                f"there is no git {'.'.join(map(str, OLDEST_GIT))} or newer on the controller's machine: install it",
            ) from None
        except OSError as error:
            raise SourceError("FetchFailed", f"the controller cannot write: {error.strerror}", passes=True) from None
        finally:
            lock.release()

    def _fetch(self, wanted: Wanted, access: Access) -> str:
        assert wanted.repository is not None
        try:
            place = place_of(check_source_url(wanted.repository))  # before git, which knows more protocols
        except RefusedError as error:
            raise SourceError("SourceRefused", f"{error.message}, and refused: {error.hint}") from None
        folder = self.place(wanted)
        self._prepare(folder)
        for other in self._root.glob(f"{wanted.id}-*.git"):
            if other != folder:  # of an address that it had before
                shutil.rmtree(other, ignore_errors=True)
        if place.scheme == "ssh":
            self._fetch_over_ssh(wanted, access, folder, place)
        else:
            remote = Remote(
                wanted.repository, place.host, place.port, access.addresses, wanted.username, access.password
            )
            _run(wanted, folder, remote, SECONDS)
        try:
            return (
                run("rev-parse", "--verify", "--quiet", f"{_AT}^{{commit}}", folder=folder, seconds=10).decode().strip()
            )
        except GitFailedError:
            raise SourceError("RevisionNotFound", f"{wanted.asks_for} is no commit") from None

    def _fetch_over_ssh(self, wanted: Wanted, access: Access, folder: Path, place: Place) -> None:
        """By the first address that takes the connection: ssh is told one."""
        if access.password is None:
            raise _denied(wanted)
        try:
            key, hosts = opened(access.password)
        except ValueError:
            raise _denied(wanted) from None
        assert wanted.repository is not None
        ends = time.monotonic() + SECONDS
        for number, address in enumerate(access.addresses, start=1):
            with way_in(self._root, key, hosts, address) as variables:
                remote = Remote(wanted.repository, place.host, place.port, access.addresses, over_ssh=True)
                try:
                    _run(wanted, folder, remote, max(1.0, ends - time.monotonic()), variables)
                except SourceError as error:
                    last = number == len(access.addresses) or ends - time.monotonic() < CONNECT_SECONDS
                    if last or not _UNREACHED.search(error.message):
                        raise
                else:
                    return

    def _make_room(self, source: str, size: int) -> None:
        """Remove repositories of others, those that were fetched longest ago first, until all fit."""
        with self._guard:
            self._sizes[source] = size
            self._sizes.move_to_end(source)
            for other in list(self._sizes):
                if sum(self._sizes.values()) <= self._most or other == source:
                    return
                lock = self._locks[other]
                if not lock.acquire(blocking=False):  # it is being fetched
                    continue
                try:
                    for folder in self._root.glob(f"{other}-*.git"):
                        shutil.rmtree(folder, ignore_errors=True)
                    del self._sizes[other]
                finally:
                    lock.release()

    def _prepare(self, folder: Path) -> None:
        if not self._usable:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._clear()
            if not is_same(version(self._root), OLDEST_GIT):
                raise GitMissingError
            self._usable = True
        if folder.exists() and _size(folder) > _LARGEST_CACHE:
            shutil.rmtree(folder, ignore_errors=True)
        if not (folder / "HEAD").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            run("init", "--quiet", "--bare", "--template=", ".", folder=folder, seconds=10)


def _run(
    wanted: Wanted, folder: Path, remote: Remote, seconds: float, variables: Mapping[str, str] | None = None
) -> None:
    assert wanted.repository is not None
    try:
        run(
            "fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--update-shallow", "--depth=1", "--", wanted.repository, f"+{_asked(wanted)}:{_AT}",
            folder=folder, seconds=seconds, remote=remote, variables=variables,
        )  # fmt: skip
    except GitFailedError as error:
        raise _meant(error, wanted) from None


def _asked(wanted: Wanted) -> str:
    if wanted.commit:
        return wanted.commit
    return f"refs/tags/{wanted.tag}" if wanted.tag else f"refs/heads/{wanted.branch}"


def _meant(error: GitFailedError, wanted: Wanted) -> SourceError:  # noqa: PLR0911 - one for each thing that it says
    if error.late:
        return SourceError("FetchFailed", f"{wanted.repository} did not answer within {SECONDS:g} s", passes=True)
    if error.large:
        return SourceError(
            "SourceTooLarge", f"{wanted.asks_for} of {wanted.repository} has more than {LARGEST_MEGABYTES} MiB"
        )
    if _FOREIGN.search(error.said):
        return SourceError(
            "HostKeyUnknown",
            f"{wanted.repository}: the host has another key than those that are pinned: find out why; then "
            f"`skypanel source ssh {wanted.organization}/{wanted.name}` pins others",
        )
    if _DENIED.search(error.said):
        return _denied(wanted)
    if _ABSENT.search(error.said):
        return SourceError("RevisionNotFound", f"{wanted.repository} has no {wanted.asks_for}")
    if _GONE.search(error.said):
        return SourceError("SourceRefused", f"{wanted.repository} is not there, or not for this user: {error.said}")
    return SourceError("FetchFailed", f"{wanted.repository}: {error.said or 'git failed'}", passes=True)


def _denied(wanted: Wanted) -> SourceError:
    place = place_of(wanted.repository or "")
    which = f"{wanted.organization}/{wanted.name}"
    if place.scheme == "ssh":
        why = f"the deploy key: `skypanel source ssh {which} --key FILE --known-hosts FILE` sets one"
        return SourceError("CredentialsRefused", f"{wanted.repository} is not given to {place.user} with {why}")
    who = f"the user {wanted.username}" if wanted.username else "anybody without a user"
    mend = f"`skypanel source password {which} --username NAME` sets one"
    return SourceError("CredentialsRefused", f"{wanted.repository} is not given to {who}: {mend}")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
