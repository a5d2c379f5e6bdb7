"""Ports and files of a demo."""

from __future__ import annotations

import socket

import pytest

from deploy.demo.errors import DemoError
from deploy.demo.next_steps import next_steps
from deploy.demo.paths import DemoPaths, free_port


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        assert taken < free_port(taken, "the edge") <= taken + 50


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(DemoError, match="not a port"):
        free_port(port, "the edge")


def test_the_next_steps_name_this_demo_and_its_ports() -> None:
    text = next_steps(DemoPaths("other"), 8123, "http://127.0.0.1:9999/metrics")

    assert "http://hello.localhost:8123/" in text
    assert ". .run/other.env" in text
    assert "make demo-down NAME=other" in text
    assert "curl http://127.0.0.1:9999/metrics" in text
