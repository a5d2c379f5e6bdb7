"""`make demo` as a newcomer runs it, twice, with its port taken; and `make demo-down` afterwards."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import controller
from deploy.demo.paths import DemoPaths
from deploy.engine import find as find_lab
from deploy.engine import sandbox
from tests.labs import free_port

ROOT = Path(__file__).parents[2]
NAME = "test-demo"
pytestmark = pytest.mark.timeout(400)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.demo", *arguments, "--name", NAME],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def paths() -> Iterator[DemoPaths]:
    demo("down")
    yield DemoPaths(NAME)
    demo("down")


def test_the_demo_shows_replies_and_repairs_runs_again_and_leaves_nothing(paths: DemoPaths) -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        first = demo("up", "--port", str(taken))
        assert first.returncode == 0, first.stdout + first.stderr
        for hostname in ("hello.localhost", "shop.localhost", "site.localhost"):
            assert re.search(rf"hello from \w+ .*host {hostname}", first.stdout)
        assert len(re.findall(r"after \d+ ms \(from that change", first.stdout)) == 2
        assert first.stdout.count("Repaired") == 2
        assert f"not on {taken}" in first.stdout
        running = controller.find(paths)

        second = demo("up", "--port", str(taken))
        assert second.returncode == 0, second.stdout + second.stderr
        assert "runs already" in second.stdout
        assert controller.find(paths) == running
        assert paths.pid_file.read_text().split() == [str(running[0])]

    shell = f"set -eu; set -a; . .run/{NAME}.env; set +a; python -m controller get environments; docker service ls"
    listed = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False, env=bare())
    assert listed.returncode == 0, listed.stderr
    assert "acme/hello/production" in listed.stdout
    assert "acme-hello-production-web" in listed.stdout

    shown = follow_the_readme(re.findall(r"http://hello\.localhost:(\d+)/", first.stdout)[0])
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "environment bakery/shop/production" in shown.stdout
    assert re.search(r"hello from \w+ .*host bakery.localhost", shown.stdout)

    down = demo("down")
    assert down.returncode == 0, down.stderr
    assert controller.find(paths) == []
    assert find_lab(NAME) is None
    assert not [mark for mark in sandbox.marks() if f"/{NAME}/" in mark]
    assert not Path(paths.mark).exists()
    assert not list((ROOT / ".run").glob(f"{NAME}.*"))
    assert f"/{NAME}/" not in Path("/proc/mounts").read_text()


def follow_the_readme(port: str) -> subprocess.CompletedProcess[str]:
    """What stands under `Then` in README.md, by copy and paste; the first line that fails ends it."""
    then = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Then\n")[2].partition("\n## ")[0]
    app = re.search(r"```yaml\n(.*?)```", then, re.DOTALL)
    assert app is not None
    lines = re.findall(r"^ {4}(\S.*)$", then.replace(app[0], ""), re.MULTILINE)
    assert "skypanel apply bakery.yaml --wait" in lines
    script = "\n".join(lines).replace("demo.env", f"{NAME}.env").replace(":8080/", f":{port}/")
    file = ROOT / "bakery.yaml"
    file.write_text(app[1], encoding="utf-8")
    # `plan` says by its exit code that something would change.
    shell = 'skypanel() { python -m controller "$@" || { [ "$1 $?" = "plan 2" ]; }; }\nset -e\n' + script
    try:
        return subprocess.run(
            ["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False, env=bare(), timeout=120
        )
    finally:
        file.unlink()


def test_a_killed_controller_and_engine_are_brought_back_by_the_next_run(paths: DemoPaths) -> None:
    assert demo("up", "--port", str(free_port())).returncode == 0
    os.kill(controller.find(paths)[0], 9)
    lab = find_lab(NAME)
    assert lab is not None
    lab.nodes[0].daemon.kill()

    again = demo("up")

    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("Repaired") == 2


def test_a_name_that_cannot_be_used_is_refused_with_the_form_it_must_have() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.demo", "up", "--name", "No_Name"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'No_Name' cannot name a lab")


def bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SKYPANEL_", "DOCKER_"))}
