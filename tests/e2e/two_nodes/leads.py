"""A port of a node that leads to the same port of this machine: for servers that all of them are to know alike."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deploy.engine import Node


def listener(node: Node, port: int) -> socket.socket:
    """Bound to the node's loopback; the socket stays there, whoever serves it."""
    with node.network():
        return socket.create_server(("127.0.0.1", port))


@contextmanager
def led(node: Node, port: int) -> Iterator[None]:
    """Lead every connection onward, while the block runs."""
    with Leading(("127.0.0.1", port), Lead, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listener(node, port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Leading(socketserver.ThreadingTCPServer):
    """A thread a connection; none of them keeps the process alive."""

    daemon_threads = True


class Lead(socketserver.BaseRequestHandler):
    """One connection, until either side ends it."""

    def handle(self) -> None:
        """Copy both ways."""
        taken: socket.socket = self.request
        port = taken.getsockname()[1]
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as onward:
            while True:
                for source in select.select([taken, onward], [], [])[0]:
                    if not (data := source.recv(65536)):
                        return
                    (onward if source is taken else taken).sendall(data)
