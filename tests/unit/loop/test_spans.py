"""Spans are made when the standard variables ask for them, and never in the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest
from opentelemetry.trace import StatusCode

from controller.loop import spans as spans_module
from controller.loop.spans import Spans, TracingError, from_environment, wanted
from controller.loop.trace import Trace
from controller.records import Key

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def reconcile(result: str = "success") -> Trace:
    trace = Trace(Key("environment", "a"), "id", ("change",), 0.1, 7)
    trace.lap("load")
    if result != "success":
        trace.failed("EngineError", "it said no")
    trace.end(result)
    return trace


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nobody_asks_for_spans(environment: dict[str, str]) -> None:
    assert from_environment(environment, "test") is None


@pytest.mark.parametrize(
    "environment",
    [ENDPOINT, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, {"OTEL_TRACES_EXPORTER": "otlp"}],
)
def test_somebody_asks_for_spans(environment: dict[str, str]) -> None:
    assert wanted(environment) in environment


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin': the controller has only otlp"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc': the controller speaks only http/protobuf"),
        ({**ENDPOINT, "OTEL_BSP_SCHEDULE_DELAY": "5s"}, "OTEL_BSP_SCHEDULE_DELAY is '5s': give milliseconds"),
    ],
)
def test_what_cannot_be_had_is_refused_with_a_way_out(environment: dict[str, str], said: str) -> None:
    with pytest.raises(TracingError, match=said):
        from_environment(environment, "test")


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(TracingError) as refused:
        from_environment(ENDPOINT, "test")
    assert "pip install 'skypanel-controller[tracing]'" in str(refused.value)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT asks" in str(refused.value)


def test_nothing_is_imported_when_nobody_asks() -> None:
    code = (
        "import sys, controller.daemon; sys.exit(any(m.startswith(('opentelemetry', 'google')) for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False, timeout=30)
    assert done.returncode == 0


def test_a_collector_that_is_away_costs_only_the_oldest_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(spans_module, "_CLOSE_SECONDS", 0.1)
    spans = Spans("test", 0.01)

    for _ in range(3000):
        spans(reconcile())

    assert len(spans._waiting) <= 1024
    anyio.run(spans.close)
    spans._thread.join(10)
    assert not spans._thread.is_alive()


def test_a_failure_is_marked_and_the_sampler_of_the_variables_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for sampler, made in (("always_on", 3), ("always_off", 0)):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        spans = Spans("test", 60.0)
        found = spans._maker.spans(reconcile("transient_error"))
        assert len(found) == made
        if found:
            assert found[0].status.status_code is StatusCode.ERROR
            assert found[0].status.description == "EngineError: it said no"
            assert [s.name for s in found[1:]] == ["load", "failed"]
        anyio.run(spans.close)
    assert not [t for t in threading.enumerate() if t.name == "spans"]
