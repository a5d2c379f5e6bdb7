"""Where spec files come from: repositories and folders, and their being declared for an organization. A port.

``fetch`` brings what a source says to this machine, and names it: a commit, or the digest of a folder. ``declare``
reads all files of that, and writes what they declare in one transaction, or nothing. Both say what is wrong with
reasons and places; neither waits for anybody longer than its time.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from reconcilers.outcomes import TransientError
from reconcilers.port import Port, read, write


@dataclass(frozen=True, slots=True)
class Verify:
    """Who has to have signed a commit; ``specs.signers`` has the forms.

    Args:
        ssh: lines of allowed signers.
        openpgp: public keys in their armor.
    """

    ssh: tuple[str, ...]
    openpgp: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source as its row has it.

    Args:
        id: of the row.
        generation: of it: what is declared is declared for this one.
        organization_id: whose files it declares, and nobody else's.
        organization: slug of that one.
        name: of the source.
        repository: address; None: it is a folder.
        directory: folder below the organization's; None: it is a repository.
        branch, tag, commit: what is read of a repository: the commit, else the tag, else the branch.
        path: folder in it.
        username: who asks; None: nobody.
        revision: of his password; None: none is set.
        verify: who has to have signed the commit; None: nobody.
        identities: version of the age identities that encrypted files are opened with; None: none are set.
        values: what placeholders in files stand for, by name; None: nothing is filled in.
    """

    id: str
    generation: int
    organization_id: str
    organization: str
    name: str
    repository: str | None
    directory: str | None
    branch: str
    tag: str | None
    commit: str | None
    path: str
    username: str | None = None
    revision: str | None = None
    verify: Verify | None = None
    identities: int | None = None
    values: tuple[tuple[str, str | bool | int | float], ...] | None = None

    @property
    def asks_for(self) -> str:
        """What is read, in words."""
        if self.directory is not None:
            return f"the directory {self.directory}"
        if self.commit:
            return f"commit {self.commit[:12]}"
        return f"tag {self.tag}" if self.tag else f"branch {self.branch}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What somebody had changed of what a source declares, and was taken back.

    Args:
        object: which, in words.
        fields: of its spec, as files name them; ``name``, and ``deletion`` where it had been deleted.
        by: who, as the audit knows him.
    """

    object: str
    fields: tuple[str, ...]
    by: str

    def __str__(self) -> str:
        return f"{', '.join(self.fields)} of {self.object}, by {self.by}"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a source declares.

    Args:
        files: how many were read.
        objects: how many objects they declare.
        pruned: how many were deleted, as it declares them no longer.
        taken: what was taken back from others, this time.
        contested: what is taken back again and again; some of it.
        variables: how many config vars they declare.
        unset: how many were unset, as it declares them no longer.
        doubts: what files say and hardly mean; the first ones.
    """

    files: int
    objects: int
    pruned: int = 0
    taken: tuple[Taken, ...] = ()
    contested: tuple[Taken, ...] = ()
    variables: int = 0
    unset: int = 0
    doubts: tuple[str, ...] = ()


class SourceError(TransientError):
    """A source cannot be read or declared; nothing was written.

    Args:
        reason: CamelCase word.
        message: what is wrong and how to mend it.
        problems: each with file, line and field, where files are wrong; the first ones.
        passes: it is likely to pass by itself: the server is away.
    """

    def __init__(self, reason: str, message: str, *, problems: tuple[str, ...] = (), passes: bool = False) -> None:
        super().__init__(reason, message)
        self.problems = problems
        self.passes = passes


class Sources(Port, name="source"):
    """Repositories and folders."""

    @read
    @abstractmethod
    async def fetch(self, wanted: Wanted) -> str:
        """Have what ``wanted`` names here; the commit, or ``sha256:`` and the digest of a folder.

        Raises:
            SourceError: ``FetchFailed``, ``CredentialsRefused``, ``RevisionNotFound``, ``SourceRefused``,
                ``SourceTooLarge``, ``GitMissing``.
            NotReadyError: ``KeyUnavailable``.
            TransientError: the database did not answer.
        """

    @read
    @abstractmethod
    async def verify(self, wanted: Wanted, commit: str) -> str:
        """Who has signed ``commit``, which was fetched: one whom ``wanted`` names, by a key that counts now; in words.

        Raises:
            SourceError: ``CommitUnsigned``, ``SignerUnknown``, ``SignerExpired``, ``SignatureBad``,
                ``VerifierMissing``.
            ConflictError: ``commit`` is not here.
        """

    @write
    @abstractmethod
    async def declare(self, wanted: Wanted, commit: str) -> Declared:
        """Read all files of ``commit``, which was fetched, and declare them; the same again writes nothing.

        Where ``wanted`` names signers, ``commit`` has to be the last one that was verified for them.

        Of what is there, the fields that files name are written, and no other.

        Raises:
            SourceError: ``FilesRefused``, ``SpecRefused``, ``ObjectTaken``, ``LoginMissing``, ``AgeKeyUnreadable``.
            ConflictError: the source is another one by now, or ``commit`` is not here.
            FencedError: this process does not lead any more.
            TransientError: the database did not answer.
        """
