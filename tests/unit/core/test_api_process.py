"""What the process of the HTTP API is told, and what it is not."""

from __future__ import annotations

import sys

import anyio
from pydantic import SecretStr

from controller.api_process import ApiProcess, environment_of
from controller.settings import Settings
from controller.settings_sources import names_of, sources


def test_of_the_secrets_it_is_told_its_own_and_of_one_that_is_new_nothing() -> None:
    everything = dict.fromkeys(names_of(Settings), "given")
    told = environment_of(sources([], everything), {"PGPASSWORD": "x", "PGSSLMODE": "verify-full", "HOME": "/root"})
    secret = {
        name
        for name, field in zip(names_of(Settings), Settings.model_fields.values(), strict=True)
        if field.annotation is SecretStr
    }
    assert secret & told.keys() == {"SKYPANEL_API_DATABASE_URL", "JWT_SECRET", "SKYPANEL_KEYS"}
    assert {name for name in told if name.startswith("DOCKER")} == {"DOCKER_HOST"}
    assert told["DOCKER_HOST"] == "unix:///dev/null"
    assert told["PGSSLMODE"] == "verify-full"
    assert not {"PGPASSWORD", "HOME"} & told.keys()
    assert {"SKYPANEL_INSTALLATION", "CAAS_REQUIRE_SIGNED", "SKYPANEL_REQUIRE_RUN_AS"} <= told.keys()


def test_a_process_that_ends_in_the_moment_when_it_is_told_to_is_no_failure() -> None:
    async def end() -> None:
        stopping = anyio.Event()
        process = await anyio.open_process([sys.executable, "-c", ""])
        await process.wait()
        stopping.set()
        with anyio.move_on_after(0.05):
            await ApiProcess({}, stopping)._end(process)
        await process.aclose()

    anyio.run(end, backend_options={"use_uvloop": True})
