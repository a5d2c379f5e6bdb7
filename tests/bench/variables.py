"""Environments with config vars: a cold converge that opens and delivers them, and comparisons with nothing to do.

The floor of the converge is what it made, sent raw: the same services with secrets of the same size. That of a
comparison is a raw list of all that it lists, services and secrets, with its decoding.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any
from uuid import uuid4

import psycopg

from controller.declared.sealing import data_key
from controller.vault.keyring import Keyring, generate
from controller.vault.sealed import Place
from controller.vault.vault import Vault
from tests.bench.harness import BenchHarness, wait_until
from tests.bench.many import AIM_MEGABYTES, AIM_PAUSE_MILLISECONDS, AIM_RESYNC, PERIOD_SECONDS, comparisons
from tests.bench.process import controller
from tests.bench.raw import RawConnection, request, send_all
from tests.bench.report import Measurement
from tests.bench.workload import add_environments, said_at, unready

EACH = 20
VALUE_BYTES = 32
AIM = 2.0


def measure(place: BenchHarness, count: int, rounds: int) -> list[Measurement]:
    """Seconds and bytes of ``count`` environments with 20 config vars each.

    Args:
        place: where.
        count: environments.
        rounds: comparisons.
    """
    with place.database() as database:
        keys = generate()
        with database.connect() as panel:
            add_environments(panel, count)
            add_variables(panel, Vault(Keyring(text=keys)))
        with database.connect("reader") as reader:
            with controller(place, database, skypanel_keys=keys) as daemon:
                began = daemon.began
                wait_until(lambda: unready(reader) == 0, "all environments are ready", every=max(0.1, count / 20_000))
            converged = said_at(reader) - began
        with controller(place, database, skypanel_keys=keys, skypanel_resync_seconds=str(PERIOD_SECONDS)) as daemon:
            resync, listed, pause = comparisons(place, daemon, rounds, ("/services", "/secrets"))
            memory = daemon.memory()
        raw = _sent_raw(place)
    name = f"{count} environments with {EACH} config vars each"
    return [
        Measurement(f"cold converge of {name}", converged, "s", raw, AIM),
        Measurement("  resync of them with nothing to do", resync, "s", listed, AIM_RESYNC),
        Measurement(
            "  longest pause of the event loop in it, with them", pause * 1000, "ms", aim=AIM_PAUSE_MILLISECONDS
        ),
        Measurement("  memory with them", memory / 1e6, "MB", aim=AIM_MEGABYTES),
    ]


def add_variables(panel: psycopg.Connection[Any], vault: Vault) -> None:
    """Twenty of each environment, sealed as ``skypanel config set`` does; one statement for each organization."""
    owners: dict[str, list[str]] = {}
    for organization, environment in panel.execute(
        "SELECT a.organization_id::text, e.id::text FROM public.paas_environments e"
        " JOIN public.paas_apps a ON a.id = e.app_id"
    ):
        owners.setdefault(organization, []).append(environment)
    for organization, environments in owners.items():
        key = data_key(panel, vault, organization)
        rows = []
        for environment in environments:
            for number in range(EACH):
                row, name = str(uuid4()), f"VARIABLE_{number}"
                sealed = vault.seal(key, Place(organization, "environment", environment, row, name, 1), _value())
                rows.append((row, environment, name, sealed.ciphertext, sealed.key_id))
        panel.execute(
            "INSERT INTO skypanel.config_vars (id, environment_id, name, ciphertext, key_id)"
            " SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bytea[], %s::text[])",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _value() -> bytes:
    return base64.b64encode(os.urandom(VALUE_BYTES))[:VALUE_BYTES]


def _sent_raw(place: BenchHarness) -> float:
    """Seconds of all services and secrets that are there, made anew."""
    with RawConnection(place.socket) as connection:
        services, secrets = connection.call("GET", "/services"), connection.call("GET", "/secrets")
    send_all(place.socket, [request("DELETE", f"/services/{each['ID']}") for each in services])
    send_all(place.socket, [request("DELETE", f"/secrets/{each['ID']}") for each in secrets])
    bodies = [{**each["Spec"], "Data": base64.b64encode(os.urandom(EACH * 45)).decode()} for each in secrets]
    first = [request("POST", "/secrets/create", body) for body in bodies]
    started = time.perf_counter()
    made = send_all(place.socket, first)
    took = time.perf_counter() - started
    ids = {each["Spec"]["Name"]: json.loads(answer)["ID"] for each, answer in zip(secrets, made, strict=True)}
    for service in services:
        for used in service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or ():
            used["SecretID"] = ids[used["SecretName"]]
    then = [request("POST", "/services/create", each["Spec"]) for each in services]
    started = time.perf_counter()
    send_all(place.socket, then)
    return took + time.perf_counter() - started
