"""A config that is a program: it is executed where nothing else of ours is, and shows nobody what it passes on.

The simulated Swarm executes nothing, so this is of the real engine alone; that a config can be mounted and referred to
is in ``test_contents``.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import Any

import anyio.to_thread
import orjson
import pytest

from controller.actions.doctor import config_mounts
from controller.swarm.helper.program import program
from deploy.engine import IMAGE_PREFIX, Lab, debian, images
from reconcilers.helper import PROGRAM, VARIABLES
from tests.conformance.engine.harness import PAUSE, SECOND, WEB, Document, EngineHarness, encoded

pytestmark = pytest.mark.anyio

ONLY = f"{IMAGE_PREFIX}/only:1"
SECRETS = {
    b"EMPTY": b"",
    b"LINES": b"first\nsecond\n\n",
    b"DOLLAR": b"$HOME ${PATH} $(id) `id` %s \\n",
    b"QUOTES": b"'\"\"'",
    b"BYTES": bytes(range(1, 256)),
    b"lower.case-name": b"a=b=c",
    b"LONG": b"planted" * 17_000,
    b"SET": b"by the file",
}
FILE = b"".join(b"%b=%b\0" % each for each in SECRETS.items())
STRICT: Document = {
    "Init": False,
    "ReadOnly": True,
    "CapabilityDrop": ["ALL"],
    "Privileges": {"NoNewPrivileges": True, "Seccomp": {"Mode": "default"}},
    "Env": ["SET=by the service", "PLAIN=1"],
}


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(scope="module")
def only(conform_lab: Lab) -> str:
    """An image that has one static program, and nothing else: no library, no user, no folder."""
    (busybox,) = debian.fetch(images.SHELL_SUITE, ["busybox-static"]).glob("**/bin/busybox")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(busybox, "busybox", filter=lambda member: member.replace(mode=0o755))
    name, _, tag = ONLY.rpartition(":")
    conform_lab.api().post("/images/create", content.getvalue(), fromSrc="-", repo=name, tag=tag)
    return ONLY


async def create(here: EngineHarness, image: str, *command: str, text: str = "web", **container: Any) -> None:
    """Make a service whose program is behind the helper."""
    machine = (await here.get("/version"))["Arch"]
    files: Document = {}
    for kind, target, mode, data in (("Config", PROGRAM, 0o555, program(machine)), ("Secret", VARIABLES, 0o444, FILE)):
        name = here.name(f"{text}-{kind}")
        made = await here.post(f"/{kind.lower()}s/create", {"Name": name, "Data": encoded(data)})
        file = {"Name": target, "Mode": mode, "UID": "0", "GID": "0"}
        files[f"{kind}s"] = [{f"{kind}ID": made["ID"], f"{kind}Name": name, "File": file}]
    front = {"Image": image, "Command": [PROGRAM], "Args": [VARIABLES, *command]}
    limits = {"Limits": {"MemoryBytes": 6 << 20, "Pids": 20}}
    whole = {**STRICT, **front, **files, **container}
    await here.create(text, replicas=1, container=whole, template={"Resources": limits})


async def start(here: EngineHarness, image: str, *command: str, text: str = "web", **container: Any) -> Document:
    """The same, and its container, inspected."""
    await create(here, image, *command, text=text, **container)
    (found,) = await here.until(lambda: here.containers(text), what=f"a container of {text}")
    return dict(await here.get(f"/containers/{found['Id']}/json"))


def environ(lab: Lab, container: Document) -> dict[bytes, bytes]:
    """What its first process has, as the kernel says it."""
    shown = inside(lab, f"/proc/{container['State']['Pid']}/environ")
    return dict(record.split(b"=", 1) for record in shown.removesuffix(b"\0").split(b"\0"))


def inside(lab: Lab, path: str) -> bytes:
    """A file as the engine sees it."""
    command = lab.nodes[0].daemon.sandbox.command("cat", path)
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("image", "user", "command"),
    [
        (ONLY, "1234:1234", ["/busybox", "sleep", "600"]),
        (PAUSE, "", ["/pause"]),
        (WEB, "65534:65534", ["web"]),
        (WEB, "0:0", ["/bin/web"]),
    ],
    ids=["nothing but a program", "the user of the image", "found in PATH", "root without capabilities"],
)
async def test_a_config_is_executed_in_any_image_and_passes_every_byte(
    here: EngineHarness, conform_lab: Lab, only: str, image: str, user: str, command: list[str]
) -> None:
    container = await start(here, image, *command, **({"User": user} if user else {}))
    await here.runs()

    async def seen() -> dict[bytes, bytes]:
        return await anyio.to_thread.run_sync(environ, conform_lab, container)

    async def passed() -> bool:
        return b"EMPTY" in await seen()

    await here.until(passed, what="the variables")
    found = await seen()
    assert SECRETS.items() <= found.items()
    assert found[b"PLAIN"] == b"1", "what the service sets is there, too"
    for shown in (container, await here.service(), await here.tasks(), await here.get("/secrets")):
        said = orjson.dumps(shown)
        assert b"planted" not in said
        assert b"by the file" not in said
    assert container["Path"] == PROGRAM


async def test_the_mount_of_a_config_has_no_flag_that_forbids_to_execute(
    here: EngineHarness, conform_lab: Lab, only: str
) -> None:
    """The engine makes it ``noexec`` and forgets that when it makes it read-only."""
    container = await start(here, only, "/busybox", "sleep", "600", User="1234")
    table = await anyio.to_thread.run_sync(inside, conform_lab, f"/proc/{container['State']['Pid']}/mountinfo")
    lines = table.decode().splitlines()
    (flags,) = [line.split()[5].split(",") for line in lines if line.split()[4] == PROGRAM]
    assert "ro" in flags
    assert "noexec" not in flags
    assert config_mounts.executable(table.decode(), container["Id"]) is True
    assert config_mounts.started_through_it(await here.containers())


async def test_a_health_check_sees_the_variables_through_it_and_not_without(here: EngineHarness, only: str) -> None:
    test = ["/busybox", "sh", "-c", '[ "$LINES" ] && echo "$SET"']
    for text, front, said in (("through", [PROGRAM, VARIABLES], (0, "by the file\n")), ("without", [], (1, ""))):
        check = {"Test": ["CMD", *front, *test], "Interval": SECOND // 5, "Timeout": 5 * SECOND, "Retries": 1000}
        container = await start(here, only, "/busybox", "sleep", "600", text=text, User="1234", Healthcheck=check)

        async def answers(container_id: str = str(container["Id"])) -> list[Document]:
            return list((await here.get(f"/containers/{container_id}/json"))["State"]["Health"]["Log"])

        (first, *_) = await here.until(answers, what="an answer of the check")
        assert (first["ExitCode"], first["Output"]) == said


@pytest.mark.parametrize(
    ("command", "container", "code", "line"),
    [
        ("/nonesuch", {}, 127, b"/.skypanel/env: /nonesuch: not found"),
        ("/etc/hosts", {}, 126, b"/.skypanel/env: /etc/hosts: permission denied"),
        ("/busybox", {"Secrets": []}, 125, b"/.skypanel/env: /.skypanel/vars: no such file"),
    ],
    ids=["absent", "no program", "no variables"],
)
async def test_a_task_that_cannot_become_its_program_fails_as_shells_number_it_and_says_why(
    here: EngineHarness, only: str, command: str, container: Document, code: int, line: bytes
) -> None:
    await create(here, only, command, User="1234", **container)
    (failed, *_) = await here.ends("failed")
    ran = failed["Status"]["ContainerStatus"]
    assert ran["ExitCode"] == code
    _, said = await here.transport.exchange("GET", f"/containers/{ran['ContainerID']}/logs", {"stderr": "1"}, None)
    assert line in said
    assert b"planted" not in said
