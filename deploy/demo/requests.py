"""Requests through the edge, as a browser sends them."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass

from deploy.demo.errors import DemoError

ROUTED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and how long it took to come."""

    status: int
    text: str
    milliseconds: float


def visit(port: int, hostname: str) -> Reply:
    """One GET of / with this Host header.

    Raises:
        OSError: nothing answers.
    """
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": hostname})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer from 127.0.0.1:{port}: {error!r}") from error
    finally:
        connection.close()
    return Reply(answer.status, text, (time.perf_counter() - begun) * 1000)


def visit_until_routed(port: int, hostname: str) -> Reply:
    """The first good reply: the edge looks for new routes once a second.

    Raises:
        DemoError: there is none in time.
    """
    deadline = time.monotonic() + ROUTED_SECONDS
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            reply = visit(port, hostname)
        except OSError as error:
            last = str(error)
        else:
            if reply.status == http.client.OK:
                return reply
            last = f"HTTP {reply.status} {reply.text}"
        time.sleep(0.05)
    raise DemoError(
        f"http://{hostname}:{port}/ gives no page after {ROUTED_SECONDS:.0f} s (last: {last}); "
        "see `docker service logs skypanel-edge`"
    )
