"""Who has signed a commit: git's own look at it, with the keys of one source and nothing else.

Each look has a folder of its own, which goes with it: the lines of allowed signers, written anew from what was read of
them, and a keyring that holds the listed keys alone. No agent is started, no key is looked for anywhere, no trust is
kept. Certificates of X.509 count for nobody. Whatever is not plainly good is refused.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from controller.sources.command import GitFailedError, run
from controller.sources.files import shown
from reconcilers.sources import SourceError, Verify, Wanted
from specs.problems import RefusedError
from specs.signers import fingerprints, packets, signer

_SECONDS = 8.0
_LARGEST = 4 * 1024 * 1024
"""Of a commit without its files, of a keyring, and of what is printed."""
_NOBODY = "/bin/false"
_SIGNATURE = re.compile(rb"^gpgsig(?:-sha256)? -----BEGIN (SSH|PGP|SIGNED)", re.MULTILINE)
_FIELDS = "%G?%n%GS%n%GK%n%GP"
_GPG = """\
batch
no-tty
no-autostart
no-auto-key-retrieve
no-auto-key-locate
no-auto-check-trustdb
disable-dirmngr
no-sig-cache
trust-model always
weak-digest SHA1
max-output 1048576
"""
"""Settings of gpg. A key that is in the keyring is one that the source lists, so all of them are trusted.

It reads ``/etc/gnupg/gpg.conf`` as well, which can name more keyrings: whose key it was is looked at again.
"""


def signed_by(wanted: Wanted, repository: Path, commit: str, now: datetime) -> str:
    """Who has signed ``commit``, in words; in a thread of its own.

    Args:
        wanted: the source; it names signers.
        repository: where the commit is.
        commit: which.
        now: the time.

    Raises:
        SourceError: nobody whom ``wanted`` names, by a key that counts now.
        GitFailedError: the commit is not there.
    """
    assert wanted.verify is not None
    form = _form(commit, repository)
    lists = {"SSH": wanted.verify.ssh, "PGP": wanted.verify.openpgp}
    if form and not lists.get(form):
        raise SourceError("SignerUnknown", f"{commit[:19]} has a signature of another sort than the keys of `verify`")
    scratch = Path(tempfile.mkdtemp(prefix="verify-", dir=repository.parent))
    try:
        return _look(wanted.verify, repository, commit, scratch, now)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _form(commit: str, repository: Path) -> str:
    """What sort of signature a commit has; empty: none that is known."""
    try:
        text = run("cat-file", "commit", commit, folder=repository, seconds=_SECONDS, largest=_LARGEST)
    except GitFailedError as error:
        if error.large or error.late:
            raise SourceError("SignatureBad", f"{commit[:19]} is too large to be verified") from None
        raise
    found = _SIGNATURE.search(text.partition(b"\n\n")[0])
    return found[1].decode() if found else ""


def _look(verify: Verify, repository: Path, commit: str, scratch: Path, now: datetime) -> str:
    signers = [signer(line) for line in verify.ssh]
    _check_programs(verify)
    allowed = scratch / "allowed_signers"
    allowed.write_text("".join(f'k{n} namespaces="git" {s.kind} {s.key}\n' for n, s in enumerate(signers)))
    home = scratch / "home"
    home.mkdir(mode=0o700)
    if verify.openpgp:
        _make_keyring(verify.openpgp, home)
    config = {
        "gpg.program": "gpg" if verify.openpgp else _NOBODY,
        "gpg.x509.program": _NOBODY,
        "gpg.ssh.program": "ssh-keygen" if signers else _NOBODY,
        "gpg.ssh.allowedSignersFile": str(allowed),
        "gpg.ssh.revocationFile": "",
        "gpg.minTrustLevel": "undefined",
        "log.showSignature": "false",
        "log.mailmap": "false",
    }
    try:
        said = run(
            "log", "-1", "--no-walk", "--no-notes", "--no-mailmap", "--no-color", f"--format={_FIELDS}", commit,
            folder=repository, seconds=_SECONDS, largest=_LARGEST, config=config, variables=_variables(scratch, home),
        )  # fmt: skip
    except GitFailedError as error:
        why = "does not end in time" if error.late else "is too large" if error.large else "cannot be read"
        raise SourceError("SignatureBad", f"the signature of {commit[:19]} {why}") from None
    lines = [shown(line) for line in said.decode("utf-8", "replace").split("\n")]
    grade, name, key, primary = (*lines, "", "", "", "")[:4]
    _check_grade(commit, grade, primary or key)
    if primary:  # of OpenPGP
        if not any(primary in fingerprints(armor) for armor in verify.openpgp):
            raise _unknown(commit, f"the key {primary}")
        return f"the key {primary}"
    found = next((s for number, s in enumerate(signers) if name == f"k{number}" and s.fingerprint == key), None)
    if found is None:
        raise SourceError("SignatureBad", f"the signature of {commit[:19]} by the key {key} is read in two ways")
    if found.before is not None and now >= found.before:
        raise SourceError("SignerExpired", f"{commit[:19]} is signed by {found.name}, whose key has expired")
    if found.after is not None and now < found.after:
        raise SourceError("SignerExpired", f"{commit[:19]} is signed by {found.name}, whose key does not count yet")
    return f"{found.name} ({key})"


def _check_grade(commit: str, grade: str, key: str) -> None:
    """Refuse what git calls anything but good, which is ``G``."""
    by = f"the key {key}" if key else "a key that it does not name"
    if grade == "N":
        raise SourceError("CommitUnsigned", f"{commit[:19]} has no signature, and one of `verify` is asked for")
    if grade in ("U", "E"):
        raise _unknown(commit, by)
    if grade in ("X", "Y", "R"):
        why = {"X": "in a signature that has", "Y": "which has", "R": "which is revoked or has"}[grade]
        raise SourceError("SignerExpired", f"{commit[:19]} is signed by {by}, {why} expired")
    if grade != "G":
        raise SourceError("SignatureBad", f"the signature of {commit[:19]} by {by} is not of what it says")


def _unknown(commit: str, by: str) -> SourceError:
    return SourceError("SignerUnknown", f"{commit[:19]} is signed by {by}, which `verify` does not list")


def _make_keyring(armors: Sequence[str], home: Path) -> None:
    """Have the keys, and no others, in the keyring of ``home``; what is no key in there counts for nobody.

    It is written here: gpg's own import asks an agent, whose socket may have a name that is too long.
    """
    (home / "gpg.conf").write_text(_GPG)
    try:
        (home / "pubring.gpg").write_bytes(b"".join(packets(armor) for armor in armors))
    except RefusedError as error:
        raise SourceError("SignerUnknown", f"a key of `verify` {error.message}: {error.hint}") from None


def _check_programs(verify: Verify) -> None:
    for program, wanted in (("ssh-keygen", verify.ssh), ("gpg", verify.openpgp)):
        if wanted and shutil.which(program) is None:
            raise SourceError(
                "VerifierMissing",
                f"there is no {program} on the controller's machine, so nothing is verified: install it",
            )


def _variables(scratch: Path, home: Path) -> dict[str, str]:
    return {"HOME": str(home), "GNUPGHOME": str(home), "TMPDIR": str(scratch)}
