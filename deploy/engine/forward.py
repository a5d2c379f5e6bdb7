"""Port forwards: a small process that listens on the host's loopback and connects inside a node.

A published port lives in the node's network namespace, which has no route to the host. A socket belongs to
the namespace it was made in, so the forwarder enters the node's only for the moment it takes to make one.

It ends by itself when the node's sandbox ends, whatever ended that.
"""

import argparse
import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import sandbox
from deploy.engine.errors import LabError
from deploy.engine.sandbox import Sandbox

MARK = "SKYPANEL_LAB_FORWARD"
CHUNK = 65536
FORM = re.compile(r"^(?:(?P<listen>[0-9.]+):)?(?P<host>\d{1,5}):(?P<node>\d{1,5})$")


@dataclass(frozen=True, slots=True)
class Forward:
    """Host address and port that lead to a port of a node."""

    host_port: int
    node_port: int
    listen: str = "127.0.0.1"

    @classmethod
    def parse(cls, text: str) -> "Forward":
        """Read `[ADDRESS:]HOST_PORT:NODE_PORT`.

        Raises:
            LabError: it is not of that form.
        """
        if found := FORM.match(text):
            host, node = int(found["host"]), int(found["node"])
            if 0 < host < 65536 and 0 < node < 65536:
                return cls(host, node, found["listen"] or "127.0.0.1")
        raise LabError(f"{text!r} is not a forward: write [ADDRESS:]HOST_PORT:NODE_PORT, such as 8080:80")

    def __str__(self) -> str:
        return f"{self.listen}:{self.host_port}:{self.node_port}"


async def serve(node: Sandbox, address: str, forward: Forward) -> None:
    """Accept on the host and pump both ways until the node's sandbox ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with node.entered_network():
                inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            inner.setblocking(False)
            await asyncio.get_running_loop().sock_connect(inner, (address, forward.node_port))
            back_reader, back_writer = await asyncio.open_connection(sock=inner)
        except OSError:
            writer.transport.abort()  # the client sees a reset, as on a port where nothing listens
            return
        await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))

    server = await asyncio.start_server(handle, forward.listen, forward.host_port, backlog=512)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(os.pidfd_open(node.pid), ended.set)
    await ended.wait()
    server.close()  # not `async with`, which waits for the clients: one that keeps its connection would hold the port


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction; its end is passed on as a half close, so that the other may finish."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


def ensure(forward: Forward, node: Sandbox, address: str, log: Path) -> None:
    """Start the forwarder, unless it runs; returns when it accepts.

    Raises:
        LabError: the host's port is taken, or the forwarder died.
    """
    identity = f"{node.mark} {forward}"
    if sandbox.find_marked(MARK, identity):
        return
    arguments = [node.mark, address, str(forward)]
    root = str(Path(__file__).parents[2])
    sandbox.detach(
        [sys.executable, "-m", "deploy.engine.forward", *arguments],
        {**os.environ, "PYTHONPATH": root, MARK: identity},
        log,
    )
    _until(lambda: _accepts(forward) or not sandbox.lives(MARK, identity))
    if not sandbox.lives(MARK, identity):
        raise LabError(f"cannot forward {forward.listen}:{forward.host_port}: {_last_line(log)}; choose another")


def wait_ended(forward: Forward, mark: str) -> None:
    """Wait until the forwarder of a node that is gone has freed its port."""
    _until(lambda: not sandbox.find_marked(MARK, f"{mark} {forward}"))


def _until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError("a port forward does not start or end within 10 s")
        time.sleep(0.01)


def _accepts(forward: Forward) -> bool:
    try:
        socket.create_connection((forward.listen, forward.host_port), timeout=1).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    return ([*log.read_text(errors="replace").splitlines()] or ["no message"])[-1]


def main() -> None:
    """Run one forwarder: MARK ADDRESS FORWARD."""
    parser = argparse.ArgumentParser(prog="deploy.engine.forward", description=main.__doc__)
    parser.add_argument("mark")
    parser.add_argument("address")
    parser.add_argument("forward", type=Forward.parse)
    arguments = parser.parse_args()
    node = sandbox.find(arguments.mark)
    if node is None:
        sys.exit(f"no sandbox lives under {arguments.mark}")
    try:
        asyncio.run(serve(node, arguments.address, arguments.forward))
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
