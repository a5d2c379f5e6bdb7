"""A stream of hints shows when it breaks, as nothing else does."""

from __future__ import annotations

from prometheus_client import REGISTRY

from controller.telemetry.metrics import HintStream


def value(name: str) -> float:
    found = REGISTRY.get_sample_value(f"skypanel_{name}", {"stream": "test"})
    assert found is not None
    return found


def test_a_stream_that_broke_and_came_back_is_counted_and_one_that_was_ended_is_not() -> None:
    stream = HintStream("test")
    stream.connected()
    stream.connected()  # the next window of the same stream
    assert (value("hint_stream_up"), value("hint_reconnects_total")) == (1, 0)

    stream.lost()
    assert value("hint_stream_up") == 0
    stream.lost()
    stream.connected()
    assert (value("hint_stream_up"), value("hint_reconnects_total")) == (1, 1)

    stream.closed()
    assert value("hint_stream_up") == 0
    stream.connected()
    assert value("hint_reconnects_total") == 1


def test_a_hint_is_counted_and_its_age_begins_anew() -> None:
    stream = HintStream("test")
    stream._heard -= 100
    before = value("hints_total")
    assert value("hint_age_seconds") >= 100

    stream.heard()

    assert value("hints_total") == before + 1
    assert value("hint_age_seconds") < 50
