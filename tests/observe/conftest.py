"""One world with a real controller that has made one environment; the tests here look at it from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from deploy.engine import Lab
from deploy.postgres import Server
from tests.e2e.world import Controller, World, world


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tests look at."""

    world: World
    controller: Controller
    environment: str
    service: str
    path: str


@dataclass(slots=True)
class Collector:
    """Takes spans by OTLP over HTTP."""

    port: int = 0
    got: list[ResourceSpans] = field(default_factory=list)


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got += ExportTraceServiceRequest.FromString(body).resource_spans
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def seen(
    lab: Lab, postgres: Server, http_port: int, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seen]:
    """A controller that sends spans, and an environment that is Ready."""
    with world(lab, postgres, "seen", tmp_path_factory.mktemp("seen"), http_port=http_port) as here:
        controller = here.controller(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test",
            OTEL_BSP_SCHEDULE_DELAY="100",
        ).start()
        app = here.app(here.organization("acme"), "hello")
        environment = here.environment(app)
        here.wait_ready(environment)
        slug = here.slug("acme")
        yield Seen(here, controller, environment, here.service("acme-hello-production"), f"{slug}/hello/production")
