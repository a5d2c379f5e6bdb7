"""``skypanel trace`` tells what a real controller did to an object."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.e2e.world import eventually
from tests.labs import free_port
from tests.observe.conftest import Seen


def run(seen: Seen, *arguments: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    return seen.world.skypanel("trace", *arguments, "--from", f"127.0.0.1:{port or seen.controller.port}")


def reconciles(seen: Seen) -> list[dict[str, Any]]:
    done = run(seen, "environment", seen.path, "-o", "json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["reconciles"])


def writes(reconcile: dict[str, Any]) -> list[str]:
    return [s["note"] for s in reconcile["steps"] if s["name"] == "write"]


def test_it_shows_what_woke_the_reconcile_what_it_did_and_how_long_each_step_took(seen: Seen) -> None:
    seen.world.sql("UPDATE paas_environments SET stop_grace_seconds = 3 WHERE id = %s", seen.environment)

    made = eventually(lambda: next((r for r in reconciles(seen) if r["generation"] == 2 and writes(r)), None))

    assert "change" in made["wokenBy"]
    assert made["document"] == "present"
    assert made["live"].keys() == {seen.service}
    assert [s["name"] for s in made["steps"]] == ["load", "releases", "plan", "announce", "write", "observe", "report"]
    assert writes(made)[0].startswith(f"~ service {seen.service}: ")
    assert sum(s["seconds"] for s in made["steps"]) == pytest.approx(made["seconds"], rel=0.2)


def test_a_repair_is_told_with_the_words_of_its_event(seen: Seen) -> None:
    seen.world.change_by_hand(seen.service, lambda spec: spec["Labels"].pop("io.skypanel.process"))

    def repaired() -> list[str]:
        return [e["message"] for e in seen.world.events(seen.environment) if e["reason"] == "Repaired"]

    event = eventually(repaired)[0]
    repair = next(r for r in reconciles(seen) if "drift" in r["wokenBy"] and writes(r))
    assert writes(repair)[0] in event


def test_people_read_it_as_a_table_and_can_name_the_object_by_its_uuid(seen: Seen) -> None:
    done = run(seen, f"environment/{seen.environment}")

    assert done.returncode == 0, done.stderr
    assert f"environment {seen.environment}, by the leader" in done.stdout
    assert re.search(r"^  STEP +TIME +NOTE$", done.stdout, re.MULTILINE)
    assert re.search(rf"^  write +\d+\.\d ms +~ service {seen.service}: ", done.stdout, re.MULTILINE)
    assert "reconcile_id" in done.stdout


def test_a_stand_by_says_who_leads(seen: Seen) -> None:
    standby = seen.world.controller().start(ready=False)
    eventually(lambda: '"role":"standby"' in standby.fetch("/readyz"), what="it stands by")
    try:
        done = run(seen, "environment", seen.path, port=standby.port)
    finally:
        standby.terminate()
    assert done.returncode == 1
    leader = seen.world.root("SELECT holder FROM skypanel.lease")[0]["holder"]
    assert f"stands by; {leader} leads" in done.stderr


def test_where_nobody_answers_it_says_what_to_set(seen: Seen) -> None:
    done = run(seen, "environment", seen.path, port=free_port())

    assert done.returncode == 1
    assert "no controller answers at 127.0.0.1:" in done.stderr
    assert "SKYPANEL_LISTEN" in done.stderr


def test_a_question_that_names_no_object_is_refused(seen: Seen) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{seen.controller.port}/debug/reconciles")
    with refused.value:
        assert refused.value.code == 400
        assert "kind=environment&id=UUID" in refused.value.read().decode()
