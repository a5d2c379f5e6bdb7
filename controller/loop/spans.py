"""Reconciles as spans for an OpenTelemetry collector, when the standard ``OTEL_...`` variables ask for them.

Unset, nothing is imported and nothing costs. Set, each reconcile becomes one trace when it has ended: a root span with
what woke it and how it went, and a child for each step with its real times. A thread makes and sends them, by OTLP over
HTTP; a reconcile only leaves its record there. A collector that is away costs nothing but the spans: 1,024 reconciles
wait, then the oldest are dropped.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import structlog

from controller.kit.expected import ExpectedError
from controller.kit.version import own_version
from controller.loop.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

log = structlog.get_logger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_FAILED = frozenset({"transient_error", "terminal_error", "timeout", "panic"})
_CLOSE_SECONDS = 2.0
_BATCH, _MOST_WAITING = 64, 1024
_DELAY = "OTEL_BSP_SCHEDULE_DELAY"


class TracingError(ExpectedError):
    """The variables ask for something that cannot be done."""


def wanted(environment: Mapping[str, str]) -> str:
    """Name of the variable that asks for spans; empty when none does.

    Raises:
        TracingError: it asks for an exporter or a protocol that the controller does not have.
    """
    given = {name: value.strip() for name, value in environment.items() if name.startswith("OTEL_") and value.strip()}
    exporter = given.get("OTEL_TRACES_EXPORTER", "").lower()
    asks = "OTEL_TRACES_EXPORTER" if exporter else next((name for name in _ENDPOINTS if name in given), "")
    if not asks or exporter == "none" or given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    if exporter not in ("", "otlp"):
        raise TracingError(f"OTEL_TRACES_EXPORTER is {exporter!r}: the controller has only otlp; set that, or none")
    for name in _PROTOCOLS:
        protocol = given.get(name, "").lower()
        if protocol and protocol != "http/protobuf":
            raise TracingError(
                f"{name} is {protocol!r}: the controller speaks only http/protobuf, usually to port 4318"
            )
        if protocol:
            break
    return asks


def from_environment(environment: Mapping[str, str], installation: str) -> Spans | None:
    """What makes spans; None when nobody asks for them.

    Raises:
        TracingError: they are asked for and cannot be had.
    """
    asks = wanted(environment)
    if not asks:
        return None
    delay = environment.get(_DELAY, "").strip() or "5000"
    if not delay.isdigit():
        raise TracingError(f"{_DELAY} is {delay!r}: give milliseconds, such as 5000")
    try:
        return Spans(installation, int(delay) / 1000)
    except ImportError as error:
        raise TracingError(
            f"{asks} asks for spans, and the packages for it are not installed ({error.name} is missing): "
            "pip install 'skypanel-controller[tracing]', or set OTEL_TRACES_EXPORTER=none"
        ) from error


class Spans:
    """Makes and sends spans; where to is in the SDK's variables.

    Args:
        installation: an attribute of all of them.
        delay_seconds: how long a reconcile waits for others to be sent with it.

    Raises:
        ImportError: the SDK is not installed.
    """

    def __init__(self, installation: str, delay_seconds: float) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - on request
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

        resource = Resource.create({"service.version": own_version(), "skypanel.installation": installation})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "skypanel-controller"}))
        self._maker = _Maker(resource)
        self._exporter = OTLPSpanExporter()
        self._delay_seconds = delay_seconds
        self._waiting: deque[Trace] = deque(maxlen=_MOST_WAITING)  # the oldest go when nobody takes them
        self._wake = threading.Event()
        self._closing = False
        self._delivered = True
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a line for every attempt
        self._thread = threading.Thread(target=self._send, name="spans", daemon=True)
        self._thread.start()

    def __call__(self, trace: Trace) -> None:
        """One reconcile that has ended; does not wait."""
        self._waiting.append(trace)
        if len(self._waiting) == _BATCH:
            self._wake.set()

    async def close(self) -> None:
        """Send what waits; a collector that does not answer is not waited for longer than two seconds."""
        self._closing = True
        self._wake.set()
        await anyio.to_thread.run_sync(self._thread.join, _CLOSE_SECONDS)
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # ends an attempt that still goes on

    def _send(self) -> None:
        while not self._closing:
            self._wake.wait(self._delay_seconds)
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                self._deliver([span for trace in batch for span in self._maker.spans(trace)])

    def _deliver(self, spans: list[ReadableSpan]) -> None:
        delivered = not spans or self._exporter.export(spans).name == "SUCCESS"
        if delivered != self._delivered and not self._closing:
            if delivered:
                log.info("spans.delivered")
            else:
                log.warning("spans.undelivered", mend="is the collector of OTEL_EXPORTER_OTLP_ENDPOINT there?")
            self._delivered = delivered


class _Maker:
    """Spans of a reconcile that has ended; without the tracer, which takes ten times as long to make them live."""

    def __init__(self, resource: Resource) -> None:
        from opentelemetry.sdk import trace as sdk  # noqa: PLC0415 - on request
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags  # noqa: PLC0415

        self._span: Any = sdk.ReadableSpan
        self._context = SpanContext
        self._sampled = TraceFlags(TraceFlags.SAMPLED)
        self._fine, self._failed = Status(), partial(Status, StatusCode.ERROR)
        provider = sdk.TracerProvider(shutdown_on_exit=False)  # knows what OTEL_TRACES_SAMPLER means
        self._sampler, self._ids = provider.sampler, provider.id_generator
        self._common: dict[str, Any] = {
            "resource": resource,
            "instrumentation_scope": InstrumentationScope("controller.loop", own_version()),
        }

    def spans(self, trace: Trace) -> list[ReadableSpan]:
        """The root and its steps; none when the sampler leaves it out."""
        trace_id, name, attributes = self._ids.generate_trace_id(), f"reconcile {trace.key.kind}", _attributes(trace)
        sampled: bool = self._sampler.should_sample(None, trace_id, name, attributes=attributes).decision.is_sampled()  # type: ignore[no-untyped-call]
        if not sampled:
            return []
        at = int(trace.started_wall * 1e9)
        context = self._new_context(trace_id)
        made = [
            self._span(
                name,
                context,
                attributes=attributes,
                start_time=at,
                end_time=at + int(trace.seconds * 1e9),
                status=self._failed(f"{trace.reason}: {trace.message}") if trace.result in _FAILED else self._fine,
                **self._common,
            )
        ]
        for step, seconds, note in trace.steps:
            end = at + int(seconds * 1e9)
            made.append(
                self._span(
                    step,
                    self._new_context(trace_id),
                    parent=context,
                    attributes={"skypanel.note": note} if note else {},
                    start_time=at,
                    end_time=end,
                    **self._common,
                )
            )
            at = end
        return made

    def _new_context(self, trace_id: int) -> SpanContext:
        return self._context(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=self._sampled)


def _attributes(trace: Trace) -> dict[str, Any]:
    found = {
        "skypanel.kind": trace.key.kind,
        "skypanel.key": str(trace.key),
        "skypanel.reconcile_id": trace.reconcile_id,
        "skypanel.generation": trace.generation,
        "skypanel.epoch": trace.epoch,
        "skypanel.result": trace.result,
        "skypanel.woken_by": trace.woken_by,
        "skypanel.waited_seconds": trace.waited,
        "skypanel.document": trace.document,
        "skypanel.writes": trace.writes,
    }
    if trace.reason:
        found["skypanel.reason"] = trace.reason
    return found
