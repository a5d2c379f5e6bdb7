"""What doctor tries from inside a container, and the settings of the hosts' firewall."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from controller.actions.doctor.firewall import METADATA, _leads_out, examine, targets, verdict

SCRIPT = Path(__file__).parents[3] / "deploy/firewall/skypanel-firewall"


class Silent:
    """An engine without a task."""

    def call(self, method: str, path: str, query: object = None) -> object:
        del method, path, query
        return []


def test_it_tries_the_ports_of_every_node_once_and_the_metadata_address() -> None:
    info = {"Swarm": {"NodeAddr": "10.0.0.1"}}
    nodes = [{"Status": {"Addr": address}} for address in ("10.0.0.1", "10.0.0.2", "0.0.0.0")]
    assert targets(info, nodes) == [(a, p) for a in ("10.0.0.1", "10.0.0.2") for p in (2377, 7946)] + [METADATA]


def test_what_is_reached_is_named_with_how_to_mend_it() -> None:
    found = verdict([("10.0.0.2", 7946), METADATA])
    assert (found.level, found.message) == (
        "fail",
        "any tenant's container on this node reaches 10.0.0.2:7946, 169.254.169.254:80",
    )
    assert "deploy/firewall" in found.mend
    assert verdict([]).level == "ok"


def test_an_engine_elsewhere_is_not_called_safe() -> None:
    (found,) = examine(Silent(), {}, [], local=False)
    assert found.level == "warn"


def test_a_task_on_the_hosts_own_network_is_no_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        def call(self, method: str, path: str, query: object = None) -> object:
            found = {"NetworkSettings": {"SandboxKey": "/proc/self/ns/net"}, "State": {"Pid": os.getpid()}}
            return found if path.endswith("/1/json") else [{"Id": "1"}]

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (found,) = examine(Engine(), {}, [], local=True)
    assert (found.level, found.message.partition(":")[0]) == ("warn", "not checked")


@pytest.mark.parametrize(("routes", "out"), [("00000000\t0100000A", True), ("0000000A\t00000000", False), ("", False)])
def test_only_a_task_with_a_default_route_can_reach_anything(tmp_path: Path, routes: str, out: bool) -> None:
    (tmp_path / "route").write_text("Iface\tDestination\tGateway\n" + (f"eth0\t{routes}\n" if routes else ""))
    assert _leads_out(tmp_path / "route") is out
    assert not _leads_out(tmp_path / "gone")


def rules(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What the script makes of settings; no program of an engine is on its path."""
    conf = folder / "firewall.conf"
    conf.write_text(text)
    environment = {"SKYPANEL_FIREWALL_CONF": str(conf), "PATH": "/usr/bin:/bin"}
    return subprocess.run([str(SCRIPT), "show"], env=environment, capture_output=True, text=True, check=False)


def test_settings_open_what_they_list_and_close_what_they_name(tmp_path: Path) -> None:
    done = rules(
        tmp_path,
        '# of this site\nNODES="203.0.113.7 2001:db8::7"\nALLOW="10.1.2.3:5432/tcp [fd00::1]:123/udp"\n'
        'EDGE_PORTS=""\nRESOLVERS="9.9.9.9"\nBRIDGE=br-gw',
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "ip daddr 10.1.2.3 tcp dport 5432 accept",
        "ip6 daddr fd00::1 udp dport 123 accept",
        "set nodes4 { type ipv4_addr; flags interval; auto-merge; elements = { 203.0.113.7 } }",
        "set nodes6 { type ipv6_addr; flags interval; auto-merge; elements = { 2001:db8::7 } }",
        "set resolvers4 { type ipv4_addr; flags interval; auto-merge; elements = { 9.9.9.9 } }",
        'iifname != "br-gw" accept',
    ):
        assert line in done.stdout
    assert "tcp dport {" not in done.stdout


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('ALLOW="10.1.2.3"', "10.1.2.3 is not address:port/protocol"),
        ("NODE=10.0.0.1", "line 1: write NAME"),
        ("\nBRIDGE=$(id)", "line 2: write NAME"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, named: str) -> None:
    done = rules(tmp_path, text)
    assert done.returncode == 1
    assert named in done.stderr
