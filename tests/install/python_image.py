"""An image in place of python:3.13-slim, made of Debian's packages, as no registry is asked here."""

from __future__ import annotations

from pathlib import Path

from deploy.engine import debian
from deploy.engine.paths import cache_root, exclusive
from deploy.machine.base import TOOLS, bootstrap

NAME = "python:3.13-slim"


def python_image() -> Path:
    """A tar of its files, for ``docker import``; built unless it is cached."""
    debian.install_on_host(TOOLS)
    target = cache_root() / "machines" / "python-3.13-slim.tar"
    with exclusive(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial.tar")
            bootstrap("trixie", partial, ["python3", "python3-venv"], "--variant=essential")
            partial.rename(target)
    return target
