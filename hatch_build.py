"""Compiles the helper that stands in front of tenants' programs, as part of every build and install of the project.

    python hatch_build.py

does that alone, where the project is. The compiler is the Python package ziglang: it knows both architectures, needs
nothing else of the machine, and the same source gives the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("controller/swarm/helper")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
FLAGS = [
    *("-std=c11", "-Os", "-ffreestanding", "-nostdlib", "-static", "-s"),
    *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"),
    *("-fsanitize=undefined", "-fsanitize-trap=undefined"),  # what is undefined ends it
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none", "-Wl,-z,noexecstack"),
]


class CompileHelper(BuildHookInterface[Any]):
    """Has hatchling put the programs into the wheel; an editable install finds them where they are compiled."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """Before the files of the wheel are collected."""
        compile_helper(Path(self.root))
        build_data["artifacts"] += [f"/{FOLDER}/env-{architecture}" for architecture in MACHINES]


def compile_helper(root: Path) -> None:
    """Compile ``env.c`` for each architecture, beside it; a program that is the same already is not touched.

    Raises:
        SystemExit: there is no compiler, or it does not take the source; what it said is on stderr.
    """
    folder = root / FOLDER
    with tempfile.TemporaryDirectory(dir=folder, prefix=".compile-") as scratch:
        # Its cache is of no use for one file, and the home of a system account may not be there.
        caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), f"{scratch}/cache")
        for architecture, machine in MACHINES.items():
            made, kept = Path(scratch, architecture), folder / f"env-{architecture}"
            target = ["-target", f"{machine}-freestanding-none"]
            command = [sys.executable, "-m", "ziglang", "cc", *target, *FLAGS, "-o", str(made), "env.c"]
            if subprocess.run(command, cwd=folder, env={**os.environ, **caches}, check=False).returncode:
                raise SystemExit(
                    f"{FOLDER}/env.c cannot be compiled for {architecture}: see above. The compiler is the Python "
                    "package ziglang, which the lock files have (else: pip install ziglang)"
                )
            if not kept.exists() or kept.read_bytes() != made.read_bytes():
                made.replace(kept)


if __name__ == "__main__":
    compile_helper(Path(__file__).parent)
