"""The recorder keeps what tells something, and never more than its share."""

from __future__ import annotations

import anyio
import httpx
import pytest

from controller.loop import trace as module
from controller.loop.trace import Recorder, Trace
from controller.probes import application
from controller.records import Key, Loaded

KEY = Key("environment", "4a0e1b1c-0000-4000-8000-000000000001")


def reconcile(
    recorder: Recorder, *changes: str, key: Key = KEY, result: str = "success", generation: int = 1, failure: str = ""
) -> None:
    trace = Trace(key, f"id-{generation}", ("change",), 0.001, 1)
    trace.saw(Loaded(key, "org", generation, deleted=False, document={}), {"web": 7})
    trace.lap("load")
    trace.wrote(changes)
    if failure:
        trace.failed("EngineError", failure)
    trace.end(result)
    recorder.keep(trace)


def test_equal_looks_in_a_row_are_counted_and_not_kept_apart() -> None:
    recorder = Recorder()
    for _ in range(40):
        reconcile(recorder, result="requeue_after")

    (only,) = recorder.last(KEY)
    assert only["times"] == 40
    assert only["firstStartedAt"] <= only["startedAt"]


def test_the_last_write_is_not_pushed_out_by_looks_that_changed_nothing() -> None:
    recorder = Recorder()
    reconcile(recorder, "+ service web")
    for generation in range(2, 12):
        reconcile(recorder, generation=generation)

    kept = recorder.last(KEY)
    assert [r["generation"] for r in kept] == [1, 8, 9, 10, 11]
    assert [s["note"] for s in kept[0]["steps"]] == ["", "+ service web"]


def test_only_the_last_five_are_kept() -> None:
    recorder = Recorder()
    for generation in range(1, 9):
        reconcile(recorder, "~ service web", generation=generation)

    assert [r["generation"] for r in recorder.last(KEY)] == [4, 5, 6, 7, 8]


def test_the_object_reconciled_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEYS", 3)
    recorder = Recorder()
    keys = [Key("environment", str(number)) for number in range(4)]
    for key in (*keys[:3], keys[0], keys[3]):
        reconcile(recorder, key=key)

    assert [bool(recorder.last(key)) for key in keys] == [True, False, True, True]


def test_what_is_kept_stays_below_its_share_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    recorder = Recorder()
    for number in range(100):
        for generation in range(7):
            reconcile(
                recorder, *["+ service " + "x" * 900] * 3, key=Key("environment", str(number)), generation=generation
            )

    assert 50_000 < recorder.size <= 100_000
    while len(recorder) > 1:
        recorder._kept.popitem()
    ((key, entries),) = recorder._kept.items()
    assert recorder.last(key)
    assert all(len(entry.payload) < 3_000 for entry in entries)


def test_the_books_balance() -> None:
    recorder = Recorder()
    for number in range(50):
        for generation in range(9):
            reconcile(recorder, *["+ x"] * (generation % 2), key=Key("environment", str(number)), generation=generation)
            reconcile(recorder, key=Key("environment", str(number)), generation=generation)

    kept = sum(len(e.payload) for entries in recorder._kept.values() for e in entries)
    assert recorder.size == kept + len(recorder) * module._KEY_BYTES


def test_a_password_is_blanked_and_a_long_text_is_cut() -> None:
    recorder = Recorder()
    reconcile(
        recorder,
        "~ service web: Args: a -> postgresql://u:geheim@db/x",
        failure="password=geheim " + "x" * 1000 + "\ud800",
    )

    (only,) = recorder.last(KEY)
    assert "geheim" not in str(only)
    assert len(only["message"]) <= module._LONGEST_NOTE


def test_hundreds_of_writes_are_not_hundreds_of_steps() -> None:
    recorder = Recorder()
    reconcile(recorder, *[f"+ service web-{number}" for number in range(300)])

    (only,) = recorder.last(KEY)
    assert len(only["steps"]) == module._MOST_STEPS
    assert only["steps"][-1]["note"] == "238 more steps"


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.5", 200),  # the address that it listens on
        ("10.0.0.7", 403),
        ("2001:db8::1", 403),
        ("", 403),
    ],
)
def test_reconciles_are_shown_to_programs_of_the_same_machine_only(peer: str, status: int) -> None:
    async def reconciles(kind: str, object_id: str) -> dict[str, object]:
        return {"kind": kind, "id": object_id}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application(lambda: {"ready": True}, reconciles), client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.5:9470") as client:
            return await client.get("/debug/reconciles", params={"kind": "environment", "id": KEY.id})

    answer = anyio.run(ask)
    assert answer.status_code == status
    assert ("this machine only" in answer.text) == (status == 403)
