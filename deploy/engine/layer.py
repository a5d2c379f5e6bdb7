"""One image layer and its image, written as tars that are the same bits each time: fixed times, fixed owners,
sorted.

The result is what `docker save` writes, so that any engine loads it and gives it the same id.
"""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

MERGED = ("bin", "sbin", "lib", "lib64")  # in Debian these are links into /usr


@dataclass(slots=True)
class Layer:
    """Entries by their path in the image; a later one replaces an earlier one."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes | Path | None]] = field(default_factory=dict)

    def folder(self, path: str, *, mode: int = 0o755, uid: int = 0) -> None:
        """An empty folder, and those above it."""
        self._add(path, tarfile.DIRTYPE, mode=mode, uid=uid)

    def file(self, path: str, content: bytes | Path, *, mode: int | None = None) -> None:
        """A file of root's; its mode is the source's unless given."""
        if mode is None:
            mode = content.stat().st_mode & 0o755 if isinstance(content, Path) else 0o644
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        self._add(path, tarfile.REGTYPE, mode=mode, size=size, content=content)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._add(path, tarfile.SYMTYPE, mode=0o777, target=target)

    def fifo(self, path: str) -> None:
        """A named pipe that everybody may open."""
        self._add(path, tarfile.FIFOTYPE, mode=0o666)

    def merge_usr(self) -> None:
        """Make /bin, /sbin, /lib and /lib64 links into /usr, as the files of Debian's packages expect."""
        for name in MERGED:
            self.folder(f"/usr/{name}")
            self.link(f"/{name}", f"usr/{name}")

    def write(self, target: Path) -> str:
        """Write the tar; returns its sha256 in hexadecimal."""
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(self.entries):
                entry, content = self.entries[path]
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        tar.addfile(entry, source)
                else:
                    tar.addfile(entry, io.BytesIO(content) if content is not None else None)
        with target.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()

    def _add(
        self,
        path: str,
        kind: bytes,
        *,
        mode: int,
        uid: int = 0,
        size: int = 0,
        target: str = "",
        content: bytes | Path | None = None,
    ) -> None:
        name = self._merged(path.strip("/"))
        for parent in PurePosixPath(name).parents:
            if str(parent) != "." and str(parent) not in self.entries:
                self._add(str(parent), tarfile.DIRTYPE, mode=0o755)
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid, entry.size, entry.linkname = (
            kind,
            mode,
            uid,
            uid,
            size,
            target,
        )
        self.entries[name] = (entry, content)

    def _merged(self, name: str) -> str:
        top, slash, _ = name.partition("/")
        linked = top in self.entries and self.entries[top][0].type == tarfile.SYMTYPE
        return f"usr/{name}" if slash and linked else name


def write_image(
    layer: Layer, config: dict[str, Any], references: Sequence[str], architecture: str, target: Path
) -> str:
    """Write an image of one layer; returns its id ("sha256:..."). `target` appears only when it is whole."""
    work = target.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        diff = layer.write(work / "layer.tar")
        image = {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "deploy.engine"}],
        }
        document = json.dumps(image, sort_keys=True).encode()
        identity = hashlib.sha256(document).hexdigest()
        manifest = [{"Config": f"{identity}.json", "RepoTags": list(references), "Layers": ["layer.tar"]}]
        with tarfile.open(work / "image.tar", "w") as tar:
            for name, data in (
                (f"{identity}.json", document),
                ("manifest.json", json.dumps(manifest).encode()),
            ):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            entry = tarfile.TarInfo("layer.tar")
            entry.size = (work / "layer.tar").stat().st_size
            with (work / "layer.tar").open("rb") as content:
                tar.addfile(entry, content)
        (work / "image.tar").rename(target)
    finally:
        shutil.rmtree(work)
    return f"sha256:{identity}"
