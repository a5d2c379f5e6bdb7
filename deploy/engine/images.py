"""The lab's images: from the manifest `images.toml` to a tar in the cache, and from there into an engine.

The cache is keyed by the recipe (manifest entry, files, versions of what is copied in, and the builder
itself), so a changed recipe is built anew and an unchanged one never. An engine that has the image id already
loads nothing.
"""

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from deploy.engine import debian, programs, public
from deploy.engine.api import EngineApi
from deploy.engine.errors import EngineApiError, LabError
from deploy.engine.layer import Layer, write_image
from deploy.engine.paths import cache_root, exclusive

HERE = Path(__file__).parent
PREFIX = "127.0.0.1:5000/skypanel"  # refused at once when an engine asks for it: no resolver, no waiting
SHELL_SUITE = "bookworm"
PASSWD = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One entry of the manifest; the manifest's head says what each field means."""

    name: str
    about: str
    tags: tuple[str, ...]
    long: bool = False
    public: str | None = None
    shell: bool = False
    suite: str = SHELL_SUITE
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    wheel: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    make: dict[str, str] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    fifos: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    stop_signal: str = ""

    def key(self) -> str:
        """Hash of all that decides the image's content."""
        parts = [repr(self), *(metadata.version(name) for name in self.wheel.values())]
        sources = [HERE / "images.py", HERE / "layer.py", HERE / "programs.py"]
        sources += [HERE / "recipes" / self.name / name for name in self.files.values()]
        digest = hashlib.sha256("\0".join(parts).encode())
        for source in sources:
            digest.update(source.read_bytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the cache: its name in the lab, its id, and its tar."""

    reference: str
    id: str
    tar: Path
    origin: str

    def load_into(self, api: EngineApi) -> bool:
        """Give it to an engine, unless it has it; returns whether anything was loaded."""
        try:
            if api.get(f"/images/{self.reference}/json")["Id"] == self.id:
                return False
        except EngineApiError as error:
            if error.status != 404:
                raise
        with self.tar.open("rb") as content:
            answer = api.post("/images/load", content, quiet="true")
        problems = [line["error"] for line in answer if "error" in line] if isinstance(answer, list) else []
        if problems:
            raise LabError(f"the engine on {api.path} cannot load {self.reference}: {problems[0]}")
        return True


def recipes() -> dict[str, Recipe]:
    """The manifest, by name."""
    document = tomllib.loads((HERE / "images.toml").read_text())
    return {name: Recipe(name, **_frozen(entry)) for name, entry in document.items()}


def load(names: Sequence[str]) -> list[Image]:
    """The images with these names, built or fetched unless they are in the cache.

    Args:
        names: "web" for all tags of a name, "web:2" for one.

    Raises:
        LabError: the manifest has no such image, or it cannot be built.
    """
    known = recipes()
    wanted: dict[tuple[str, str], None] = {}
    for text in names:
        name, _, tag = text.partition(":")
        if name not in known or (tag and tag not in known[name].tags):
            have = ", ".join(f"{r.name}:{t}" for r in known.values() for t in r.tags)
            raise LabError(f"no image {text!r} in the manifest; there are {have}")
        wanted |= dict.fromkeys((name, each) for each in ([tag] if tag else known[name].tags))
    return [_cached(known[name], tag) for name, tag in wanted]


def _cached(recipe: Recipe, tag: str) -> Image:
    reference = f"{PREFIX}/{recipe.name}:{tag}"
    folder = cache_root() / "images"
    stem = f"{recipe.name}-{tag}-{recipe.key()}"
    tar, note = folder / f"{stem}.tar", folder / f"{stem}.json"
    with exclusive(folder / f"{stem}.lock"):
        if not (note.exists() and tar.exists()):
            identity, origin = _make(recipe, tag, reference, tar)
            note.write_text(json.dumps({"id": identity, "origin": origin}) + "\n")
        known = json.loads(note.read_text())
    return Image(reference, known["id"], tar, known["origin"])


def _make(recipe: Recipe, tag: str, reference: str, tar: Path) -> tuple[str, str]:
    if recipe.public:
        source = recipe.public.format(tag=tag)
        if identity := public.pull(source, reference, tar):
            return identity, source
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return write_image(_layer(recipe), _config(recipe, tag), [reference], architecture, tar), "built here"


def _layer(recipe: Recipe) -> Layer:
    layer = Layer()
    layer.merge_usr()
    for folder in ("/etc", "/proc", "/sys", "/dev", "/run", "/var"):
        layer.folder(folder)
    layer.folder("/tmp", mode=0o1777)
    homes = {name: home if (home := f"/home/{name}") in recipe.make else "/" for name in recipe.users}
    people = "".join(f"{name}:x:{uid}:{uid}::{homes[name]}:/bin/sh\n" for name, uid in recipe.users.items())
    groups = "".join(f"{name}:x:{uid}:\n" for name, uid in recipe.users.items())
    layer.file("/etc/passwd", (PASSWD + people).encode())
    layer.file("/etc/group", (GROUP + groups).encode())
    layer.file("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    if recipe.shell:
        programs.add_shell(layer, debian.fetch(SHELL_SUITE, ["busybox-static"]))
    if recipe.packages:
        tree = debian.fetch(recipe.suite, recipe.packages, with_dependencies=True)
        programs.add_programs(layer, tree, recipe.programs, recipe.folders)
    for program, distribution in recipe.wheel.items():
        layer.file(f"/usr/local/bin/{program}", programs.of_distribution(distribution, program), mode=0o755)
    for path, name in recipe.files.items():
        layer.file(path, HERE / "recipes" / recipe.name / name, mode=0o755)
    for path, owner in recipe.make.items():
        uid, mode = owner.split(":")
        layer.folder(path, mode=int(mode, 8), uid=int(uid))
    for path, leads_to in recipe.links.items():
        layer.link(path, leads_to)
    for path in recipe.fifos:
        layer.fifo(path)
    return layer


def _config(recipe: Recipe, tag: str) -> dict[str, Any]:
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **recipe.env}
    config: dict[str, Any] = {
        "Env": [f"{name}={value.format(tag=tag)}" for name, value in environment.items()],
        "Entrypoint": [part.format(tag=tag) for part in recipe.entrypoint],
        "Cmd": [part.format(tag=tag) for part in recipe.command],
        "ExposedPorts": {port: {} for port in recipe.ports},
        "Volumes": {path: {} for path in recipe.volumes},
        "User": recipe.user,
        "WorkingDir": recipe.workdir,
        "StopSignal": recipe.stop_signal,
        "Labels": {"org.opencontainers.image.title": recipe.name, "org.opencontainers.image.version": tag},
    }
    return {name: value for name, value in config.items() if value}


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
