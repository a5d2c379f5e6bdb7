"""Something else keeps changing what the controller repairs: it does not write as fast as it can, and says so."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator

from deploy.engine import EngineApiError
from tests.e2e.world import World, eventually


@contextlib.contextmanager
def somebody_else(here: World, name: str) -> Iterator[None]:
    """Adds a label to the service whenever it is gone."""
    ended = threading.Event()
    engine = here.lab.api()

    def work() -> None:
        while not ended.wait(0.02):
            with contextlib.suppress(EngineApiError):  # the controller was faster
                service = engine.get(f"/services/{name}")
                if "somebody.was" not in service["Spec"]["Labels"]:
                    service["Spec"]["Labels"]["somebody.was"] = "here"
                    engine.post(
                        f"/services/{service['ID']}/update", service["Spec"], version=service["Version"]["Index"]
                    )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_fight_is_spaced_out_named_and_ended_on_request(here: World) -> None:
    controller = here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"), instances=0)
    here.wait_ready(environment)
    name, path = here.service(), f"{here.slug('acme')}/shop/production"

    def contested() -> dict[str, str] | None:
        ready = here.conditions("environment", environment)["Ready"]
        return ready if ready["reason"] == "Contested" else None

    with somebody_else(here, name):
        said = eventually(contested, what="it is named")
        assert f"service {name}: Labels.somebody.was" in said["message"]
        assert "repaired 5 times since" in said["message"]

        def repaired_further() -> bool:
            ready = here.conditions("environment", environment)["Ready"]
            if re.search(r"repaired ([7-9]|\d\d) times", ready["message"]):
                return True
            raise LookupError(ready)

        eventually(repaired_further, what="it goes on, slower")
        eventually(lambda: controller.metric("skypanel_contested") == 1, what="it is counted")
        assert controller.metric("skypanel_drift_repairs_total") < 10
    answer = here.skypanel("reconcile", "environment", path, "--wait", role="panel")
    assert (answer.returncode, answer.stdout.split()[2]) == (0, "Deployed"), answer
    assert "somebody.was" not in here.services()[name]["Spec"]["Labels"]
    assert controller.metric("skypanel_contested") == 0
    assert [e["reason"] for e in here.events(environment) if e["type"] == "Warning"] == ["Contested"]
