"""What a collector gets of a real controller's reconciles."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector import Collector
from tests.e2e.world import eventually
from tests.observe.conftest import Seen


def value(attribute: Any) -> Any:
    one = attribute.value
    if one.HasField("array_value"):
        return [v.string_value for v in one.array_value.values]
    return getattr(one, one.WhichOneof("value"))


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: value(a) for a in span.attributes}


def spans(collector: Collector) -> list[Span]:
    return [s for resource in list(collector.got) for scope in resource.scope_spans for s in scope.spans]


def test_a_reconcile_is_a_trace_whose_steps_follow_one_another_in_real_time(seen: Seen, collector: Collector) -> None:
    def made() -> Span | None:
        return next(
            (
                span
                for span in spans(collector)
                if attributes(span).get("skypanel.key") == f"environment/{seen.environment}"
                and attributes(span)["skypanel.writes"] == 1
            ),
            None,
        )

    root = eventually(made, what="the span of the reconcile that made the service")
    known = attributes(root)
    assert root.name == "reconcile environment"
    assert not root.parent_span_id
    assert known["skypanel.generation"] == 1
    assert known["skypanel.epoch"] > 0
    assert known["skypanel.result"] in ("success", "requeue_after")
    assert set(known["skypanel.woken_by"]) <= {"change", "dependency", "drift", "retry", "resync"}

    steps = [s for s in spans(collector) if s.trace_id == root.trace_id and s.parent_span_id == root.span_id]
    assert [s.name for s in steps] == [
        "load", "image", "row", "helper", "releases", "plan", "announce", "write", "observe", "report",
    ]  # fmt: skip
    assert attributes(steps[7])["skypanel.note"] == f"+ service {seen.service}"
    assert steps[0].start_time_unix_nano == root.start_time_unix_nano
    for one, following in pairwise(steps):
        assert one.end_time_unix_nano == following.start_time_unix_nano
    assert steps[-1].end_time_unix_nano <= root.end_time_unix_nano


def test_the_spans_say_whose_they_are(seen: Seen, collector: Collector) -> None:
    (resource,) = {tuple(sorted(attributes(r.resource).items())) for r in eventually(lambda: list(collector.got))}

    known = dict(resource)
    assert known["service.name"] == "skypanel-controller"
    assert known["skypanel.installation"] == seen.world.name
    assert known["deployment.environment"] == "test"
    assert known["service.version"]
