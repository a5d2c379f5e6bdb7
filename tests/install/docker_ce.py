"""Docker's own packages, as far as they can be had without its archive: the engine of a newer Debian as docker-ce."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from deploy.engine import debian
from deploy.engine.daemon import DEFAULT_SUITE, PACKAGES
from deploy.engine.paths import cache_root, exclusive

CONTROL = """\
Package: docker-ce
Version: 5:26.1.5-1~debian.12~bookworm
Architecture: {architecture}
Maintainer: tests <tests@skypanel.example>
Depends: iptables, runc, libdevmapper1.02.1, libsystemd0
Conflicts: docker.io, containerd
Description: engine of a newer release
"""
INSTALLED = "#!/bin/sh\ngetent group docker >/dev/null || groupadd --system docker\nsystemctl enable --now docker\n"


def docker_ce() -> Path:
    """The package file, built unless it is cached."""
    engine = debian.fetch(DEFAULT_SUITE, PACKAGES[DEFAULT_SUITE])
    key = hashlib.sha256((CONTROL + INSTALLED + engine.name).encode()).hexdigest()[:12]
    target = cache_root() / "machines" / f"docker-ce-{key}.deb"
    with exclusive(target.with_suffix(".lock")):
        if not target.exists():
            tree = target.with_suffix(".tree")
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(engine, tree, symlinks=True)
            (tree / "DEBIAN").mkdir()
            architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
            (tree / "DEBIAN/control").write_text(CONTROL.format(architecture=architecture.stdout.strip()))
            (tree / "DEBIAN/postinst").write_text(INSTALLED)
            (tree / "DEBIAN/postinst").chmod(0o755)
            partial = target.with_suffix(".partial")
            subprocess.run(
                ["dpkg-deb", "--build", "-Znone", "--root-owner-group", tree, partial], capture_output=True, check=True
            )
            partial.rename(target)
            shutil.rmtree(tree)
    return target
