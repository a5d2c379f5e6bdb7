"""Doctor says plainly what is beyond the sizes that were measured, and what is not limited."""

from __future__ import annotations

from controller.actions.doctor.limits import ORGANIZATIONS, SERVICES, examine

INFO = {"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]], "DockerRootDir": "/var/lib/docker"}


def found(services: int = 1, organizations: int = 1, **info: object) -> dict[str, tuple[str, str]]:
    networks = [{"Labels": {"io.skypanel.installation": "here"}}] * organizations + [{"Labels": None}, {}]
    checks = examine({**INFO, **info}, services, networks, "here")
    return {check.name: (check.level, check.message) for check in checks}


def test_an_installation_that_outgrows_its_edge_is_told() -> None:
    assert {level for level, _ in found().values()} == {"ok", "warn"}
    assert found()["edge and services"][0] == found()["edge and networks"][0] == "ok"
    assert found(services=SERVICES + 1)["edge and services"][0] == "warn"
    assert found(organizations=ORGANIZATIONS + 1)["edge and networks"] == (
        "warn",
        f"{ORGANIZATIONS + 1} organizations, more than about {ORGANIZATIONS}: a restart of the edge takes long",
    )


def test_a_disk_that_any_container_can_fill_is_named() -> None:
    assert found()["disk of containers"] == ("warn", "overlay2 on extfs: a container can fill /var/lib/docker")
    assert found(DriverStatus=[["Backing Filesystem", "xfs"]])["disk of containers"][0] == "ok"


def test_what_is_not_checked_is_always_said() -> None:
    assert "host names are not verified" in found()["known limits"][1]
