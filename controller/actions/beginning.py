"""A first spec for a repository: reads what it has, and writes a file that is never written over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.actions.errors import ActionError
from controller.actions.validate import check_registries
from specs.beginning import app_json, dockerfile, procfile
from specs.beginning.found import Found, Note
from specs.beginning.spec import Wanted, documents, notes, slug
from specs.dump import dump_documents
from specs.loader import FileProblem, Located, read_resources
from specs.names import check_hostname, check_slug
from specs.problems import RefusedError

FILE = "skypanel.yaml"
COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_LARGEST = 1 << 20
_HEAD = """\
# What runs, and how. `skypanel plan -f {file}` says what would change, `skypanel apply -f {file}` declares it.
"""
_SCHEMA = "# yaml-language-server: $schema={address}\n"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of it.

    Args:
        text: of the spec file.
        app: what the app is called.
        read: files that it is made of.
        notes: on what was not carried over, and what to look at.
    """

    text: str
    app: str
    read: Sequence[str]
    notes: Sequence[Note]


def begin(folder: Path, wanted: Wanted, registries: Sequence[str], *, file: str = FILE, schemas: str = "") -> Written:
    """The first spec of what is in ``folder``.

    Args:
        folder: of the repository.
        wanted: what no file says; without a name of the app it has that of app.json, or of the folder.
        registries: private ones that may be used.
        file: what it is called that is written.
        schemas: address of the JSON Schema that editors are to complete with; empty: none is named.

    Raises:
        ActionError: a name is none, there is no such folder, or it cannot be understood.
    """
    if not folder.is_dir():
        raise ActionError(f"{folder} is no folder", "name the one with the Procfile or the Dockerfile")
    texts = _texts(folder)
    app = wanted.app or slug(_all(texts, "").name) or slug(folder.resolve().name)
    found = _all(texts, f"{wanted.organization}/{app}/{wanted.environment}")
    wanted = Wanted(
        wanted.organization, app, wanted.environment, wanted.image, wanted.plan, wanted.hostname.lower().rstrip(".")
    )
    _check(wanted)
    made = documents(found, wanted)
    schema = _SCHEMA.format(address=schemas) if schemas else ""
    text = _HEAD.format(file=file) + schema + dump_documents(made)
    entries: list[Located] = []
    for each in read_resources(text, file):
        if isinstance(each, FileProblem):
            raise ActionError(f"{each.field}: {each.message}" if each.field else each.message, each.hint)
        entries.append(each)
    check_registries(entries, registries)
    said = [*found.notes, *notes(found, wanted)]
    compose = next((name for name in COMPOSE if (folder / name).is_file()), None)
    if compose is not None:
        hint = f"skypanel import compose {folder / compose} -n {wanted.organization} writes a spec of that"
        said.append(Note(compose, "is not read here", hint))
    return Written(text, app, list(texts), said)


def write(target: Path, text: str) -> None:
    """Write it where nothing is yet: all of it, or nothing.

    Raises:
        ActionError: something is there, or it cannot be written.
    """
    content = text.encode()
    try:
        with target.open("xb") as file:
            try:
                file.write(content)
                file.flush()
            except OSError:
                target.unlink()  # a disk that is full leaves no half of it
                raise
    except FileExistsError:
        raise ActionError(f"{target} is there already", "name another by -o, or remove it") from None
    except OSError as error:
        raise ActionError(f"{target} cannot be written: {error.strerror}", "name another by -o") from None


def _all(texts: Mapping[str, str], where: str) -> Found:
    found = Found()
    for name, text in texts.items():
        found = found.beside(_of(name, text, where))
    return found


def _texts(folder: Path) -> dict[str, str]:
    """What there is, those that say more first."""
    found: dict[str, str] = {}
    for name in ("Procfile", "app.json", "Dockerfile"):
        file = folder / name
        if not file.is_file():
            continue
        try:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise ActionError(f"{file} is larger than {_LARGEST} bytes")
            found[name] = content.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            raise ActionError(f"{file} cannot be read as text", "it is to be UTF-8") from None
    return found


def _of(name: str, text: str, where: str) -> Found:
    if name == "Procfile":
        return procfile.read(text, name)
    if name == "Dockerfile":
        return dockerfile.read(text, name)
    try:
        return app_json.read(text, name, where)
    except (ValueError, RecursionError) as error:
        raise ActionError(f"{name} is no JSON that can be read: {error}") from None


def _check(wanted: Wanted) -> None:
    for option, text in (
        ("--organization", wanted.organization),
        ("--app", wanted.app),
        ("--environment", wanted.environment),
    ):
        try:
            check_slug(text)
        except RefusedError as error:
            raise ActionError(f"{option}: {error.message}", error.hint) from None
    if wanted.hostname:
        try:
            check_hostname(wanted.hostname)
        except RefusedError as error:
            raise ActionError(f"--domain: {error.message}", error.hint) from None
