"""What Prometheus makes of a real controller: its metrics, and the alert rules."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.prometheus import prometheus, promtool
from reconcilers.registry import registered
from tests.e2e.world import eventually
from tests.labs import free_port
from tests.observe.conftest import Seen

RULES = Path(__file__).parents[2] / "deploy/prometheus/skypanel.rules.yml"
CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: skypanel
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
Query = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def query(seen: Seen, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """Asks a Prometheus that scrapes the controller; it starts at once and scrapes after its five seconds."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(rules=RULES, port=seen.controller.port))
    command = [
        str(prometheus()),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def ask(expression: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"])

    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            yield ask
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()


def check(*arguments: str, stdin: str = "") -> None:
    done = subprocess.run(
        [str(promtool()), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_the_controller_and_finds_it_well(seen: Seen, query: Query) -> None:
    eventually(lambda: query('up{job="skypanel"} == 1'), what="the first scrape", seconds=60)

    assert float(query('skypanel_reconcile_total{kind="environment",result="success"}')[0]["value"][1]) >= 1
    assert query("skypanel_build_info")[0]["metric"]["version"]
    eventually(lambda: not query("ALERTS"), what="no alert is left, not even one that waits", seconds=60)


def test_promtool_finds_nothing_wrong_with_the_metrics(seen: Seen) -> None:
    check("check", "metrics", stdin=seen.controller.fetch("/metrics"))


def test_the_alert_rules_are_right_and_each_is_shown_to_fire_and_to_keep_quiet() -> None:
    check("check", "rules", str(RULES))
    check("test", "rules", str(RULES.with_name("skypanel.rules.test.yml")))
    cases = RULES.with_name("skypanel.rules.test.yml").read_text()
    alerts = [rule["alert"] for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]
    assert sorted(re.findall(r'alertname="(\w+)"', cases)) == sorted([*alerts, "SkypanelLeaderMissing"])


def test_every_metric_that_a_rule_reads_is_one_that_the_controller_has(seen: Seen) -> None:
    shown = set(re.findall(r"^(\w+)[{ ]", seen.controller.fetch("/metrics"), re.MULTILINE))
    expressions = [str(rule["expr"]) for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]
    read = {name for text in expressions for name in re.findall(r"\b(?:skypanel|process)_\w+", text)}
    assert read <= shown


def test_every_result_of_every_kind_is_there_before_it_happens(seen: Seen) -> None:
    metrics = seen.controller.fetch("/metrics")
    for kind in registered():
        assert f'skypanel_reconcile_panics_total{{kind="{kind}"}} 0.0' in metrics
        assert f'skypanel_reconcile_timeouts_total{{kind="{kind}"}} 0.0' in metrics
        assert f'skypanel_reconcile_total{{kind="{kind}",result="terminal_error"}} 0.0' in metrics
        assert f'skypanel_workqueue_depth{{kind="{kind}",priority="change"}} ' in metrics
        assert f'skypanel_drift_seconds_count{{kind="{kind}"}} ' in metrics
    for result in ("renewed", "lost", "unreachable"):
        assert f'skypanel_lease_renewals_total{{result="{result}"}} ' in metrics
    for stream in ("database", "engine"):
        assert f'skypanel_hint_reconnects_total{{stream="{stream}"}} 0.0' in metrics


def test_the_figures_are_those_of_what_happened(seen: Seen) -> None:
    metric = seen.controller.metric

    assert metric("skypanel_leader") == 1
    assert metric("skypanel_database_up") == metric("skypanel_engine_up") == 1
    assert metric("skypanel_hint_stream_up") == 2
    assert 0 < metric("skypanel_lease_remaining_seconds") <= 2
    assert metric('skypanel_first_time_to_readiness_seconds_count{kind="environment"}') == 1
    assert metric('skypanel_hints_total{stream="engine"}') >= 1
    assert metric("skypanel_max_concurrent_reconciles") == sum(r.concurrency for r in registered().values())
    assert metric("skypanel_workqueue_longest_running_processor_seconds") < 5
