"""Files of one commit or folder: names and contents, all of them or a refusal. Nothing of them is written anywhere.

Names that begin with a dot are passed over, as everywhere. A symbolic link or a submodule is refused where a file or a
folder would be read: what it leads to is no part of the commit.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from controller.sources.command import GitFailedError, run
from reconcilers.sources import SourceError
from specs.loader import FILE_LIMIT_BYTES, SUFFIXES

MOST_FILES = 5000
MOST_BYTES = 2 * 1024 * 1024
"""Reading YAML takes about eight seconds a MiB of the smallest documents, in a thread that nobody can end."""
_MOST_ENTRIES = 100_000
_SECONDS = 25.0
_LINK, _SUBMODULE = "120000", "160000"


def of_commit(folder: Path, commit: str, path: str) -> Mapping[str, bytes]:
    """Contents by name, in the order of the names, of the YAML files below ``path``.

    Raises:
        SourceError: ``FilesRefused``: there are none, too many or too large ones, or something that is no file.
        GitFailedError: the commit is not in ``folder``.
    """
    below = PurePosixPath(path)
    try:
        listed = run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, folder=folder, seconds=_SECONDS)
    except GitFailedError as error:
        if error.large or error.late:  # a few trees within each other can name more files than fit anywhere
            raise _refused(f"the commit has more than {_MOST_ENTRIES} files", []) from None
        raise
    found: dict[str, tuple[str, int]] = {}
    problems: list[str] = []
    entries = listed.split(b"\0")
    if len(entries) > _MOST_ENTRIES:
        raise _refused(f"the commit has more than {_MOST_ENTRIES} files", [])
    for entry in filter(None, entries):
        head, _, raw = entry.partition(b"\t")
        mode, _, blob, size = head.decode().split()
        name = raw.decode("utf-8", "surrogateescape")
        if not _is_below(name, below):
            if mode in (_LINK, _SUBMODULE) and PurePosixPath(name) in (below, *below.parents):
                problems.append(f"{shown(name)}: is a {_kind(mode)}: {path} leads out of the commit")
            continue
        if mode == _SUBMODULE:
            problems.append(f"{shown(name)}: is a submodule: its files are no part of this commit")
        elif mode == _LINK and (name.endswith(SUFFIXES) or "." not in PurePosixPath(name).name):
            problems.append(f"{shown(name)}: is a symbolic link: put the file itself there")
        elif name.endswith(SUFFIXES):
            found[name] = (blob, int(size) if size.isdigit() else 0)
    _check({name: size for name, (_, size) in found.items()}, path, problems)
    names = sorted(found)
    wanted = "".join(f"{found[name][0]}\n" for name in names).encode()
    answer = run("cat-file", "--batch", folder=folder, seconds=_SECONDS, stdin=wanted)
    return dict(zip(names, _blobs(answer), strict=True))


def of_folder(root: Path, directory: str, path: str) -> Mapping[str, bytes]:
    """The same of a folder below ``root``, which must not lead out of it.

    Raises:
        SourceError: ``SourceRefused``: it leads out of it, or is not there; else as ``of_commit``.
    """
    inside = Path(os.path.realpath(root))
    base = inside / directory
    top = base / path
    if not Path(os.path.realpath(top)).is_relative_to(inside) or os.path.realpath(top) != os.path.normpath(top):
        raise SourceError("SourceRefused", f"{directory}/{path} is, or leads through, a symbolic link: name the folder")
    if not top.is_dir():
        raise SourceError("SourceRefused", f"{directory}/{path} is no folder below that of the organization")
    sizes: dict[str, int] = {}
    problems: list[str] = []
    for name, entry in _walk(top, base):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            problems.append(f"{shown(name)}: is a symbolic link: put the file itself there")
        elif name.endswith(SUFFIXES):
            if stat.S_ISREG(mode):
                sizes[name] = entry.stat(follow_symlinks=False).st_size
            else:
                problems.append(f"{shown(name)}: is no file")
        if len(sizes) > MOST_FILES:
            break
    _check(sizes, path, problems)
    return {name: _content(base, name) for name in sorted(sizes)}


def digest_of(files: Mapping[str, bytes]) -> str:
    """``sha256:`` and what tells these files from all others."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{len(name.encode('utf-8', 'surrogateescape'))} {len(content)}\n".encode())
        whole.update(name.encode("utf-8", "surrogateescape") + content)
    return f"sha256:{whole.hexdigest()}"


def shown(name: str) -> str:
    """A name for people: it may have any byte."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)[:255]


def _walk(top: Path, base: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    folders, seen = [top], 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                seen += 1
                if seen > _MOST_ENTRIES:
                    raise _refused(f"the folder has more than {_MOST_ENTRIES} files", [])
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    yield str(Path(entry.path).relative_to(base)), entry


def _content(base: Path, name: str) -> bytes:
    """Of a file that has become no link since it was looked at."""
    try:
        descriptor = os.open(base / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise _refused(f"{shown(name)}: cannot be read: {error.strerror}", [], passes=True) from None


def _is_below(name: str, below: PurePosixPath) -> bool:
    at = PurePosixPath(name)
    if not at.is_relative_to(below) or at == below:
        return False
    return not any(part.startswith(".") for part in at.relative_to(below).parts)


def _kind(mode: str) -> str:
    return "symbolic link" if mode == _LINK else "submodule"


def _check(sizes: Mapping[str, int], path: str, problems: list[str]) -> None:
    problems += [
        f"{shown(name)}: is larger than {FILE_LIMIT_BYTES // 1024} KiB: split it"
        for name, size in sorted(sizes.items())
        if size > FILE_LIMIT_BYTES
    ]
    if problems:
        raise _refused(problems[0], problems)
    if not sizes:
        raise _refused(f"{path} has no YAML files, so nothing is declared and nothing is taken away", [])
    if len(sizes) > MOST_FILES:
        raise _refused(f"{path} has more than {MOST_FILES} YAML files", [])
    if sum(sizes.values()) > MOST_BYTES:
        raise _refused(f"the YAML files of {path} have more than {MOST_BYTES // 1024 // 1024} MiB together", [])


def _refused(message: str, problems: list[str], *, passes: bool = False) -> SourceError:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SourceError("FilesRefused", f"{message}{more}", problems=tuple(problems), passes=passes)


def _blobs(answer: bytes) -> Iterator[bytes]:
    """Contents of what ``cat-file --batch`` prints: a line with the size, and so many bytes, and a line break."""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        if len(words) != 3 or words[1] != b"blob":
            raise GitFailedError(f"an object of the commit is not there: {answer[at:end][:80]!r}")
        size = int(words[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 2 + size
