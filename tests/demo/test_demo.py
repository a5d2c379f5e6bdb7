"""`make demo` as a newcomer runs it, twice, with its port taken; and `make demo-down` afterwards."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.demo import controller, recording
from deploy.demo.paths import DemoPaths
from deploy.demo.recording import Line
from deploy.engine import find as find_lab
from deploy.engine import sandbox
from tests.docs.blocks import Block, blocks
from tests.docs.session import bare, follow
from tests.docs.shown import difference, masked
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


def test_the_demo_shows_replies_and_repairs_runs_again_and_leaves_nothing(paths: DemoPaths, tmp_path: Path) -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        first = demo("up", "--port", str(taken))
        assert first.returncode == 0, first.stdout + first.stderr
        for hostname in ("hello.localhost", "shop.localhost", "site.localhost"):
            assert re.search(rf"hello from \w+ .*host {hostname}", first.stdout)
        assert len(re.findall(r"after \d+ ms \(from that change", first.stdout)) == 2
        # On a busy machine Swarm at times forgets to stop a task that was too many, and that is repaired as well.
        repaired = [line for line in first.stdout.splitlines() if "Repaired" in line and "forgot" not in line]
        assert len(repaired) == 2, repaired
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

    shown = [block for block in blocks("README.md", "Two commands") if block.language == "text"]
    assert difference("...\n" + shown[0].text, first.stdout) is None, first.stdout
    port = re.findall(r"http://hello\.localhost:(\d+)/", first.stdout)[0]
    as_recorded(recording.record(paths, int(port)))
    here = f"set -a; . .run/{NAME}.env; set +a; cd {tmp_path}\n"
    follow([Block("", 0, "", "sh", "skypanel delete organization bakery --yes --wait\n")], ROOT, prelude=here)
    read = follow_the_page(port, tmp_path, blocks("README.md", "Then"))
    assert "environment bakery/shop/production" in read
    assert re.search(r"hello from \w+ .*host bakery.localhost", read)
    follow_the_page(port, tmp_path, blocks("docs/reference/cli.md", "plan"), prelude=here)
    follow_the_page(port, tmp_path, blocks("docs/reference/cli.md", "trace"), prelude=here)

    down = demo("down")
    assert down.returncode == 0, down.stderr
    assert controller.find(paths) == []
    assert find_lab(NAME) is None
    assert not [mark for mark in sandbox.marks() if f"/{NAME}/" in mark]
    assert not Path(paths.mark).exists()
    assert not list((ROOT / ".run").glob(f"{NAME}.*"))
    assert f"/{NAME}/" not in Path("/proc/mounts").read_text()


def as_recorded(lines: Sequence[Line]) -> None:
    """What the picture in README shows came again, but for what depends on when one looks."""
    now = {story(line) for line in recording.text_of(recording.drawn(list(lines)))}
    picture = recording.text_of((ROOT / "docs/demo.svg").read_text(encoding="utf-8"))
    assert len(picture) > len(recording.COMMANDS)
    on_the_way = ("Pending", "PinStarting", "NetworkNotReady", "RollingOut", "NetworkReady")
    shown = [line for line in picture if not any(f" {reason} " in line for reason in on_the_way)]
    assert [line for line in shown if story(line) not in now] == [], sorted(now)


def story(line: str) -> str:
    """A line without what differs, nor what a new version failed by: a slow machine has it fail its check before."""
    return re.sub("(failed and was taken back): .*", r"\1", masked(line))


def follow_the_page(port: str, folder: Path, page: Sequence[Block], *, prelude: str = "") -> str:
    """What the demo's platform answers to what a page says, by copy and paste; its files are put into ``folder``."""
    for block in page:
        if block.language == "yaml":
            (folder / "bakery.yaml").write_text(block.text, encoding="utf-8")
    other = {"demo.env": f"{NAME}.env", ":8080/": f":{port}/", "bakery.yaml": f"{folder}/bakery.yaml"}
    return follow(page, ROOT, prelude=prelude, instead=other)


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
