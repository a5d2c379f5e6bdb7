"""Runs on real parts: once, with what the app has, also when the controller dies, and ended as they say."""

from __future__ import annotations

import base64
import os
from functools import partial
from typing import Any

import pytest

from specs.names import run_job_name
from tests.e2e.test_release_commands import count, counter
from tests.e2e.world import World, eventually

__all__ = ["counter"]

TELLS = "echo $WORD-$1 | nc -w 3 web.production.counter.internal 8080; sleep $2; exit $3"


def tells(word: str, seconds: int = 0, code: int = 0) -> list[str]:
    """A command that tells the counter that it ran, with what a config var says, and ends some time after."""
    return ["/bin/sh", "-c", TELLS, "tells", word, str(seconds), str(code)]


def outcome(here: World, run: str) -> tuple[Any, Any] | None:
    """How it ended; None: it has not."""
    found = here.sql("SELECT outcome, exit_code FROM paas_run_records WHERE run_id = %s", run)
    return (found[0]["outcome"], found[0]["exit_code"]) if found and found[0]["outcome"] else None


def left(here: World, run: str) -> list[str]:
    """What it has on the Swarm."""
    ours = {"label": [f"io.skypanel.owner=run/{run}"]}
    found = [each for kind in ("services", "secrets", "configs") for each in here.engine.get(f"/{kind}", filters=ours)]
    return [each["Spec"]["Name"] for each in found]


def begins(here: World, shop: str, word: str, seconds: int = 0, code: int = 0, **more: Any) -> str:
    return here.insert("paas_runs", environment_id=shop, command=tells(word, seconds, code), **more)


@pytest.mark.long
def test_a_command_is_run_once_and_says_how_it_ended(here: World, counter: str) -> None:
    here.settings["SKYPANEL_KEYS"] = base64.b64encode(os.urandom(32)).decode()
    here.controller().start()
    here.wait_ready(counter)
    shop = here.environment(here.app(here.sql("SELECT organization_id FROM paas_apps")[0]["organization_id"], "shop"))
    path = f"{here.slug('acme')}/shop/production"
    assert here.skypanel("config", "set", path, "WORD", stdin="secret").returncode == 0
    here.wait_ready(shop)

    typed = here.skypanel("run", path, "--", *tells("well"))
    assert typed.returncode == 0, typed.stderr
    assert count(here, counter) == ["secret-well"], "with the app's config vars, on its network"
    assert here.skypanel("run", path, "--", *tells("badly", code=3)).returncode == 3

    killed = begins(here, shop, "killed", seconds=8)
    eventually(lambda: "secret-killed" in count(here, counter), what="it runs")
    here.controllers[0].kill()
    here.controller().start()
    ended = eventually(partial(outcome, here, killed), what="it ends")
    assert ended == ("succeeded", 0)
    eventually(lambda: not left(here, killed), what="nothing of it is left")

    stopped, late = begins(here, shop, "stopped", seconds=600), begins(here, shop, "late", 600, timeout_seconds=5)
    eventually(lambda: "secret-stopped" in count(here, counter), what="it runs")
    here.sql("UPDATE paas_runs SET stopped = true WHERE id = %s", stopped)
    assert eventually(partial(outcome, here, stopped), what="it is stopped") == ("stopped", None)
    assert eventually(partial(outcome, here, late), what="its time is over") == ("timed_out", None)

    removed = begins(here, shop, "removed", seconds=600)
    eventually(lambda: "secret-removed" in count(here, counter), what="it runs")
    job = run_job_name(installation=here.name, run=removed)
    here.engine.delete(f"/services/{job}")
    assert eventually(partial(outcome, here, removed), what="it is missed") == ("unknown", None)
    told = count(here, counter)
    assert sorted(told) == sorted(set(told)), "none ran twice"
    eventually(lambda: not any(left(here, run) for run in (stopped, late, removed)), what="nothing of them is left")
