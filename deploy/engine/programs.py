"""Which files a program needs, out of unpacked Debian packages or of an installed Python distribution."""

import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from deploy.engine.errors import LabError
from deploy.engine.layer import Layer

ELF = b"\x7fELF"
APPLETS = (
    "awk basename cat chmod chown cut date dirname echo env expr false grep head hostname id kill ln ls "
    "mkdir mktemp mv nc nslookup ping printenv printf ps pwd readlink realpath rm rmdir sed sh sleep sort "
    "stat tail tee test touch tr true uname wc"
)


def add_shell(layer: Layer, tree: Path) -> None:
    """Put a static busybox into the layer, with links for the common commands."""
    found = [path for path in (tree / "bin/busybox", tree / "usr/bin/busybox") if path.exists()]
    if not found:
        raise LabError(f"no busybox in {tree}; remove that folder to fetch it again")
    layer.file("/usr/bin/busybox", found[0], mode=0o755)
    for applet in APPLETS.split():
        layer.link(f"/usr/bin/{applet}", "busybox")


def add_programs(layer: Layer, tree: Path, programs: Iterable[str], folders: Iterable[str]) -> None:
    """Put programs and folders of unpacked packages into the layer, and every library that they load.

    Raises:
        LabError: a file is not in the packages, or a library of it is not.
    """
    wanted = {name: _inside(tree, name) for name in programs}
    for folder in folders:
        wanted |= _contents(layer, folder, _inside(tree, folder))
    loader = next(iter(sorted(tree.glob("**/ld-linux*.so.*"))), None)
    if loader is None:
        raise LabError(f"no dynamic loader in {tree}: the packages were fetched without libc")
    libraries = ":".join(sorted({str(path.parent) for path in tree.glob("**/*-linux-gnu*/*.so*")}))
    for path in [path for path in wanted.values() if _is_elf(path)]:
        for library in _libraries(loader.resolve(), libraries, path):
            wanted.setdefault(f"/{library.relative_to(tree)}", library)
    for name, path in wanted.items():
        layer.file(name, path.resolve())
    _add_interpreter(layer, tree, loader)


def of_distribution(distribution: str, program: str) -> Path:
    """The program that an installed Python distribution brings.

    Raises:
        LabError: it is not installed.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise LabError(f"the Python distribution {distribution} is not installed: pip install {distribution}") from None
    for file in files:
        if file.name == program:
            return Path(str(file.locate())).resolve()
    raise LabError(f"the Python distribution {distribution} has no program called {program}")


def _contents(layer: Layer, name: str, top: Path) -> dict[str, Path]:
    """Files below a folder by their name in the image; links are put into the layer at once."""
    files = {}
    for path in sorted(top.rglob("*")):
        inner = f"{name}/{path.relative_to(top)}"
        if path.is_symlink():
            layer.link(inner, str(path.readlink()))
        elif path.is_file():
            files[inner] = path
    return files


def _inside(tree: Path, name: str) -> Path:
    path = tree / name.lstrip("/")
    if not path.exists():
        raise LabError(f"{name} is not in the packages unpacked in {tree}")
    return path


def _is_elf(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(4) == ELF


def _libraries(loader: Path, folders: str, program: Path) -> list[Path]:
    """What the packages' own loader finds; it runs here, but reads only their libraries."""
    listing = subprocess.run(
        [str(loader), "--library-path", folders, "--list", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in listing.stdout.splitlines()]
    absent = [line[0] for line in lines if line[2:4] == ["not", "found"]]
    if absent:
        raise LabError(f"{program} needs {', '.join(absent)}, which the packages do not bring")
    return [Path(line[2]) for line in lines if len(line) > 2 and line[1] == "=>"]


def _add_interpreter(layer: Layer, tree: Path, loader: Path) -> None:
    """Put the loader where programs look for it, which is below /lib*, wherever the packages have it."""
    layer.file("/" + str(loader.relative_to(tree)), loader.resolve())
    for pattern in ("lib*/ld-linux*.so.*", "usr/lib*/ld-linux*.so.*"):
        for link in tree.glob(pattern):
            layer.file("/" + str(link.relative_to(tree)).removeprefix("usr/"), loader.resolve())
