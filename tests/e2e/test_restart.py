"""A restart on real parts: other tasks of the same release, also beside files that do not speak of it."""

from __future__ import annotations

from tests.e2e.test_config import shop
from tests.e2e.test_releases import releases
from tests.e2e.world import World, eventually

__all__ = ["shop"]


def tasks(here: World) -> set[str]:
    """Those that are to run."""
    found = here.engine.get("/tasks", filters={"service": [here.service()], "desired-state": ["running"]})
    return {str(task["ID"]) for task in found}


def test_a_restart_replaces_the_tasks_makes_no_release_and_files_undo_nothing(here: World, shop: str) -> None:
    path = f"{here.slug('acme')}/shop/production"
    written = here.skypanel("get", "environment", path, "-o", "yaml")
    before, made = tasks(here), releases(here)
    done = here.skypanel("restart", path, "--wait")
    assert done.returncode == 0, done.stderr
    after = tasks(here)
    assert len(after) == len(before)
    assert not after & before
    assert releases(here) == made
    assert "restartToken" not in written.stdout
    applied = here.skypanel("apply", "-f", "-", "--wait", stdin=written.stdout)
    assert applied.returncode == 0, applied.stderr
    assert tasks(here) == after, "a file that does not speak of it restarts nothing"
    assert here.skypanel("rollback", path, "1", "--wait").returncode == 0
    assert tasks(here) == after, "it stays when a release is gone back to"
    refused = here.skypanel("restart", path, "worker")
    assert 'declares no process "worker"' in refused.stderr
    here.sql("UPDATE paas_apps SET suspended = true")
    assert "is suspended: no task runs" in here.skypanel("restart", path).stderr


def test_what_has_ended_well_is_left_alone_and_what_is_always_wanted_is_started_again(here: World) -> None:
    here.controller().start()
    shop = here.app(here.organization("acme"), "shop")
    ends = {"entrypoint": ["/bin/sh", "-c", "exit 0"], "cmd": None, "port": None}
    once = here.environment(shop, name="once", restart="on-failure", **ends)
    again = here.environment(shop, name="again", restart="always", **ends)
    here.wait_ready(once)
    eventually(  # ready it is also while it runs, for longer than a task has to here
        lambda: "1 ended well" in here.conditions("environment", once)["Ready"]["message"], what="it is done"
    )
    eventually(
        lambda: here.conditions("environment", again)["Ready"]["reason"] == "CrashLoop", what="it is started again"
    )
    assert here.skypanel("reconcile", "env", f"{here.slug('acme')}/shop/once", "--wait").returncode == 0
    assert len(history(here, once)) == 1
    assert len(history(here, again)) >= 3


def history(here: World, environment: str) -> list[str]:
    """States of all tasks that the Swarm remembers of it."""
    label = f"io.skypanel.owner=environment/{environment}"
    return [task["Status"]["State"] for task in here.engine.get("/tasks", filters={"label": [label]})]
